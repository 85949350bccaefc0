#pragma once
#include <set>
#include <string>

#include "base/memo.h"
#include "quantize/calibrator.h"
#include "quantize/statistics.h"
#include "quantize/weights.h"

namespace tenon {

class Graph;

/// Scales and weights that were chosen for one table of statistics: choosing them takes longer than running the model.
struct QuantizationMemo {
  Memo<AffineScale> scales;        ///< by calibrator and tensors
  Memo<QuantizedWeights> weights;  ///< by conv, rounded to nearest
};

struct InsertOptions {
  Calibrator calibrator = Calibrator::kMse;
  /// Names of the convs that compute in INT8.
  std::set<std::string> int8;
  /// Weights that were rounded together; those of convs that it doesn't hold are rounded to nearest.
  const WeightTable* weights = nullptr;
  /// Of these statistics; null: nothing is remembered.
  QuantizationMemo* memo = nullptr;
};

/// All options as text: what depends on them is remembered under it.
std::string KeyOf(const InsertOptions& options);

/// Puts Q and DQ into a fused float graph: around every tensor that an INT8 conv reads, before the ops that only move
/// it, with one scale for tensors that meet in a Concat, and DQ on the convs' weights, quantised per output channel.
/// Biases take up what the rounding of the weights adds on average. All readers of such a tensor read the 8 bits.
/// `statistics` must hold the input of every conv of `int8`, by value name.
void InsertQuantization(Graph& graph, const InsertOptions& options, const StatisticsTable& statistics);

}  // namespace tenon
