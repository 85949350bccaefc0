#include "backends/cuda/cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <thread>

#include "backends/cuda/cuda_kernel.h"
#include "backends/cuda/image_placer.h"
#include "base/error.h"

namespace tenon {

namespace {
constexpr int kOldestCapability = 75;
}  // namespace

CudaDevice CudaDevice::Open(int ordinal) {
  CudaDevice device;
  device.context = std::make_shared<cuda::GpuContext>(cuda::Driver::Get(), ordinal);
  const cuda::GpuInfo& gpu = device.context->gpu();
  if (gpu.capability < kOldestCapability)
    ThrowUnsupported({.what = "the GPU is too old",
                      .where = fmt::format("cuda:{}", ordinal),
                      .got = fmt::format("{}, compute capability {}.{}", gpu.name, gpu.capability / 10, gpu.capability % 10),
                      .expected = "7.5 or newer",
                      .hint = "Use --device cpu."});
  device.name = gpu.name;
  device.limits = {.capability = gpu.capability,
                   .multiprocessors = gpu.multiprocessors,
                   .shared_bytes_per_block = gpu.shared_bytes_per_block,
                   .shared_bytes_per_multiprocessor = gpu.shared_bytes_per_multiprocessor};
  device.memory_bytes = gpu.memory_bytes;
  device.l2_bytes = gpu.l2_bytes;
  device.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return device;
}

CudaDevice CudaDevice::OfPlan(const Program& program) {
  CudaDevice device;
  const std::string& text = program.fingerprint;
  const size_t at = text.rfind("sm_");
  if (at != std::string::npos) std::from_chars(text.data() + at + 3, text.data() + text.size(), device.limits.capability);
  // Packing depends on the kernel alone: any tile that was chosen there fits here.
  device.limits.shared_bytes_per_block = device.limits.shared_bytes_per_multiprocessor = 1 << 20;
  return device;
}

std::string CudaDevice::Fingerprint() const {
  return fmt::format("cuda: {} [sm_{}, {} multiprocessors]", name, limits.capability, limits.multiprocessors);
}

std::string CudaDevice::TuningContext() const {
  const int driver = context ? context->driver().version() : 0;
  return fmt::format("driver for CUDA {}, NVRTC {}", cuda::VersionText(driver), cuda::VersionText(NvrtcVersion()));
}

std::span<const KernelFamily* const> CudaDevice::families() const {
  static const std::vector<const KernelFamily*> families(CudaKernelFamilies().begin(), CudaKernelFamilies().end());
  return families;
}

const cuda::GpuContext& CudaDevice::gpu() const {
  if (context) return *context;
  ThrowUnsupported({.what = "no such GPU on this machine", .got = Fingerprint()});
}

std::optional<int64_t> CudaDevice::FreeMemoryBytes() const {
  const cuda::CurrentContext current(gpu());
  size_t free = 0, total = 0;
  context->driver().Check(context->driver().api().memory_info(&free, &total), "say its free memory");
  return static_cast<int64_t>(free);
}

int CudaDevice::NvrtcVersion() {
  try {
    return cuda::Nvrtc::Get().version();
  } catch (const Error&) {  // running needs none
    return 0;
  }
}

void CudaDevice::AddCode(Program& program, const std::vector<StepProblem>& problems) const {
  std::vector<cuda::KernelSource> sources;
  std::vector<Digest> digests;
  std::set<Digest> seen;
  const auto add = [&](cuda::KernelSource source) {
    const Digest digest = cuda::SourceDigest(source);
    if (!seen.insert(digest).second) return;
    digests.push_back(digest);
    sources.push_back(std::move(source));
  };
  for (size_t i = 0; i < problems.size(); ++i) {
    const ProgramStep& step = program.steps[i];
    for (KernelLaunch& launch : FindCudaKernelFamily(step.family)->Lower(problems[i], step.tactic, *this))
      add(std::move(launch.source));
  }
  if (ReadsImages(program)) add(LetterboxSource());
  if (sources.empty()) return;
  const std::vector<cuda::Cubin> cubins = cuda::Nvrtc::Get().CompileAll(sources, compile_options(), threads);
  for (size_t i = 0; i < cubins.size(); ++i) program.code.push_back({digests[i], Blob::Copy(cubins[i].code)});
}

}  // namespace tenon
