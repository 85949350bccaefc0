#include <fmt/format.h>

#include "backends/cpu/cpu_device.h"
#include "backends/cuda/cuda_device.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/precisions.h"

namespace tenon::cli {
namespace {

/// A device as both outputs show it.
void AddDevice(CommandResult& result, const std::string& flag, const Device& device, const std::string& details) {
  nlohmann::ordered_json precisions = nlohmann::ordered_json::array();
  nlohmann::ordered_json missing = nlohmann::ordered_json::object();
  std::string natively;
  for (const PrecisionSupport& precision : PrecisionsOf(device)) {
    if (precision.native) precisions.push_back(precision.name);
    if (!precision.missing.empty()) missing[precision.name] = precision.missing;
    if (precision.native) natively += (natively.empty() ? "" : ", ") + precision.name;
  }
  const std::string half = device.half_type() == DType::kFloat16 ? "FP16" : "BF16";
  result.json["devices"].push_back({{"name", flag},
                                    {"fingerprint", device.Fingerprint()},
                                    {"model", device.model()},
                                    {"details", details},
                                    {"threads", device.host_threads()},
                                    {"precisions", precisions},
                                    {"half_type", device.half_type() ? nlohmann::ordered_json(half) : nlohmann::ordered_json()},
                                    {"missing", missing}});
  result.text += fmt::format("{:<10} {}\n           {}\n           natively: {}{}\n", flag, device.model(), details, natively,
                             device.half_type() ? fmt::format(" (half is {})", half) : "");
  for (const auto& [precision, reason] : missing.items())
    result.text += fmt::format("           {} lacks: {}\n", precision, reason.get<std::string>());
}

void AddCpu(CommandResult& result) {
  const CpuDevice cpu = CpuDevice::Detect();
  AddDevice(result, "cpu", cpu, fmt::format("{} threads, {}", cpu.threads, cpu.features.ToString()));
  result.json["devices"].back()["features"] = cpu.features.ToString();
}

/// Every GPU, or why there is none; what builds need beside the driver.
void AddGpus(CommandResult& result) {
  try {
    const cuda::Driver& driver = cuda::Driver::Get();
    const std::vector<cuda::GpuInfo> gpus = driver.Gpus();
    if (gpus.empty()) ThrowUnsupported({.what = "the driver sees no GPU"});
    for (const cuda::GpuInfo& gpu : gpus) {
      const CudaDevice device = CudaDevice::Open(gpu.ordinal);
      AddDevice(result, fmt::format("cuda:{}", gpu.ordinal), device,
                fmt::format("compute capability {}.{}, {} multiprocessors, {:.1f} GiB, {} MiB of L2, {}",
                            gpu.capability / 10, gpu.capability % 10, gpu.multiprocessors,
                            static_cast<double>(gpu.memory_bytes) / (1 << 30), gpu.l2_bytes >> 20,
                            device.TuningContext()));
    }
    result.json["cuda"] = {{"available", true}, {"driver", cuda::VersionText(driver.version())}};
  } catch (const Error& error) {
    result.json["cuda"] = {{"available", false}, {"reason", error.what()}};
    result.text += fmt::format("cuda       {}\n", error.what());
  }
  const int nvrtc = CudaDevice::NvrtcVersion();
  result.json["cuda"]["nvrtc"] = nvrtc == 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(cuda::VersionText(nvrtc));
  if (nvrtc == 0 && result.json["cuda"]["available"] == true)
    result.text += "           NVRTC is missing: engines run, but none can be built for the GPU\n";
}

CommandResult Devices() {
  CommandResult result;
  result.json["devices"] = nlohmann::ordered_json::array();
  AddCpu(result);
  AddGpus(result);
  result.text += "reference  the definition of right, slow; any machine\n";
  return result;
}

}  // namespace

void AddDevices(CLI::App& app, CommandBody& body) {
  CLI::App* command = app.add_subcommand("devices", "this machine's devices and what they compute natively");
  command->callback([&body] { body = [](const GlobalOptions&) { return Devices(); }; });
}

}  // namespace tenon::cli
