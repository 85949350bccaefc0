#pragma once
#include <memory>

#include "backends/device.h"

namespace tenon {

/// The device that a plan was made for, as far as its packed weights depend on it. Throws Error(kInvalidInput) for a
/// kind that this version doesn't know.
std::shared_ptr<const Device> DeviceOfPlan(const Program& program);

}  // namespace tenon
