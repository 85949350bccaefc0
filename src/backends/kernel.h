#pragma once
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"

namespace tenon {

class Device;

/// An operand of a step as a kernel sees it: everything but the address is known when the kernel is made.
/// Element (i0, i1, ...) lies at address + sum(i_d * strides_bytes[d]).
struct KernelOperand {
  bool present = false;  ///< false: the optional operand is absent
  DType dtype = DType::kFloat32;
  Shape shape;                         ///< logical (NCHW for images)
  std::vector<int64_t> strides_bytes;  ///< one per dimension; channels-last images have stride[1] == element size
  int64_t alignment_bytes = 1;         ///< a power of two that divides the address of element 0, in device memory
  Tensor constant;  ///< a constant's elements, dense row-major; null for run-time operands, and at load for packed ones
  bool is_constant = false;
};

/// The alignment of an operand at `offset_bytes` of its memory: arenas, tensors and constants begin at multiples of 64
/// in memory that Tenon owns.
inline int64_t AlignmentAt(int64_t offset_bytes) {
  constexpr uint64_t kMemoryAlignment = 64;
  return int64_t{1} << std::countr_zero(static_cast<uint64_t>(offset_bytes) | kMemoryAlignment);
}

/// What one step computes: an op over operands in memory.
struct StepProblem {
  const Op* op = nullptr;
  std::vector<KernelOperand> inputs, outputs;
};

/// One way to compute some ops on one kind of device: a tactic is the family's name plus parameters as text
/// ("v4 p5 rb4"). A family's result doesn't depend on its parameters: one accumulation order along K. Devices that are
/// passed are of the family's kind.
class KernelFamily {
 public:
  virtual ~KernelFamily() = default;
  virtual std::string_view name() const = 0;
  /// Raised when the family's packing, parameters or results change: part of plans and of timing cache keys.
  virtual int version() const { return 1; }
  /// Empty when the family can compute the step, else the reason why not.
  virtual std::string Supports(const StepProblem& problem, const Device& device) const = 0;
  /// Tactic parameters, best guess of the cost model first; pure. At least one for a supported problem.
  virtual std::vector<std::string> Candidates(const StepProblem& problem, const Device& device) const = 0;
  /// Whether Pack takes constant input i over: its plain form is then not kept, and the kernel gets null for it.
  virtual bool PacksInput(const StepProblem&, size_t) const { return false; }
  /// The packed constants (weights, bias), with problem.inputs[i].constant set.
  virtual std::vector<std::byte> Pack(const StepProblem&, const std::string&, const Device&) const { return {}; }
  /// Bytes that the kernel reads of the packed constants: a plan that holds fewer is damaged. Throws
  /// Error(kInvalidInput) when `tactic` is no text of this family's.
  virtual size_t PackedBytes(const StepProblem& problem, const std::string& tactic, const Device& device) const = 0;
  /// Memory that the step needs in a context beside the activations, once for all steps.
  virtual int64_t ScratchBytes(const StepProblem&, const std::string&, const Device&) const { return 0; }
  /// The inverse: constant input i (in the precision that was packed) from the packed bytes.
  virtual Tensor Unpack(const StepProblem&, const std::string&, const Device&, std::span<const std::byte>,
                        size_t) const {
    return {};
  }
  /// Computes on the host what the reference defines, slowly: the user is told of such steps.
  virtual bool is_reference() const { return false; }
  /// Rounds otherwise than the other families (Winograd): it doesn't compete with them by time, which would make the
  /// result depend on a clock, but takes a step over, or not.
  virtual bool has_own_rounding() const { return false; }
  /// Of such a family: whether it computes the step, which it supports, in place of the others. Pure, and the same for
  /// every batch size and number of threads.
  virtual bool TakesOver(const StepProblem&, const Device&) const { return false; }
  /// Multiply-adds that it takes at the peak rate of the step's type, by those that the op counts: less than 1 where an
  /// algorithm saves some.
  virtual double work_share() const { return 1; }
  /// Whether any output may be absent, the first one too: others write that unasked.
  virtual bool skips_outputs() const { return is_reference(); }
};

/// By name; null when there is none.
inline const KernelFamily* FindFamily(std::span<const KernelFamily* const> families, std::string_view name) {
  for (const KernelFamily* family : families) {
    if (family->name() == name) return family;
  }
  return nullptr;
}

/// A family whose members see the device as what it is: a D.
template <class D>
class KernelFamilyFor : public KernelFamily {
 public:
  virtual std::string Supports(const StepProblem& problem, const D& device) const = 0;
  virtual std::vector<std::string> Candidates(const StepProblem& problem, const D& device) const = 0;
  virtual std::vector<std::byte> Pack(const StepProblem&, const std::string&, const D&) const { return {}; }
  virtual size_t PackedBytes(const StepProblem& problem, const std::string& tactic, const D& device) const = 0;
  virtual Tensor Unpack(const StepProblem&, const std::string&, const D&, std::span<const std::byte>, size_t) const {
    return {};
  }
  virtual int64_t ScratchBytes(const StepProblem&, const std::string&, const D&) const { return 0; }
  virtual bool TakesOver(const StepProblem&, const D&) const { return false; }

  std::string Supports(const StepProblem& problem, const Device& device) const final {
    return Supports(problem, static_cast<const D&>(device));
  }
  std::vector<std::string> Candidates(const StepProblem& problem, const Device& device) const final {
    return Candidates(problem, static_cast<const D&>(device));
  }
  bool TakesOver(const StepProblem& problem, const Device& device) const final {
    return TakesOver(problem, static_cast<const D&>(device));
  }
  std::vector<std::byte> Pack(const StepProblem& problem, const std::string& tactic, const Device& device) const final {
    return Pack(problem, tactic, static_cast<const D&>(device));
  }
  size_t PackedBytes(const StepProblem& problem, const std::string& tactic, const Device& device) const final {
    return PackedBytes(problem, tactic, static_cast<const D&>(device));
  }
  int64_t ScratchBytes(const StepProblem& problem, const std::string& tactic, const Device& device) const final {
    return ScratchBytes(problem, tactic, static_cast<const D&>(device));
  }
  Tensor Unpack(const StepProblem& problem, const std::string& tactic, const Device& device,
                std::span<const std::byte> packed, size_t input) const final {
    return Unpack(problem, tactic, static_cast<const D&>(device), packed, input);
  }
};

}  // namespace tenon
