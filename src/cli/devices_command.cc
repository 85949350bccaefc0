#include <fmt/format.h>

#include "backends/cpu/cpu_device.h"
#include "cli/command.h"
#include "cli/precisions.h"

namespace tenon::cli {
namespace {

CommandResult Devices() {
  const CpuDevice cpu = CpuDevice::Detect();
  nlohmann::ordered_json precisions = nlohmann::ordered_json::array();
  nlohmann::ordered_json missing = nlohmann::ordered_json::object();
  for (const PrecisionSupport& precision : PrecisionsOf(cpu)) {
    if (precision.native) precisions.push_back(precision.name);
    if (!precision.missing.empty()) missing[precision.name] = precision.missing;
  }

  CommandResult result;
  result.json["devices"] = {{{"name", "cpu"},
                             {"fingerprint", cpu.Fingerprint()},
                             {"model", cpu.brand},
                             {"features", cpu.features.ToString()},
                             {"threads", cpu.threads},
                             {"precisions", precisions},
                             {"missing", missing}}};
  result.json["cuda"] = {{"available", false}, {"reason", "no GPU support in this release"}};
  result.text =
      fmt::format("cpu        {}\n           {} threads, {}\n", cpu.brand, cpu.threads, cpu.features.ToString());
  result.text += "           natively: " + std::string(cpu.features.avx512_bf16 ? "fp32, half (BF16)" : "fp32") + "\n";
  for (const auto& [precision, reason] : missing.items())
    result.text += fmt::format("           {} lacks: {}\n", precision, reason.get<std::string>());
  result.text += "cuda       no GPU support in this release\nreference  the definition of right, slow; any machine\n";
  return result;
}

}  // namespace

void AddDevices(CLI::App& app, CommandBody& body) {
  CLI::App* command = app.add_subcommand("devices", "this machine's devices and what they compute natively");
  command->callback([&body] { body = [](const GlobalOptions&) { return Devices(); }; });
}

}  // namespace tenon::cli
