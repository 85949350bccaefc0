#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"

namespace tenon {

/// An operand of a step as a kernel sees it: everything but the address is known when the kernel is made.
/// Element (i0, i1, ...) lies at address + sum(i_d * strides_bytes[d]).
struct KernelOperand {
  bool present = false;  ///< false: the optional operand is absent
  DType dtype = DType::kFloat32;
  Shape shape;                         ///< logical (NCHW for images)
  std::vector<int64_t> strides_bytes;  ///< one per dimension; channels-last images have stride[1] == element size
  Tensor constant;  ///< a constant's elements, dense row-major; null for run-time operands, and at load for packed ones
  bool is_constant = false;
};

/// What one step computes: an op over operands in memory.
struct StepProblem {
  const Op* op = nullptr;
  std::vector<KernelOperand> inputs, outputs;
};

/// Addresses for one run, parallel to StepProblem's operands; null for absent operands and for packed constants.
struct KernelArgs {
  const std::byte* const* inputs = nullptr;
  std::byte* const* outputs = nullptr;
  const std::byte* packed = nullptr;  ///< what KernelFamily::Pack made; 64-byte aligned
};

/// A ready kernel. Immutable; Run may be called from many threads at once.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// The step is done when every item in [0, work_items()) ran, in any order, on any threads. Which thread runs an
  /// item never changes the result. Enough items that a delayed thread costs its share, not a stall (8 a thread and
  /// more on big steps), few enough that handing them out (about 0.2 us each) doesn't show.
  virtual int64_t work_items() const = 0;
  /// Scratch memory that Run needs, per thread; 64-byte aligned.
  virtual size_t scratch_bytes() const { return 0; }
  /// Bytes that Run reads of the packed constants: a plan that holds fewer is damaged.
  virtual size_t packed_bytes() const { return 0; }
  virtual void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const = 0;
};

struct CpuDevice;

/// One way to compute some ops: a tactic is the family's name plus parameters as text ("v4 p5 rb4").
/// A family's result doesn't depend on its parameters: one accumulation order along K.
class KernelFamily {
 public:
  virtual ~KernelFamily() = default;
  virtual std::string_view name() const = 0;
  /// Raised when the family's packing, parameters or results change: part of plans and of timing cache keys.
  virtual int version() const { return 1; }
  /// Empty when the family can compute the step, else the reason why not.
  virtual std::string Supports(const StepProblem& problem, const CpuDevice& device) const = 0;
  /// Tactic parameters, best guess of the cost model first; pure. At least one for a supported problem.
  virtual std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const = 0;
  /// Whether Pack takes constant input i over: its plain form is then not kept, and Run gets null for it.
  virtual bool PacksInput(const StepProblem&, size_t) const { return false; }
  /// The packed constants (weights, bias), with problem.inputs[i].constant set.
  virtual std::vector<std::byte> Pack(const StepProblem&, const std::string&, const CpuDevice&) const { return {}; }
  /// The inverse: constant input i (in the precision that was packed) from the packed bytes.
  virtual Tensor Unpack(const StepProblem&, const std::string&, const CpuDevice&, std::span<const std::byte>,
                        size_t) const {
    return {};
  }
  /// Throws Error when `tactic` is no text of this family's (a damaged plan).
  virtual std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                         const CpuDevice& device) const = 0;
};

}  // namespace tenon
