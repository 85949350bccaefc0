#include "cli/device_choice.h"

#include <filesystem>
#include <map>

#include "backends/cpu/cpu_device.h"
#include "backends/cuda/cuda_device.h"
#include "backends/list/backend_list.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/model_source.h"

namespace tenon::cli {
namespace {

std::shared_ptr<const Device> OpenGpu(int ordinal, const GlobalOptions& global) {
  static std::map<std::pair<int, int>, std::shared_ptr<const Device>> opened;  // commands have one thread
  auto& device = opened[{ordinal, global.threads}];
  if (device) return device;
  CudaDevice gpu = CudaDevice::Open(ordinal);
  if (global.threads > 0) gpu.threads = global.threads;
  gpu.cache_folder = (std::filesystem::path(CacheFolder()) / "kernels").string();
  device = gpu.Share();
  return device;
}

/// The first GPU, or null where there is none that Tenon can use.
std::shared_ptr<const Device> FirstGpu(const GlobalOptions& global) {
  static bool is_known_missing = false;
  if (is_known_missing) return nullptr;
  try {
    return OpenGpu(0, global);
  } catch (const Error& error) {
    Log().debug("no GPU: {}", error.what());
    is_known_missing = true;
    return nullptr;
  }
}

}  // namespace

DeviceFlag ParseDeviceFlag(const std::string& flag) {
  using Kind = DeviceFlag::Kind;
  if (flag.empty()) return {};
  if (flag == "cpu") return {Kind::kCpu};
  if (flag == "reference") return {Kind::kReference};
  if (const std::optional<int> ordinal = GpuOrdinal(flag)) return {Kind::kCuda, *ordinal};
  ThrowInvalid(
      {.what = "unknown device", .where = "--device", .got = flag, .expected = "cpu, cuda, cuda:N or reference"});
}

std::shared_ptr<const Device> ChosenCpu(const GlobalOptions& global) {
  CpuDevice device = CpuDevice::Detect();
  if (global.threads > 0) device.threads = global.threads;
  return device.Share();
}

std::shared_ptr<const Device> ChosenDevice(const GlobalOptions& global) {
  const DeviceFlag flag = ParseDeviceFlag(global.device);
  switch (flag.kind) {
    case DeviceFlag::Kind::kCpu:
      return ChosenCpu(global);
    case DeviceFlag::Kind::kCuda:
      try {
        return OpenGpu(flag.ordinal, global);
      } catch (const Error& error) {
        throw Error(error.code(), fmt::format("--device {}: {}", global.device, error.what()));
      }
    case DeviceFlag::Kind::kReference:
      ThrowInvalid({.what = "no engine runs on the reference evaluator",
                    .where = "--device",
                    .got = global.device,
                    .expected = "cpu or cuda",
                    .hint = "tenon run and val take ONNX files with --device reference."});
    case DeviceFlag::Kind::kDefault:
      break;
  }
  const auto gpu = FirstGpu(global);
  return gpu ? gpu : ChosenCpu(global);
}

void PrintDevice(const Device& device) {
  fmt::print(stderr, "device: {}, {}\n", device.Fingerprint(), device.TuningContext());
}

}  // namespace tenon::cli
