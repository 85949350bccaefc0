#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/conv_source.h"
#include "backends/cuda/driver.h"
#include "backends/cuda/nvrtc.h"

namespace tenon::cuda {

/// GPU, compiler and the reference kernels, for all cases of a run.
struct GpuLab {
  explicit GpuLab(std::string cache_folder);

  DeviceLimits limits() const;

  GpuContext context;
  const Nvrtc& nvrtc;
  CompileOptions options;
  Stream stream;
  GpuKernel check, fill;
};

/// A convolution with random operands on the GPU. Every view lies with pads around it in a buffer of its own.
class ConvRunner {
 public:
  ConvRunner(GpuLab& lab, const ConvProblem& problem);

  const ConvProblem& problem() const { return problem_; }
  /// As kernels take it.
  const ConvProblem& flat() const { return flat_; }

  /// A compiled tactic, ready to launch.
  struct Step {
    GpuKernel kernel;
    LaunchShape shape;
    DevicePtr packed;
  };
  Step Prepare(const ConvTactic& tactic, const Cubin& cubin);
  void Launch(const Step& step, LaunchOrder order);

  /// Poisons the outputs, runs the step twice, and compares. Empty when everything is right: elements against the
  /// reference, bytes around the views untouched, the same bytes twice and as every other step that sums in the same order.
  std::string Check(const Step& step, const ConvTactic& tactic);
  /// The first of that alone: for large outputs.
  std::string CheckValues(const Step& step);
  /// Median over `replays` of a graph of `launches` launches, in us a launch.
  double TimeUs(const Step& step, LaunchOrder order, int launches, int replays);

  float worst_ratio() const { return worst_ratio_; }
  unsigned off_by_one() const { return off_by_one_; }

 private:
  struct Arguments {
    DevicePtr input, packed, residual, targets[kMaxStoreTargets];
  };
  DeviceBuffer MakeBuffer(const View& view, int64_t n, int64_t h, int64_t w, int64_t c);
  void FillRandom(const DeviceBuffer& buffer, DType dtype, unsigned seed);
  void MakeWeights();
  void RunPoisoned(const Step& step);
  std::vector<std::byte> RunOnce(const Step& step);
  std::string Compare();
  bool IsPoisonKept(std::span<const std::byte> bytes) const;

  GpuLab& lab_;
  ConvProblem problem_, flat_;
  std::vector<float> weights_, bias_, scales_;
  std::vector<DeviceBuffer> buffers_, outputs_;
  std::map<ConvKernel, std::unique_ptr<DeviceBuffer>> packed_;
  DevicePtr weights_address_ = 0, bias_address_ = 0, scales_address_ = 0;
  Arguments arguments_ = {};
  std::map<std::pair<ConvKernel, int>, std::string> digests_;  ///< by what the order of the sums depends on
  float worst_ratio_ = 0;
  unsigned off_by_one_ = 0;
};

/// Bytes in front of every view's first element (poisoned, as those behind it).
inline constexpr int64_t kGuardBytes = 256;

/// A dense channels-last view of h x w x c elements, `channels` of them in memory a pixel.
View ChannelsLast(DType dtype, int64_t h, int64_t w, int64_t channels);

}  // namespace tenon::cuda
