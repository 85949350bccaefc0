#pragma once
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/device.h"
#include "base/progress.h"
#include "compile/tuner.h"
#include "evaluate/bootstrap.h"
#include "ir/graph.h"
#include "passes/pass.h"
#include "vision/dataset.h"
#include "vision/detect.h"

namespace tenon {

/// What labelled images say of an INT8 model; mAP50-95 in points.
struct Verdict {
  double map_float = 0, map_int8 = 0;
  Interval drop;  ///< 95%, by bootstrap over the images

  /// The drop that these images and the noise let one expect together, each weighed by how well it tells: over ten
  /// choices of convs in five models the drop on 511 images was 0.15 + 15 times the noise, give or take 0.2 points, and
  /// much noise tells less (on yolo26n 0.03 and 0.12 went with the same mAP).
  double ExpectedDrop(double noise) const;
  /// The drop is over the budget and more than the standard error of what so many images tell, or what is expected is.
  /// @param noise in the final tensors (NoiseMeter)
  bool Rejects(double map_drop, double noise) const;
  double StandardError() const { return (drop.high - drop.low) / (2 * 1.96); }
};

/// Judges INT8 models on the images that they are calibrated with, without a model seeing its own: images at even
/// places of the list are judged with the model that was calibrated on those at odd ones, and the other way round.
class Judge {
 public:
  /// By sample; nothing where the image could not be read.
  using Scored = std::vector<std::optional<ScoredImage>>;
  /// @param data the calibration images, in their order; must outlive the judge
  /// @param precision of what isn't in INT8
  /// @param own_rounding as the model will be compiled, integers' sake aside
  Judge(const Graph& fused, const Dataset& data, const Head& head, const Device& device, Precision precision,
        OwnRounding own_rounding, Progress::Mode mode);

  /// There are labels, of as many classes as the model has.
  bool CanJudge() const { return can_judge_; }
  /// One image as the float model's outputs show it; images that are not shown are run when they are needed.
  void ShowFloat(std::span<const TensorView> outputs, int64_t place, size_t sample, const LetterboxPlan& plan);
  /// Detections of the float model that an earlier judge of the same images had; empty: none.
  void TakeFloat(Scored detections);
  /// Those that this judge has; empty before the first are shown or asked for.
  Scored FloatDetections() const { return shown_ > 0 ? float_ : Scored(); }
  /// @param quantized graphs with Q and DQ, calibrated on the images at even and at odd places
  Verdict Ask(std::array<std::unique_ptr<Graph>, 2> quantized);

 private:
  void Keep(Scored& scored, size_t sample, const LetterboxPlan& plan, std::vector<Detection> detections) const;
  void RunHalf(std::unique_ptr<Graph> graph, Precision precision, size_t half, Scored& scored) const;
  DetectOptions Options() const;

  const Graph& fused_;
  const Dataset& data_;
  const Head head_;
  const std::shared_ptr<const Device> device_;
  const Precision precision_;
  const OwnRounding own_rounding_;
  const Progress::Mode mode_;
  bool can_judge_;
  Scored float_;
  size_t shown_ = 0;  ///< samples of float_ that are there
};

}  // namespace tenon
