#include "backends/list/backend_list.h"

#include <charconv>

#include "backends/cpu/cpu_device.h"
#include "backends/cuda/cuda_device.h"
#include "base/error.h"

namespace tenon {

std::shared_ptr<const Device> DeviceOfPlan(const Program& program) {
  if (program.device == "cpu") return CpuDevice::OfPlan(program).Share();
  if (program.device == "cuda") return CudaDevice::OfPlan(program).Share();
  ThrowInvalid({.what = "a plan for a kind of device that this version of Tenon doesn't know", .got = program.device});
}

std::optional<int> GpuOrdinal(const std::string& name) {
  if (name == "cuda") return 0;
  const std::string number = name.starts_with("cuda:") ? name.substr(5) : name;
  int ordinal = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), ordinal);
  const bool is_number = error == std::errc() && end == number.data() + number.size() && ordinal >= 0;
  return is_number ? std::optional(ordinal) : std::nullopt;
}

std::shared_ptr<const Device> OpenDevice(const std::string& name) {
  if (name == "cpu") return CpuDevice::Detect().Share();
  const std::optional<int> ordinal = GpuOrdinal(name);
  if (!ordinal) ThrowInvalid({.what = "unknown device", .got = name, .expected = "cpu, cuda or cuda:N"});
  return CudaDevice::Open(*ordinal).Share();
}

std::shared_ptr<const Device> FirstGpu() {
  try {
    return CudaDevice::Open(0).Share();
  } catch (const Error&) {  // no driver, no GPU, or one that is too old
    return nullptr;
  }
}

}  // namespace tenon
