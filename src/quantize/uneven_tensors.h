#pragma once
#include <set>
#include <string>

#include "backends/device.h"
#include "ir/graph.h"
#include "quantize/calibrate.h"

namespace tenon {

/// Which tensors of a model are worth factors (EqualizeChannels), found by measuring.
struct UnevenChoice {
  StatisticsTable seen;         ///< of the images that it was found on
  std::set<std::string> convs;  ///< that make the tensors; empty: none is
};

/// Factors cost time in the epilogue, and what they gain for one tensor can be lost in another that shares its range.
/// So only tensors get them that make a part of the noise that counts, and only where the noise of all convs in INT8
/// becomes less by it. A model that is quiet as it is, is not looked at further.
/// @param images that ranges are observed on @param noise_images that noise is measured on
/// @param quiet noise in the final tensors (NoiseMeter) that nothing needs to be done about
UnevenChoice ChooseUnevenTensors(const Graph& fused, const CalibrationImages& images,
                                 const CalibrationImages& noise_images, const Device& device, double quiet,
                                 Progress::Mode progress);

}  // namespace tenon
