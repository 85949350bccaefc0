#pragma once
#include "backends/cpu/aligned_buffer.h"
#include "backends/cpu/cpu_device.h"
#include "backends/kernel.h"

namespace tenon {

/// Addresses for one run, parallel to StepProblem's operands; null for absent operands and for packed constants.
struct KernelArgs {
  const std::byte* const* inputs = nullptr;
  std::byte* const* outputs = nullptr;
  const std::byte* packed = nullptr;  ///< what KernelFamily::Pack made, or Expand of that; 64-byte aligned
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

/// A family of the CPU's: makes kernels in this process.
class CpuKernelFamily : public KernelFamilyFor<CpuDevice> {
 public:
  /// Throws Error when `tactic` is no text of this family's (a damaged plan).
  virtual std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                         const CpuDevice& device) const = 0;
  /// What the kernels of a step read in place of its packed constants, whatever their tactic: made when a program is
  /// loaded. Empty: the packed constants as they are. `packed` has at least PackedBytes.
  virtual AlignedBuffer Expand(const StepProblem&, const CpuDevice&, std::span<const std::byte>) const { return {}; }
  using KernelFamilyFor::PackedBytes;
  size_t PackedBytes(const StepProblem& problem, const std::string& tactic, const CpuDevice& device) const override {
    return Create(problem, tactic, device)->packed_bytes();
  }
};

}  // namespace tenon
