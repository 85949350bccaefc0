#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/cuda_device.h"
#include "backends/cuda/kernel_source.h"

namespace tenon {
namespace {

using cuda::DevicePtr;

/// As kernels/peaks.cu numbers them; kNothing returns at once.
enum What { kFp32 = 0, kHalf = 1, kInt8 = 2, kCopy = 3, kNothing = 4 };

constexpr int kThreads = 256, kSteps = 4096, kChains = 8, kLaunches = 10, kAttempts = 5;

class PeakMeter {
 public:
  explicit PeakMeter(const CudaDevice& device)
      : device_(device), driver_(device.gpu().driver()), stream_(driver_), begin_(driver_), end_(driver_) {}

  /// Microseconds of one launch, the best of some.
  double Us(What what, unsigned blocks, int64_t words, DevicePtr from, DevicePtr to) {
    const cuda::KernelSource source{
        .entry = "peaks_kernel",
        .text = fmt::format("namespace peaks {{\nconstexpr int kWhat = {}, kSteps = {};\nconstexpr long long kWords = {};\n}}\n"
                            "#include \"peaks.cu\"\n",
                            static_cast<int>(what), kSteps, words)};
    const cuda::Cubin cubin = cuda::Nvrtc::Get().Compile(source, device_.compile_options());
    const cuda::GpuKernel kernel(driver_, cubin.code, source.entry, 0);
    struct {
      DevicePtr from, to;
    } arguments{from, to};
    const cuda::Graph graph(driver_, stream_, [&] {
      for (int i = 0; i < kLaunches; ++i)
        stream_.Launch(kernel, {.grid_x = blocks, .block_x = kThreads},
                       i == 0 ? cuda::LaunchOrder::kSerial : cuda::LaunchOrder::kProgrammatic, &arguments);
    });
    double best = 1e12;
    for (int attempt = 0; attempt <= kAttempts; ++attempt) {  // the first one warms up
      begin_.Record(stream_);
      graph.Launch(stream_);
      end_.Record(stream_);
      const double us = end_.MicrosecondsSince(begin_) / kLaunches;
      if (attempt > 0) best = std::min(best, us);
    }
    return best;
  }

  double OpsPerSecond(What what, double ops_per_step, const cuda::DeviceBuffer& sink) {
    const auto blocks = static_cast<unsigned>(8 * device_.limits.multiprocessors);
    const double warps = static_cast<double>(blocks) * kThreads / 32;
    return warps * ops_per_step * kSteps * kChains / Us(what, blocks, 0, sink.address(), sink.address()) * 1e6;
  }

  double BytesPerSecond(int64_t bytes) {
    const cuda::DeviceBuffer from(driver_, static_cast<size_t>(bytes), "a block to copy"),
        to(driver_, static_cast<size_t>(bytes), "a copy");
    from.Fill(1);
    const auto blocks = static_cast<unsigned>(16 * device_.limits.multiprocessors);
    return 2.0 * static_cast<double>(bytes) / Us(kCopy, blocks, bytes / 16, from.address(), to.address()) * 1e6;
  }

 private:
  const CudaDevice& device_;
  const cuda::Driver& driver_;
  cuda::Stream stream_;
  cuda::Event begin_, end_;
};

}  // namespace

MachinePeaks CudaDevice::MeasurePeaks() const {
  gpu().Use();
  PeakMeter meter(*this);
  const cuda::DeviceBuffer sink(gpu().driver(), 256, "a result");
  MachinePeaks peaks;
  peaks.fp32_ops = meter.OpsPerSecond(kFp32, 32 * 2, sink);
  peaks.half_ops = meter.OpsPerSecond(kHalf, 2 * 16 * 8 * 16, sink);
  peaks.int8_ops = meter.OpsPerSecond(kInt8, 2 * 16 * 8 * 32, sink);
  peaks.memory_bytes = meter.BytesPerSecond(std::min<int64_t>(int64_t{512} << 20, memory_bytes / 16));
  peaks.cache_bytes = meter.BytesPerSecond(l2_bytes / 8);
  peaks.launch_us = meter.Us(kNothing, 1, 0, sink.address(), sink.address());
  return peaks;
}

}  // namespace tenon
