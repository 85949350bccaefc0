#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "engine/engine_file.h"
#include "engine/engine_generated.h"
#include "engine/engine_layout.h"
#include "engine/validate.h"
#include "ir/limits.h"

namespace tenon {
namespace {

[[noreturn]] void ThrowDamaged(const std::string& path, const std::string& got, const std::string& expected = {}) {
  ThrowInvalid({.what = "not a whole Tenon engine",
                .where = path,
                .got = got,
                .expected = expected,
                .hint = "Copy or export it again."});
}

std::string Text(const flatbuffers::String* text) { return text ? text->str() : std::string(); }

/// Turns the verified index into an EngineModel whose big data stays in the file's bytes.
class Reader {
 public:
  Reader(std::string path, Blob file) : path_(std::move(path)), file_(std::move(file)) {}

  std::shared_ptr<EngineModel> Run() {
    uint64_t index_bytes = 0;
    const fb::Engine& index = CheckHeader(index_bytes);
    CheckSections(index, index_bytes);
    auto engine = std::make_shared<EngineModel>();
    engine->name = Text(index.name());
    engine->source_digest = {index.source_digest_high(), index.source_digest_low()};
    ReadMap(index.metadata(), engine->metadata);
    ReadMap(index.reports(), engine->reports);
    ReadProfile(index, *engine);
    for (const auto* profile : List(index.more_profiles())) {
      ReadProfile(*profile, engine->more_profiles.emplace_back());
      CheckProfile(*engine, engine->more_profiles.size());
    }
    for (const auto* plan : List(index.plans())) {
      engine->plans.push_back(std::make_shared<Program>(ReadPlan(*plan, *engine)));
      const Program& program = *engine->plans.back();
      const EngineProfile& profile = engine->profile(static_cast<size_t>(program.profile));
      ValidateProgram(program, profile.inputs, profile.outputs);
    }
    if (engine->plans.empty()) ThrowDamaged(path_, "no plan");
    ReadConstants(index, *engine, *engine);
    const auto profiles = List(index.more_profiles());
    for (size_t i = 0; i < profiles.size(); ++i) ReadConstants(*profiles[i], *engine, engine->more_profiles[i]);
    return engine;
  }

 private:
  /// A vector that may be absent, as a range of pointers.
  template <class T>
  static std::vector<const T*> List(const flatbuffers::Vector<flatbuffers::Offset<T>>* list) {
    std::vector<const T*> result;
    for (flatbuffers::uoffset_t i = 0; list && i < list->size(); ++i) result.push_back(list->Get(i));
    return result;
  }

  const fb::Engine& CheckHeader(uint64_t& index_bytes) {
    const auto bytes = file_.bytes();
    EngineHeader header;
    if (bytes.size() < sizeof(header)) ThrowDamaged(path_, fmt::format("{} bytes", bytes.size()), "at least 64");
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (std::memcmp(header.magic, kEngineMagic, sizeof(header.magic)) != 0)
      ThrowDamaged(path_, "another kind of file", "an engine's first bytes");
    if (header.version != kEngineFormatVersion) {
      const bool newer = header.version > kEngineFormatVersion;
      ThrowInvalid({.what = fmt::format("an engine built by {} version of Tenon", newer ? "a newer" : "an older"),
                    .where = path_,
                    .got = fmt::format("format {}", header.version),
                    .expected = fmt::format("format {}", kEngineFormatVersion),
                    .hint = fmt::format("Build it again with tenon export{}.", newer ? ", or update Tenon" : "")});
    }
    const bool zeros = header.reserved == 0 && std::all_of(std::begin(header.zeros), std::end(header.zeros),
                                                           [](uint8_t byte) { return byte == 0; });
    if (!zeros) ThrowDamaged(path_, "a damaged header");
    if (header.index_bytes > bytes.size() - sizeof(header))
      ThrowDamaged(path_, fmt::format("{} bytes", bytes.size()), "more: it is cut off");
    index_bytes = header.index_bytes;
    const auto index = bytes.subspan(sizeof(header), index_bytes);
    if (HashBytes(index) != Digest{header.digest_high, header.digest_low})
      ThrowDamaged(path_, "an index whose digest is wrong");
    flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(index.data()), index.size(), 64, 10'000'000);
    if (!fb::VerifyEngineBuffer(verifier)) ThrowDamaged(path_, "an index that doesn't verify");
    return *fb::GetEngine(index.data());
  }

