#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "ir/tensor.h"

namespace tenon {

/// Where an operand's memory is.
enum class MemoryKind : uint8_t {
  kAbsent,    ///< optional operand that isn't there
  kArena,     ///< the context's activation arena
  kInput,     ///< the caller's input buffer `index`
  kOutput,    ///< the caller's output buffer `index`
  kConstant,  ///< the plan's constant `index`
  kPacked,    ///< inside the step's packed constants: no address of its own
};

struct ProgramOperand {
  MemoryKind memory = MemoryKind::kAbsent;
  DType dtype = DType::kFloat32;
  int32_t index = 0;
  int64_t offset_bytes = 0;  ///< of element 0 in that memory
  Shape shape;
  std::vector<int64_t> strides_bytes;
};

/// One kernel launch.
struct ProgramStep {
  std::string name;                  ///< of the fused graph's node
  std::vector<std::string> sources;  ///< the source model's nodes that it covers
  std::string op, attrs;             ///< op name and PrintAttrs text
  std::string family, tactic;
  int32_t family_version = 0;
  DType compute = DType::kFloat32;
  double flops = 0, bytes = 0;  ///< estimates for one run
  std::vector<ProgramOperand> inputs, outputs;
  int32_t packed = -1;  ///< index into Program::packed
};

/// Bytes kept alive by an owner: a mapped file or a buffer.
struct Blob {
  std::shared_ptr<const std::byte> data;
  size_t size_bytes = 0;
  std::span<const std::byte> bytes() const { return {data.get(), size_bytes}; }
  /// Copies into 64-byte aligned memory.
  static Blob Copy(std::span<const std::byte> bytes);
};

/// A kernel's machine code. Which step runs it is told by what it was compiled from.
struct ProgramCode {
  Digest source;
  Blob code;
};

/// A compiled network for one device: steps over one arena. Plain data: what the engine file holds as a plan.
struct Program {
  std::string device;       ///< "cpu"
  std::string fingerprint;  ///< of the device that it was built for
  std::string precision;    ///< "fp32", "half", "int8"
  int32_t profile = 0;      ///< of the engine: what inputs and outputs it has
  int64_t arena_bytes = 0;
  std::vector<ProgramStep> steps;
  std::vector<Tensor> constants;
  std::vector<Blob> packed;
  std::vector<ProgramCode> code;  ///< of GPUs; CPUs generate theirs at load
};

/// What the portable part keeps of a constant: its elements, or where a plan's packed weights hold them.
struct PortableConstant {
  Tensor plain;                              ///< null when packed
  int32_t plan = -1, step = -1, input = -1;  ///< position of the packed operand
  DType dtype = DType::kFloat32;
  Shape shape;
};

/// The network for one size of its inputs: a batch size.
struct EngineProfile {
  std::vector<TensorInfo> inputs, outputs;
  std::string graph_text;  ///< fused graph, portable to other devices; external(i) is constants[i]
  std::vector<PortableConstant> constants;

  int64_t batch() const { return inputs.empty() || inputs[0].shape.empty() ? 1 : inputs[0].shape[0]; }
};

/// An engine: one network for one or more batch sizes, and plans, for each device that it was built for one per
/// profile. Most have one batch size: that profile is the engine's own.
struct EngineModel : EngineProfile {
  std::string name;
  std::map<std::string, std::string> metadata;  ///< of the source model
  Digest source_digest;                         ///< of the source file
  std::vector<EngineProfile> more_profiles;     ///< of larger batch sizes, ascending
  std::vector<std::shared_ptr<const Program>> plans;
  std::map<std::string, std::string> reports;  ///< by name: "warnings" of the build (a line each)

  size_t profile_count() const { return 1 + more_profiles.size(); }
  const EngineProfile& profile(size_t i) const { return i == 0 ? *this : more_profiles.at(i - 1); }
};

}  // namespace tenon
