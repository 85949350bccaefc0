#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/device.h"
#include "engine/program.h"
#include "ir/graph.h"
#include "verify/accuracy.h"
#include "verify/check.h"
#include "verify/latency.h"

// The checks of the verification matrix, each in a file of its own. Accuracy is in points: 100 times a metric.
namespace tenon {

/// Engine and source on the same images.
struct AccuracyPair {
  const Dataset& dataset;
  const Accuracy& engine;
  const Accuracy& source;
};

/// "map": mAP50-95 of the engine at most `max_drop` points below the source's; a rise passes. `detail` and "interval"
/// give the 95% bootstrap interval of the drop, and say when it is wider than half a point to a side: then the images
/// are too few to tell that much, and the judgement is on what they show. Not judged without labels.
Check CheckMap(const AccuracyPair& pair, double max_drop);

/// "top_class_ap": the same of one class's AP50-95, the one with the most labels unless `top_class` names another.
/// Throws Error(kInvalidInput) when the data set has no such class.
Check CheckTopClass(const AccuracyPair& pair, const std::string& top_class, double max_drop);

/// The number of the class of this name. Throws Error(kInvalidInput) when the data set has none.
int ClassNumber(const Dataset& dataset, const std::string& name);

/// "confidence": at confidence 0.25 (where predict stands), F1 at IoU 0.5 over all boxes at most 1 point below the
/// source's, and the mean score of the boxes that match a label within 0.02 of the source's: mAP looks at the order of
/// scores alone and hides their collapse. Not judged when either side matches no label.
Check CheckConfidence(const AccuracyPair& pair);

/// "precision_as_asked": the plan's precision is `asked` ("fp32", "half", "int8"), and so is that of every convolution,
/// matrix product and attention, but for those with a recorded reason. `value`: their share of FLOPs in that precision.
/// @param warnings of the build, as EngineModel::reports["warnings"] holds them: "NODE (OP) stays in FP32: REASON"
Check CheckPrecision(const Program& plan, const std::string& asked, const std::string& warnings);

/// The source's graph after all passes.
struct SourceGraphs {
  const Graph& as_built;  ///< in the precision of the plan's float steps
  const Graph& fp32;      ///< in FP32: what calibration made INT8 steps of
};

/// "weights": every constant of every step equals the one of the source's fused graph, to the rounding of its type; of
/// a convolution that calibration put into INT8, to what 8 bits and the correction of its bias explain (Int8Deviation).
/// A layer that was scaled by 1.05, or altered anywhere by more than rounding, fails although mAP may not show it.
/// `value`: the largest difference over what rounding explains. Steps are found by name. Not judged when a step with
/// constants can't be compared: engines built by another version of Tenon.
Check CheckWeights(const Program& plan, const Device& device, const SourceGraphs& source);

/// An input tensor of the engine that holds the image in every place of the batch.
Tensor BatchOf(const LoadedImage& image, const TensorInfo& input);

/// Runs an engine elsewhere, on one input; the outputs in its order.
using OtherProcess = std::function<std::vector<Tensor>(const Tensor& input)>;

/// "determinism": the same image twice in one context (another one between), in two contexts at once, and in another
/// process gives identical bytes. `value`: outputs that differ.
/// @param threads of each context; 0: all cores
Check CheckDeterminism(const Engine& engine, const Tensor& image, int threads, const OtherProcess& other_process);

struct LatencyCheckOptions {
  std::optional<double> p95_ms;  ///< the budget
  LatencyOptions latency;
  int threads = 0;
};

/// "p95_latency": the 95th percentile of one run of the engine (engine only) within the budget; not judged without one.
/// Measured in turns with the whole way from image file to boxes (decoding, letterbox, run, NMS at predict's defaults),
/// which is printed beside it and not judged: it depends on the size of the user's images.
/// @param images files to go through, readable ones
Check CheckLatency(Detector& detector, std::span<const std::string> images, const LatencyCheckOptions& options);

/// "not_slower_than_half": judged for INT8 engines alone: its median is at most that of the same model in half (with 2%
/// for noise), both measured in turns. @param half null where the device has none
Check CheckNotSlower(const Engine& engine, const Engine* half, const LatencyCheckOptions& options);

}  // namespace tenon
