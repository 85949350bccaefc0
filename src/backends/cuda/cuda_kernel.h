#pragma once
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/cuda_device.h"
#include "backends/cuda/kernel_source.h"
#include "backends/kernel.h"

namespace tenon {

/// What an 8-byte word of a kernel's parameter struct points to.
struct KernelPointer {
  enum class Memory : uint8_t {
    kNull,
    kInput,    ///< the step's input `index`
    kOutput,   ///< the step's output `index`
    kPacked,   ///< the step's packed constants
    kScratch,  ///< the context's scratch memory
  };
  Memory memory = Memory::kNull;
  int index = 0;
  int64_t offset_bytes = 0;

  static KernelPointer Input(size_t i) { return {Memory::kInput, static_cast<int>(i)}; }
  static KernelPointer Output(size_t i) { return {Memory::kOutput, static_cast<int>(i)}; }
  static KernelPointer Packed(int64_t offset_bytes = 0) { return {Memory::kPacked, 0, offset_bytes}; }
  static KernelPointer Scratch(int64_t offset_bytes = 0) { return {Memory::kScratch, 0, offset_bytes}; }
};

/// Where the memory of a step lies: 0 where there is none.
struct StepAddresses {
  std::vector<cuda::DevicePtr> inputs, outputs;
  cuda::DevicePtr packed = 0, scratch = 0;
};

/// What a kernel's parameter struct holds for these pointers; 0 for those to memory that isn't there.
std::vector<cuda::DevicePtr> ArgumentsOf(const std::vector<KernelPointer>& pointers, const StepAddresses& addresses);

/// A kernel and its launch. The kernel's one parameter is a struct of pointers, these. It waits for its predecessors
/// itself (ptx::WaitForProducers) before it touches anything but packed constants, and lets its successors start early.
struct KernelLaunch {
  cuda::KernelSource source;
  unsigned grid_x = 1, grid_y = 1, grid_z = 1, threads = 128;
  int shared_bytes = 0;
  std::vector<KernelPointer> pointers;
};

/// A family of the GPU's: says what to launch.
class CudaKernelFamily : public KernelFamilyFor<CudaDevice> {
 public:
  /// The step's launches, in order. Throws Error(kInvalidInput) when `tactic` is no text of this family's.
  virtual std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                          const CudaDevice& device) const = 0;
  using KernelFamilyFor::PackedBytes;
  size_t PackedBytes(const StepProblem&, const std::string&, const CudaDevice&) const override { return 0; }
};

/// All kernel families of the CUDA backend, preferred first. The list is in cuda_family_list.cc.
std::span<const CudaKernelFamily* const> CudaKernelFamilies();
/// Throws Error(kInvalidInput) for a tactic that isn't empty: of a family without parameters.
void CheckNoParameters(std::string_view family, const std::string& tactic);
/// By name; null when there is none.
const CudaKernelFamily* FindCudaKernelFamily(std::string_view name);

}  // namespace tenon
