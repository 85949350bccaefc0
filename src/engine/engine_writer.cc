#include <array>
#include <cstring>
#include <unordered_map>

#include "base/file.h"
#include "engine/engine_file.h"
#include "engine/engine_generated.h"
#include "engine/engine_layout.h"

namespace tenon {
namespace {

using flatbuffers::Offset;

/// Collects sections; equal memory is written once.
class SectionList {
 public:
  uint32_t Add(std::span<const std::byte> bytes) {
    if (bytes.empty()) bytes = {};  // wherever it is: read and written again, a file stays the same
    const auto [found, added] =
        index_.emplace(std::pair(bytes.data(), bytes.size()), static_cast<uint32_t>(bytes_.size()));
    if (added) bytes_.push_back(bytes);
    return found->second;
  }
  const std::vector<std::span<const std::byte>>& all() const { return bytes_; }

 private:
  struct Hash {
    size_t operator()(const std::pair<const std::byte*, size_t>& key) const {
      return std::hash<const void*>()(key.first) ^ key.second;
    }
  };
  std::unordered_map<std::pair<const std::byte*, size_t>, uint32_t, Hash> index_;
  std::vector<std::span<const std::byte>> bytes_;
};

class IndexBuilder {
 public:
  explicit IndexBuilder(const EngineModel& engine) : engine_(engine) {}

  /// The index, with section offsets relative to the first section: its own size is not known before.
  /// The offsets are of fixed width, so building it twice gives the same size.
  std::vector<std::byte> Build(uint64_t first_section) {
    builder_.Clear();
    const auto plans = Many<fb::Plan>(engine_.plans, [&](const auto& plan) { return AddPlan(*plan); });
    const auto constants = AddConstants(engine_.constants);
    const auto inputs = AddInfos(engine_.inputs);
    const auto outputs = AddInfos(engine_.outputs);
    const auto metadata = AddMap(engine_.metadata);
    const auto reports = AddMap(engine_.reports);
    const uint32_t text = AddText(engine_.graph_text);
    const auto profiles = engine_.more_profiles.empty()
                              ? 0  // the same bytes as before there were profiles
                              : Many<fb::Profile>(engine_.more_profiles,
                                                  [&](const EngineProfile& profile) { return AddProfile(profile); });
    const auto name = builder_.CreateString(engine_.name);
    const auto sections = AddSections(first_section);
    builder_.Finish(fb::CreateEngine(builder_, name, metadata, engine_.source_digest.high, engine_.source_digest.low,
                                     inputs, outputs, text, constants, plans, reports, sections, profiles));
    const auto* data = reinterpret_cast<const std::byte*>(builder_.GetBufferPointer());
    return {data, data + builder_.GetSize()};
  }

  const SectionList& sections() const { return sections_; }

 private:
  template <class T, class List, class F>
  Offset<flatbuffers::Vector<Offset<T>>> Many(const List& list, F&& add) {
    std::vector<Offset<T>> offsets;
    for (const auto& item : list) offsets.push_back(add(item));
    return builder_.CreateVector(offsets);
  }

  Offset<fb::TensorInfo> AddInfo(const std::string& name, DType dtype, const Shape& shape) {
    return fb::CreateTensorInfo(builder_, builder_.CreateString(name), static_cast<uint8_t>(dtype),
                                builder_.CreateVector(shape));
  }

  Offset<flatbuffers::Vector<Offset<fb::TensorInfo>>> AddInfos(const std::vector<TensorInfo>& infos) {
    return Many<fb::TensorInfo>(infos, [&](const auto& info) { return AddInfo(info.name, info.dtype, info.shape); });
  }

  uint32_t AddText(const std::string& text) {
    return sections_.Add(std::as_bytes(std::span(text.data(), text.size())));
  }

  Offset<flatbuffers::Vector<Offset<fb::PortableConstant>>> AddConstants(const std::vector<PortableConstant>& list) {
    return Many<fb::PortableConstant>(list, [&](const auto& constant) { return AddPortable(constant); });
  }

  Offset<fb::Profile> AddProfile(const EngineProfile& profile) {
    const auto inputs = AddInfos(profile.inputs), outputs = AddInfos(profile.outputs);
    const uint32_t text = AddText(profile.graph_text);
    return fb::CreateProfile(builder_, inputs, outputs, text, AddConstants(profile.constants));
  }

  Offset<flatbuffers::Vector<Offset<fb::KeyValue>>> AddMap(const std::map<std::string, std::string>& map) {
    return Many<fb::KeyValue>(map, [&](const auto& entry) {
      return fb::CreateKeyValue(builder_, builder_.CreateString(entry.first), builder_.CreateString(entry.second));
    });
  }

  Offset<fb::Operand> AddOperand(const ProgramOperand& operand) {
    return fb::CreateOperand(builder_, static_cast<uint8_t>(operand.memory), static_cast<uint8_t>(operand.dtype),
                             operand.index, operand.offset_bytes, builder_.CreateVector(operand.shape),
                             builder_.CreateVector(operand.strides_bytes));
  }

