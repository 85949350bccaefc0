#pragma once
#include <memory>
#include <string>

#include "backends/device.h"
#include "cli/command.h"

namespace tenon::cli {

/// --device, read. Throws Error(kInvalidInput) for what is none.
struct DeviceFlag {
  enum class Kind { kDefault, kCpu, kCuda, kReference } kind = Kind::kDefault;
  int ordinal = 0;  ///< of a GPU
};
DeviceFlag ParseDeviceFlag(const std::string& flag);

/// The device that --device says, with the threads that were asked for; by default a GPU where a usable one is, else the
/// CPU. Opened once. Throws Error(kUnsupportedDevice) for a GPU that isn't there, Error(kInvalidInput) for the reference,
/// which no engine is built for.
std::shared_ptr<const Device> ChosenDevice(const GlobalOptions& global);
/// The CPU, with the threads that were asked for.
std::shared_ptr<const Device> ChosenCpu(const GlobalOptions& global);
/// Its line on stderr.
void PrintDevice(const Device& device);

}  // namespace tenon::cli
