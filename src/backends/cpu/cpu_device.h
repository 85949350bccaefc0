#pragma once
#include <string>

#include "backends/cpu/cpu_features.h"
#include "backends/device.h"

namespace tenon {

/// A CPU as a device to compile for.
struct CpuDevice final : Device {
  cpu::CpuFeatures features;
  std::string brand;  ///< brand string, family, model, stepping
  int threads = 1;    ///< that a context will run with; tactics are chosen for it

  /// This machine, with all its cores.
  static CpuDevice Detect();
  /// The device that a plan was made for, as far as its packed weights depend on it: the instruction sets in its
  /// fingerprint.
  static CpuDevice OfPlan(const Program& program);

  std::string_view kind() const override { return "cpu"; }
  std::string model() const override { return brand; }
  /// Model and features, not the thread count.
  std::string Fingerprint() const override;
  std::string TuningContext() const override;
  int host_threads() const override { return threads; }
  std::optional<DType> half_type() const override;
  std::string Fp32Obstacle() const override;
  std::string HalfObstacle() const override;
  std::string Int8Obstacle() const override;
  bool converts_images() const override { return false; }
  int64_t cache_bytes() const override { return static_cast<int64_t>(features.l2_bytes); }
  MachinePeaks MeasurePeaks() const override;
  std::span<const KernelFamily* const> families() const override;
  void TimeCandidates(std::vector<TuneTask>& tasks, const TuneSubject& subject,
                      const TimingOptions& options) const override;
  /// Kernels are generated at load: there is no code to add.
  void AddCode(Program&, const std::vector<StepProblem>&) const override {}
  std::shared_ptr<const Device> Share() const override { return std::make_shared<CpuDevice>(*this); }
};

}  // namespace tenon
