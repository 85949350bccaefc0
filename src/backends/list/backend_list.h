#pragma once
#include <memory>
#include <optional>
#include <string>

#include "backends/device.h"

namespace tenon {

/// The device that a plan was made for, as far as its packed weights depend on it. Throws Error(kInvalidInput) for a
/// kind that this version doesn't know.
std::shared_ptr<const Device> DeviceOfPlan(const Program& program);

/// The number of the GPU that "cuda", "cuda:1" or "1" names; nothing for other names.
std::optional<int> GpuOrdinal(const std::string& name);

/// The device of that name on this machine: "cpu", "cuda", "cuda:1", or a GPU's number alone. Throws
/// Error(kInvalidInput) for another name, Error(kUnsupportedDevice) for a GPU that isn't there.
std::shared_ptr<const Device> OpenDevice(const std::string& name);

/// The first GPU; null where there is none that Tenon can use.
std::shared_ptr<const Device> FirstGpu();

}  // namespace tenon