  /// Sections lie one after another with zeros between, as they are written: every byte of the file is then looked at.
  void CheckSections(const fb::Engine& index, uint64_t index_bytes) {
    const uint64_t file_bytes = file_.bytes().size();
    uint64_t end = sizeof(EngineHeader) + index_bytes;
    for (flatbuffers::uoffset_t i = 0; index.sections() && i < index.sections()->size(); ++i) {
      fb::Section section;
      std::memcpy(&section, index.sections()->Data() + i * sizeof(section), sizeof(section));  // as Ints
      const uint64_t begin = AlignSection(end);
      if (section.offset() != begin) ThrowDamaged(path_, fmt::format("section {} at {}", i, section.offset()));
      if (begin > file_bytes || section.size() > file_bytes - begin)
        ThrowDamaged(path_, fmt::format("{} bytes", file_bytes), "more: it is cut off");
      CheckZeros(end, begin);
      const auto bytes = file_.bytes().subspan(begin, section.size());
      if (HashBytes(bytes) != Digest{section.digest_high(), section.digest_low()})
        ThrowDamaged(path_, fmt::format("section {} whose digest is wrong", i));
      sections_.push_back(bytes);
      end = begin + section.size();
    }
    if (AlignSection(end) != file_bytes)
      ThrowDamaged(path_, fmt::format("{} bytes", file_bytes), fmt::format("{}", AlignSection(end)));
    CheckZeros(end, file_bytes);
  }

  void CheckZeros(uint64_t begin, uint64_t end) {
    const auto padding = file_.bytes().subspan(begin, end - begin);
    if (std::any_of(padding.begin(), padding.end(), [](std::byte byte) { return byte != std::byte{0}; }))
      ThrowDamaged(path_, fmt::format("bytes between sections, near {}", begin));
  }

  std::span<const std::byte> SectionBytes(uint64_t number) {
    if (number >= sections_.size()) ThrowDamaged(path_, fmt::format("section {} of {}", number, sections_.size()));
    return sections_[number];
  }

  /// The section's bytes, keeping the file's alive.
  Blob SectionBlob(uint32_t number) {
    const auto bytes = SectionBytes(number);
    return {std::shared_ptr<const std::byte>(file_.data, bytes.data()), bytes.size()};
  }

  DType ReadDType(uint8_t value) {
    if (value >= kDTypeCount) ThrowDamaged(path_, fmt::format("element type {}", value));
    return static_cast<DType>(value);
  }

  static std::vector<int64_t> Ints(const flatbuffers::Vector<int64_t>* list) {
    std::vector<int64_t> result(list ? list->size() : 0);
    // The verifier doesn't look at the alignment of a vector's elements: a hostile file has them anywhere.
    if (!result.empty()) std::memcpy(result.data(), list->Data(), result.size() * sizeof(int64_t));
    return result;
  }

  TensorInfo ReadInfo(const fb::TensorInfo& info) {
    TensorInfo result{Text(info.name()), ReadDType(info.dtype()), Ints(info.shape())};
    CheckTensorSize(path_, result.dtype, result.shape);
    return result;
  }

  Tensor ReadTensor(const TensorInfo& info, uint32_t section) {
    const Blob blob = SectionBlob(section);
    const int64_t elems = ElemCount(info.shape);
    if (elems > static_cast<int64_t>(blob.size_bytes) ||
        elems * SizeOf(info.dtype) != static_cast<int64_t>(blob.size_bytes)) {
      ThrowDamaged(path_, fmt::format("{} bytes for a constant of {}", blob.size_bytes, ToString(info.shape)));
    }
    return Tensor(info.dtype, info.shape, blob.data);
  }

  /// All but the constants, which may lie in plans. `T`: a Profile, or the Engine, which has the fields of one.
  template <class T>
  void ReadProfile(const T& from, EngineProfile& profile) {
    for (const auto* info : List(from.inputs())) profile.inputs.push_back(ReadInfo(*info));
    for (const auto* info : List(from.outputs())) profile.outputs.push_back(ReadInfo(*info));
    const auto text = SectionBytes(from.graph_text());
    profile.graph_text.assign(reinterpret_cast<const char*>(text.data()), text.size());
  }

  template <class T>
  void ReadConstants(const T& from, const EngineModel& engine, EngineProfile& profile) {
    for (const auto* constant : List(from.constants())) profile.constants.push_back(ReadPortable(*constant, engine));
  }

  /// It is of the same network, for a larger batch.
  void CheckProfile(const EngineModel& engine, size_t number) {
    const EngineProfile &profile = engine.profile(number), &before = engine.profile(number - 1);
    const auto is_same = [](const TensorInfo& a, const TensorInfo& b) {
      return a.name == b.name && a.dtype == b.dtype && a.shape.size() == b.shape.size();
    };
    const auto are_same = [&](const std::vector<TensorInfo>& a, const std::vector<TensorInfo>& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(), is_same);
    };
    if (!are_same(profile.inputs, before.inputs) || !are_same(profile.outputs, before.outputs) ||
        profile.batch() <= before.batch())
      ThrowDamaged(path_, fmt::format("profile {} of another network", number));
  }

