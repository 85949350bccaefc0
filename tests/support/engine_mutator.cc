#include "support/engine_mutator.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "base/hash.h"
#include "engine/engine_file.h"
#include "engine/engine_generated.h"
#include "engine/engine_layout.h"

namespace tenon::testing_support {
namespace {

using Random = std::mt19937;

/// The file's index, null when it doesn't verify.
const fb::Engine* FindIndex(std::span<const std::byte> file, EngineHeader& header) {
  if (file.size() < sizeof(header)) return nullptr;
  std::memcpy(&header, file.data(), sizeof(header));
  header.index_bytes = std::min<uint64_t>(header.index_bytes, file.size() - sizeof(header));
  const auto* index = reinterpret_cast<const uint8_t*>(file.data() + sizeof(header));
  flatbuffers::Verifier verifier(index, header.index_bytes, 64, 1'000'000);
  return fb::VerifyEngineBuffer(verifier) ? fb::GetEngine(index) : nullptr;
}

std::span<const std::byte> Clamp(std::span<const std::byte> file, const fb::Section& section) {
  const uint64_t offset = std::min<uint64_t>(section.offset(), file.size());
  return file.subspan(offset, std::min<uint64_t>(section.size(), file.size() - offset));
}

void WriteHeader(FileBytes& file, uint64_t index_bytes) {
  EngineHeader header = {};
  std::memcpy(header.magic, kEngineMagic, sizeof(header.magic));
  header.version = kEngineFormatVersion;
  header.index_bytes = index_bytes;
  const Digest digest = HashBytes(std::span<const std::byte>(file).subspan(sizeof(header), index_bytes));
  header.digest_high = digest.high;
  header.digest_low = digest.low;
  std::memcpy(file.data(), &header, sizeof(header));
}

/// An engine as objects that can be changed freely, and its sections' bytes.
struct Parts {
  fb::EngineT index;
  std::vector<FileBytes> sections;
};

std::vector<uint8_t> PackIndex(const Parts& parts, const std::vector<fb::Section>& sections) {
  flatbuffers::FlatBufferBuilder builder;
  fb::EngineT index(parts.index);
  index.sections = sections;
  builder.Finish(fb::Engine::Pack(builder, &index));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

FileBytes Assemble(const Parts& parts) {
  std::vector<fb::Section> sections(parts.sections.size());
  uint64_t offset = AlignSection(sizeof(EngineHeader) + PackIndex(parts, sections).size());
  for (size_t i = 0; i < sections.size(); ++i) {
    const Digest digest = HashBytes(parts.sections[i]);
    sections[i] = fb::Section(offset, parts.sections[i].size(), digest.high, digest.low);
    offset = AlignSection(offset + parts.sections[i].size());
  }
  const std::vector<uint8_t> index = PackIndex(parts, sections);
  FileBytes file(offset);
  std::memcpy(file.data() + sizeof(EngineHeader), index.data(), index.size());
  for (size_t i = 0; i < sections.size(); ++i) {
    if (!parts.sections[i].empty())
      std::memcpy(file.data() + sections[i].offset(), parts.sections[i].data(), parts.sections[i].size());
  }
  WriteHeader(file, index.size());
  return file;
}

class Mutator {
 public:
  Mutator(Parts& parts, Random& random) : index_(parts.index), sections_(parts.sections), random_(random) {}

  void Mutate() {
    if (index_.plans.empty()) return Section();
    switch (Below(12)) {
      case 0:
        return PlanField();
      case 1:
        return Info();
      case 2:
        return Section();
      case 3:
        return StepOrder();
      case 4:
      case 5:
        return StepText();
      case 6:
      case 7:
        return SameSizeEverywhere();
      default:
        return OneOperand();
    }
  }

 private:
  size_t Below(size_t n) { return n == 0 ? 0 : random_() % n; }
  template <class List>
  auto& Pick(List& list) {
    return list[Below(list.size())];
  }

  int64_t Number(int64_t old) {
    constexpr int64_t kWild[] = {0,
                                 1,
                                 2,
                                 3,
                                 4,
                                 7,
                                 8,
                                 15,
                                 16,
                                 17,
                                 31,
                                 32,
                                 33,
                                 63,
                                 64,
                                 65,
                                 127,
                                 128,
                                 255,
                                 256,
                                 4096,
                                 65535,
                                 65536,
                                 INT32_MAX,
                                 int64_t{1} << 31,
                                 int64_t{1} << 32,
                                 int64_t{1} << 40,
                                 int64_t{1} << 62,
                                 INT64_MAX,
                                 -1,
                                 -2,
                                 -4,
                                 -64,
                                 INT32_MIN,
                                 INT64_MIN};
    const auto wrap = [](uint64_t value) { return static_cast<int64_t>(value); };
    const auto small = static_cast<uint64_t>(1 + Below(4)), bits = static_cast<uint64_t>(old);
    switch (Below(8)) {
      case 0:
        return wrap(bits + small);
      case 1:
        return wrap(bits - small);
      case 2:
        return wrap(bits * 2);
      case 3:
        return old / 2;
      case 4:
        return wrap(bits + 4 * small);
      case 5:
        return wrap(bits ^ uint64_t{1} << Below(64));
      default:
        return kWild[Below(std::size(kWild))];
    }
  }

  fb::PlanT& AnyPlan() { return *Pick(index_.plans); }
  fb::StepT* AnyStep() {
    fb::PlanT& plan = AnyPlan();
    return plan.steps.empty() ? nullptr : Pick(plan.steps).get();
  }
  std::vector<std::unique_ptr<fb::OperandT>>& Side(fb::StepT& step) {
    return Below(3) == 0 ? step.outputs : step.inputs;
  }

  void Numbers(std::vector<int64_t>& list) {
    if (Below(6) == 0) list.push_back(Number(1));
    if (!list.empty() && Below(6) == 0) list.pop_back();
    if (list.empty()) return;
    int64_t& number = Pick(list);
    number = Number(number);
  }

  void OneOperand() {
    fb::StepT* step = AnyStep();
    if (!step) return;
    auto& side = Side(*step);
    if (Below(10) == 0) {  // one more, or one less
      const fb::StepT* other = AnyStep();
      if (!other) return;
      const auto& from = Below(2) ? other->inputs : other->outputs;
      if (!from.empty() && Below(2)) {
        side.push_back(std::make_unique<fb::OperandT>(*from[Below(from.size())]));
      } else if (!side.empty()) {
        side.erase(side.begin() + static_cast<std::ptrdiff_t>(Below(side.size())));
      }
      return;
    }
    if (side.empty()) return;
    fb::OperandT& operand = *Pick(side);
    switch (Below(7)) {
      case 0:
        operand.memory = static_cast<uint8_t>(Below(6));
        break;
      case 1:
        operand.dtype = static_cast<uint8_t>(Below(9));
        break;
      case 2:
        operand.index = static_cast<int32_t>(Number(operand.index));
        break;
      case 3:
        operand.offset = Number(operand.offset);
        break;
      case 4:
        Numbers(operand.shape);
        break;
      case 5:
        Numbers(operand.strides);
        break;
      default: {
        const fb::StepT* other = AnyStep();
        if (!other) return;
        const auto& from = Below(2) ? other->inputs : other->outputs;
        if (!from.empty()) operand = *from[Below(from.size())];
      }
    }
  }

  /// One size replaced wherever a step, or the whole plan, has it: problems of other sizes that fit together.
  void SameSizeEverywhere() {
    fb::PlanT& plan = AnyPlan();
    if (plan.steps.empty()) return;
    fb::StepT& step = *Pick(plan.steps);
    const auto& side = Side(step);
    if (side.empty()) return;
    const fb::OperandT& sample = *side[Below(side.size())];
    if (sample.shape.empty()) return;
    const int64_t from = sample.shape[Below(sample.shape.size())];
    const int64_t to = Below(3) == 0 ? Number(from) : static_cast<int64_t>(Below(20));
    const bool keeps_memory = Below(2) == 0;  // smaller sizes in the same memory
    const auto replace = [&](fb::StepT& at) {
      for (auto* list : {&at.inputs, &at.outputs}) {
        for (auto& operand : *list) {
          std::replace(operand->shape.begin(), operand->shape.end(), from, to);
          if (keeps_memory) continue;
          int64_t stride = 4;
          for (size_t d = std::min(operand->strides.size(), operand->shape.size()); d-- > 0;) {
            operand->strides[d] = stride;
            stride = static_cast<int64_t>(static_cast<uint64_t>(stride) * static_cast<uint64_t>(operand->shape[d]));
          }
        }
      }
    };
    if (Below(2)) return replace(step);
    for (auto& each : plan.steps) replace(*each);
  }

  /// One number of a text changed, else a few characters.
  void Text(std::string& text) {
    std::vector<size_t> digits;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] >= '0' && text[i] <= '9' && (i == 0 || text[i - 1] < '0' || text[i - 1] > '9')) digits.push_back(i);
    }
    if (!digits.empty() && Below(6)) {
      const size_t begin = Pick(digits);
      size_t end = begin;
      while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
      const std::string old = text.substr(begin, std::min<size_t>(end - begin, 9));
      text.replace(begin, end - begin, std::to_string(Number(std::stoll(old))));
    } else if (!text.empty() && Below(3)) {
      Pick(text) = static_cast<char>(Below(256));
    } else if (!text.empty() && Below(2)) {
      const size_t at = Below(text.size());
      text.erase(at, 1 + Below(8));
    } else {
      text.insert(Below(text.size() + 1), 1, "0 -.,=[](){}\"e\n"[Below(15)]);
    }
  }

