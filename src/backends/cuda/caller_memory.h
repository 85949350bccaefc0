#pragma once
#include <optional>

#include "backends/cuda/driver.h"

namespace tenon::cuda {

/// The address of a caller's buffer where kernels can use it as it is: memory of this very GPU, aligned as kernels
/// expect tensors to be. Nothing where it has to be copied (host memory, another GPU's).
std::optional<DevicePtr> AddressInPlace(const GpuContext& context, const void* buffer);

/// Throws Error(kInvalidInput) when a run can't be put into the caller's stream: it is of another GPU, or is being
/// recorded into a graph.
void CheckCallerStream(const GpuContext& context, StreamHandle stream);

}  // namespace tenon::cuda