  ProgramOperand ReadOperand(const fb::Operand& operand) {
    if (operand.memory() > static_cast<uint8_t>(MemoryKind::kPacked))
      ThrowDamaged(path_, fmt::format("memory kind {}", operand.memory()));
    return {.memory = static_cast<MemoryKind>(operand.memory()),
            .dtype = ReadDType(operand.dtype()),
            .index = operand.index(),
            .offset_bytes = operand.offset(),
            .shape = Ints(operand.shape()),
            .strides_bytes = Ints(operand.strides())};
  }

  ProgramStep ReadStep(const fb::Step& step) {
    ProgramStep result{.name = Text(step.name()),
                       .op = Text(step.op()),
                       .attrs = Text(step.attrs()),
                       .family = Text(step.family()),
                       .tactic = Text(step.tactic()),
                       .family_version = step.family_version(),
                       .compute = ReadDType(step.compute()),
                       .flops = step.flops(),
                       .bytes = step.bytes()};
    result.packed = step.packed();
    for (const auto* source : List(step.sources())) result.sources.push_back(source->str());
    for (const auto* operand : List(step.inputs())) result.inputs.push_back(ReadOperand(*operand));
    for (const auto* operand : List(step.outputs())) result.outputs.push_back(ReadOperand(*operand));
    return result;
  }

  Program ReadPlan(const fb::Plan& plan, const EngineModel& engine) {
    Program program{.device = plan.device()->str(),
                    .fingerprint = plan.fingerprint()->str(),
                    .precision = plan.precision()->str(),
                    .profile = plan.profile(),
                    .arena_bytes = plan.arena_bytes()};
    if (program.profile < 0 || static_cast<size_t>(program.profile) >= engine.profile_count())
      ThrowDamaged(path_, fmt::format("a plan of profile {} of {}", program.profile, engine.profile_count()));
    if (program.arena_bytes < 0) ThrowDamaged(path_, fmt::format("an arena of {} bytes", program.arena_bytes));
    for (const auto* constant : List(plan.constants()))
      program.constants.push_back(ReadTensor(ReadInfo(*constant->info()), constant->section()));
    for (flatbuffers::uoffset_t i = 0; plan.packed() && i < plan.packed()->size(); ++i)
      program.packed.push_back(SectionBlob(plan.packed()->Get(i)));
    for (const auto* code : List(plan.code()))
      program.code.push_back({{code->source_high(), code->source_low()}, SectionBlob(code->section())});
    for (const auto* step : List(plan.steps())) program.steps.push_back(ReadStep(*step));
    return program;
  }

  PortableConstant ReadPortable(const fb::PortableConstant& constant, const EngineModel& engine) {
    const TensorInfo info = ReadInfo(*constant.info());
    PortableConstant result{.plan = constant.plan(),
                            .step = constant.step(),
                            .input = constant.input(),
                            .dtype = info.dtype,
                            .shape = info.shape};
    if (constant.section() >= 0) {
      result.plain = ReadTensor(info, static_cast<uint32_t>(constant.section()));
      return result;
    }
    const auto in_range = [](int64_t index, size_t size) { return index >= 0 && static_cast<size_t>(index) < size; };
    if (!in_range(result.plan, engine.plans.size()) ||
        !in_range(result.step, engine.plans[result.plan]->steps.size()) ||
        !in_range(result.input, engine.plans[result.plan]->steps[result.step].inputs.size())) {
      ThrowDamaged(path_, "a constant in a plan that isn't there");
    }
    return result;
  }

  void ReadMap(const flatbuffers::Vector<flatbuffers::Offset<fb::KeyValue>>* list,
               std::map<std::string, std::string>& map) {
    for (const auto* entry : List(list)) map[entry->key()->str()] = entry->value()->str();
  }

  std::string path_;
  Blob file_;
  std::vector<std::span<const std::byte>> sections_;
};

}  // namespace

std::shared_ptr<EngineModel> ReadEngine(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  return ReadEngine(Blob{std::shared_ptr<const std::byte>(file, file->bytes().data()), file->bytes().size()}, path);
}

std::shared_ptr<EngineModel> ReadEngine(const Blob& bytes, const std::string& name) {
  return Reader(name, bytes).Run();
}

bool IsEngineFile(const std::string& path) {
  try {
    const MappedFile file(path);
    return file.bytes().size() >= 8 && std::memcmp(file.bytes().data(), kEngineMagic, 8) == 0;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace tenon
