#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Regions (a body of pointwise, index and small-reduction ops) and single pointwise ops: one generated kernel each, all
/// of its loop nests in one launch, a thread for one or several neighbouring points. A tactic is the block's threads
/// ("t128"). Operands may have any strides; the body's dense constants are packed.
class RegionFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "region"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::byte> Pack(const StepProblem& problem, const std::string& tactic,
                              const CudaDevice& device) const override;
  using CudaKernelFamily::PackedBytes;
  size_t PackedBytes(const StepProblem& problem, const std::string& tactic, const CudaDevice& device) const override;
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