  void StepText() {
    fb::StepT *step = AnyStep(), *other = AnyStep();
    if (!step || !other) return;
    switch (Below(9)) {
      case 0:
        step->op = other->op;
        break;
      case 1:
        step->attrs = other->attrs;
        break;
      case 2:
        step->op = other->op, step->attrs = other->attrs;
        break;
      case 3:
        step->family = other->family, step->family_version = other->family_version, step->tactic = other->tactic;
        break;
      case 4:
        step->tactic = other->tactic;
        break;
      case 5:
        step->packed = static_cast<int32_t>(Below(2) ? Number(step->packed) : other->packed);
        break;
      case 6:
        Text(step->tactic);
        break;
      default:
        Text(step->attrs);
    }
  }

  void PlanField() {
    fb::PlanT& plan = AnyPlan();
    switch (Below(5)) {
      case 0:
        plan.arena_bytes = Number(plan.arena_bytes);
        break;
      case 2:
        plan.profile = static_cast<int32_t>(Number(plan.profile));
        break;
      case 1:
        if (!plan.packed.empty()) Pick(plan.packed) = static_cast<uint32_t>(Below(sections_.size() + 1));
        break;
      default:
        if (plan.constants.empty()) return;
        fb::TensorDataT& constant = *Pick(plan.constants);
        switch (Below(3)) {
          case 0:
            constant.section = static_cast<uint32_t>(Below(sections_.size() + 1));
            break;
          case 1:
            if (constant.info) Numbers(constant.info->shape);
            break;
          default:
            if (constant.info) constant.info->dtype = static_cast<uint8_t>(Below(10));
        }
    }
  }