  Offset<fb::Step> AddStep(const ProgramStep& step) {
    const auto inputs = Many<fb::Operand>(step.inputs, [&](const auto& operand) { return AddOperand(operand); });
    const auto outputs = Many<fb::Operand>(step.outputs, [&](const auto& operand) { return AddOperand(operand); });
    const auto sources = builder_.CreateVectorOfStrings(step.sources);
    const auto text = [&](const std::string& value) { return builder_.CreateString(value); };
    return fb::CreateStep(builder_, text(step.name), sources, text(step.op), text(step.attrs), text(step.family),
                          step.family_version, text(step.tactic), static_cast<uint8_t>(step.compute), step.flops,
                          step.bytes, inputs, outputs, step.packed);
  }

  Offset<fb::Plan> AddPlan(const Program& plan) {
    const auto steps = Many<fb::Step>(plan.steps, [&](const auto& step) { return AddStep(step); });
    const auto constants = Many<fb::TensorData>(plan.constants, [&](const Tensor& tensor) {
      return fb::CreateTensorData(builder_, AddInfo({}, tensor.dtype(), tensor.shape()), sections_.Add(tensor.bytes()));
    });
    std::vector<uint32_t> packed;
    for (const Blob& blob : plan.packed) packed.push_back(sections_.Add(blob.bytes()));
    const auto code = Many<fb::Code>(plan.code, [&](const ProgramCode& kernel) {
      return fb::CreateCode(builder_, kernel.source.high, kernel.source.low, sections_.Add(kernel.code.bytes()));
    });
    const auto text = [&](const std::string& value) { return builder_.CreateString(value); };
    return fb::CreatePlan(builder_, text(plan.device), text(plan.fingerprint), text(plan.precision), plan.arena_bytes,
                          steps, constants, builder_.CreateVector(packed), code, plan.profile);
  }

  Offset<fb::PortableConstant> AddPortable(const PortableConstant& constant) {
    const int32_t section = constant.plain.is_null() ? -1 : static_cast<int32_t>(sections_.Add(constant.plain.bytes()));
    return fb::CreatePortableConstant(builder_, AddInfo({}, constant.dtype, constant.shape), section, constant.plan,
                                      constant.step, constant.input);
  }

  Offset<flatbuffers::Vector<const fb::Section*>> AddSections(uint64_t first_section) {
    std::vector<fb::Section> list;
    uint64_t offset = first_section;
    for (const auto& bytes : sections_.all()) {
      const Digest digest = HashBytes(bytes);
      list.emplace_back(offset, bytes.size(), digest.high, digest.low);
      offset = AlignSection(offset + bytes.size());
    }
    return builder_.CreateVectorOfStructs(list);
  }

  const EngineModel& engine_;
  flatbuffers::FlatBufferBuilder builder_;
  SectionList sections_;
};

std::array<std::byte, sizeof(EngineHeader)> MakeHeader(const std::vector<std::byte>& index) {
  const Digest digest = HashBytes(index);
  EngineHeader header = {};
  std::memcpy(header.magic, kEngineMagic, sizeof(header.magic));
  header.version = kEngineFormatVersion;
  header.index_bytes = index.size();
  header.digest_high = digest.high;
  header.digest_low = digest.low;
  std::array<std::byte, sizeof(EngineHeader)> bytes;
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

/// Everything that the file consists of, in order.
class EngineImage {
 public:
  explicit EngineImage(const EngineModel& engine) : builder_(engine) {
    const uint64_t first_section = AlignSection(sizeof(EngineHeader) + builder_.Build(0).size());
    index_ = builder_.Build(first_section);
    header_ = MakeHeader(index_);
    chunks_.push_back(header_);
    size_ = header_.size();
    Add(index_);
    for (const auto& bytes : builder_.sections().all()) Add(bytes);
  }
  EngineImage(const EngineImage&) = delete;  // the chunks point into it
  EngineImage& operator=(const EngineImage&) = delete;

  std::span<const std::span<const std::byte>> chunks() const { return chunks_; }
  int64_t size_bytes() const { return static_cast<int64_t>(size_); }

 private:
  void Add(std::span<const std::byte> bytes) {
    static constexpr std::array<std::byte, kSectionAlignment> kZeros = {};
    chunks_.push_back(bytes);
    chunks_.push_back(std::span(kZeros).first(AlignSection(size_ + bytes.size()) - size_ - bytes.size()));
    size_ = AlignSection(size_ + bytes.size());
  }

  IndexBuilder builder_;
  std::vector<std::byte> index_;
  std::array<std::byte, sizeof(EngineHeader)> header_;
  std::vector<std::span<const std::byte>> chunks_;
  uint64_t size_ = 0;
};

}  // namespace

int64_t WriteEngine(const EngineModel& engine, const std::string& path) {
  const EngineImage image(engine);
  WriteFileAtomically(path, image.chunks());
  return image.size_bytes();
}

int64_t EngineFileBytes(const EngineModel& engine) { return EngineImage(engine).size_bytes(); }

}  // namespace tenon
