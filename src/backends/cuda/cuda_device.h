#pragma once
#include <memory>
#include <string>

#include "backends/cuda/conv_tactic.h"
#include "backends/cuda/driver.h"
#include "backends/cuda/nvrtc.h"
#include "backends/device.h"

namespace tenon {

/// An NVIDIA GPU as a device to compile for and run on. One that describes the maker of a plan has no context.
struct CudaDevice : Device {
  std::string name;  ///< as the driver calls it
  cuda::DeviceLimits limits;
  int64_t memory_bytes = 0, l2_bytes = 0;
  int threads = 1;           ///< of the host: compilers, images
  std::string cache_folder;  ///< of compiled kernels; empty: none
  std::shared_ptr<const cuda::GpuContext> context;

  /// The GPU with this number. Throws Error(kUnsupportedDevice) where there is no driver or no such GPU, or when it is
  /// older than compute capability 7.5.
  static CudaDevice Open(int ordinal);
  /// The device that a plan was made for, as far as its packed weights depend on it.
  static CudaDevice OfPlan(const Program& program);

  std::string_view kind() const override { return "cuda"; }
  std::string model() const override { return name; }
  /// Name, architecture and multiprocessors: code and tactics are for exactly these.
  std::string Fingerprint() const override;
  /// Versions of driver and compiler.
  std::string TuningContext() const override;
  int host_threads() const override { return threads; }
  std::optional<DType> half_type() const override { return DType::kFloat16; }
  /// BF16 from Ampere on, in engines whose half is a CPU's.
  bool Computes(DType dtype) const override {
    return Device::Computes(dtype) || (dtype == DType::kBFloat16 && limits.capability >= 80);
  }
  std::string Fp32Obstacle() const override { return ""; }
  std::string HalfObstacle() const override { return ""; }
  std::string Int8Obstacle() const override { return ""; }
  bool converts_images() const override { return true; }
  bool runs_steps_side_by_side() const override { return true; }
  int64_t cache_bytes() const override { return l2_bytes; }
  std::optional<int64_t> FreeMemoryBytes() const override;
  MachinePeaks MeasurePeaks() const override;
  std::span<const KernelFamily* const> families() const override;
  void TimeCandidates(std::vector<TuneTask>& tasks, const TuneSubject& subject,
                      const TimingOptions& options) const override;
  /// Compiles the steps' kernels, in parallel and through the cache.
  void AddCode(Program& program, const std::vector<StepProblem>& problems) const override;
  std::shared_ptr<const Device> Share() const override { return std::make_shared<CudaDevice>(*this); }

  /// Of this machine's compiler; 0 where there is none.
  static int NvrtcVersion();
  /// Throws Error(kUnsupportedDevice) for a description without a context.
  const cuda::GpuContext& gpu() const;
  cuda::CompileOptions compile_options() const {
    return {.capability = limits.capability, .cache_folder = cache_folder};
  }
};

}  // namespace tenon