  void Info() {
    if (!index_.constants.empty() && Below(2)) {
      fb::PortableConstantT& constant = *Pick(index_.constants);
      int32_t* fields[] = {&constant.section, &constant.plan, &constant.step, &constant.input};
      if (Below(2)) {
        int32_t& field = *fields[Below(4)];
        field = static_cast<int32_t>(Number(field));
      } else if (constant.info) {
        Numbers(constant.info->shape);
      }
      return;
    }
    fb::ProfileT* profile = index_.more_profiles.empty() || Below(2) ? nullptr : Pick(index_.more_profiles).get();
    auto& list = Below(2) ? (profile ? profile->inputs : index_.inputs) : (profile ? profile->outputs : index_.outputs);
    if (list.empty()) return;
    fb::TensorInfoT& info = *Pick(list);
    if (Below(3) == 0) {
      info.dtype = static_cast<uint8_t>(Below(10));
    } else {
      Numbers(info.shape);
    }
  }

  void Section() {
    if (sections_.empty()) return;
    if (index_.graph_text < sections_.size() && Below(3)) {
      FileBytes& bytes = sections_[index_.graph_text];
      std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      Text(text);
      const auto changed = std::as_bytes(std::span(text.data(), text.size()));
      bytes.assign(changed.begin(), changed.end());
      return;
    }
    FileBytes& bytes = Pick(sections_);
    if (Below(3) == 0) {
      bytes.resize(std::min<size_t>(Below(2) ? Below(bytes.size() + 1) : bytes.size() + Below(300), 1 << 20));
    } else if (!bytes.empty()) {
      for (size_t i = 1 + Below(8); i > 0; --i) Pick(bytes) = static_cast<std::byte>(Below(3) ? Below(256) : 255);
    }
  }

