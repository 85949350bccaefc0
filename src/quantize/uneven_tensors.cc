#include "quantize/uneven_tensors.h"

#include "base/interrupt.h"
#include "quantize/equalize.h"
#include "quantize/quantizable_convs.h"
#include "quantize/sensitivity.h"

namespace tenon {
namespace {

/// The noise of a tensor counts from this share of what is quiet.
constexpr double kLeastShare = 0.1;
/// Factors have to bring the noise of all down to this share.
constexpr double kMostNoiseLeft = 0.8;

/// The noise of all convs in INT8 with factors for the results of some.
double NoiseWithFactors(const Graph& fused, const UnevenChoice& choice, const CalibrationImages& images,
                        const CalibrationImages& noise_images, const Device& device, Progress::Mode progress) {
  const std::unique_ptr<Graph> equalised = fused.Clone();
  EqualizeChannels(*equalised, choice.seen, &choice.convs);
  const StatisticsTable seen = ObserveConvInputs(*equalised, images, device, progress, "equalised").All();
  return NoiseMeter(*equalised, seen, noise_images, device).Measure({.int8 = QuantizableConvNames(*equalised)});
}

}  // namespace

UnevenChoice ChooseUnevenTensors(const Graph& fused, const CalibrationImages& images,
                                 const CalibrationImages& noise_images, const Device& device, double quiet,
                                 Progress::Mode progress) {
  UnevenChoice choice{.seen = ObserveConvInputs(fused, images, device, progress, "channels").All(), .convs = {}};
  const std::vector<UnevenTensor> tensors = FindUnevenTensors(fused, choice.seen);
  if (tensors.empty()) return choice;
  const NoiseMeter meter(fused, choice.seen, noise_images, device);
  QuantizationMemo memo;
  const double noise = meter.Measure({.int8 = QuantizableConvNames(fused), .memo = &memo});
  if (noise <= quiet) return choice;
  Progress bar("uneven channels", "tensors", static_cast<int64_t>(tensors.size()), progress);
  for (const UnevenTensor& tensor : tensors) {
    CheckInterrupt();
    if (meter.Measure({.int8 = tensor.readers, .memo = &memo}) > kLeastShare * quiet) choice.convs.insert(tensor.conv);
    bar.Advance();
  }
  if (!choice.convs.empty() &&
      NoiseWithFactors(fused, choice, images, noise_images, device, progress) > kMostNoiseLeft * noise)
    choice.convs.clear();
  return choice;
}

}  // namespace tenon