  void StepOrder() {
    fb::PlanT& plan = AnyPlan();
    if (plan.steps.empty()) return;
    const size_t a = Below(plan.steps.size()), b = Below(plan.steps.size());
    switch (Below(4)) {
      case 0:
        plan.steps.erase(plan.steps.begin() + static_cast<std::ptrdiff_t>(a));
        break;
      case 1:
        if (plan.steps.size() < 64) plan.steps.push_back(std::make_unique<fb::StepT>(*plan.steps[a]));
        break;
      case 2:
        if (index_.plans.size() < 3) index_.plans.push_back(std::make_unique<fb::PlanT>(plan));
        break;
      default:
        std::swap(plan.steps[a], plan.steps[b]);
    }
  }

  fb::EngineT& index_;
  std::vector<FileBytes>& sections_;
  Random& random_;
};

}  // namespace

void MendDigests(FileBytes& file) {
  EngineHeader header;
  const fb::Engine* index = FindIndex(file, header);
  if (file.size() < sizeof(header)) return;
  if (index && index->sections()) {
    for (flatbuffers::uoffset_t i = 0; i < index->sections()->size(); ++i) {
      const fb::Section* section = index->sections()->Get(i);
      const Digest digest = HashBytes(Clamp(file, *section));
      const fb::Section mended(section->offset(), section->size(), digest.high, digest.low);
      std::memcpy(const_cast<fb::Section*>(section), &mended, sizeof(mended));  // inside `file`, which is ours
    }
  }
  WriteHeader(file, header.index_bytes);
}

void MisalignInputShape(FileBytes& file) {
  EngineHeader header;
  const fb::TensorInfo* info = FindIndex(file, header)->inputs()->Get(0);
  // All inside `file`, which is ours. A vector is its length (32 bits), then its elements; a field says how far it is.
  auto* table = reinterpret_cast<flatbuffers::Table*>(const_cast<fb::TensorInfo*>(info));
  uint8_t* field = reinterpret_cast<uint8_t*>(table) + table->GetOptionalFieldOffset(fb::TensorInfo::VT_SHAPE);
  uint8_t* vector = field + flatbuffers::ReadScalar<flatbuffers::uoffset_t>(field);
  const auto rank = flatbuffers::ReadScalar<flatbuffers::uoffset_t>(vector);
  std::memmove(vector + 8, vector + 12, 8 * (rank - 1));
  flatbuffers::WriteScalar<flatbuffers::uoffset_t>(vector + 4, rank - 1);
  flatbuffers::WriteScalar<flatbuffers::uoffset_t>(field, static_cast<flatbuffers::uoffset_t>(vector + 4 - field));
  MendDigests(file);
}

FileBytes MutateEngine(std::span<const std::byte> file, std::mt19937& random) {
  EngineHeader header;
  const fb::Engine* index = FindIndex(file, header);
  if (!index) return {};
  Parts parts;
  index->UnPackTo(&parts.index);
  for (const fb::Section& section : parts.index.sections) {
    const auto bytes = Clamp(file, section);
    parts.sections.emplace_back(bytes.begin(), bytes.end());
  }
  Mutator mutator(parts, random);
  for (unsigned i = 1 + random() % 4; i > 0; --i) mutator.Mutate();
  return Assemble(parts);
}

}  // namespace tenon::testing_support
