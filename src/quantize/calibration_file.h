#pragma once
#include <string>
#include <string_view>

#include "base/hash.h"
#include "ir/graph.h"
#include "quantize/calibrate.h"
#include "quantize/statistics.h"

namespace tenon {

/// What a calibration depends on.
struct CalibrationKey {
  Digest model;               ///< of the source file
  Digest graph;               ///< of the fused float graph's structure: other passes, other tensors
  Digest data;                ///< of the images' bytes, in order
  std::string preprocessing;  ///< in words

  bool operator==(const CalibrationKey&) const = default;
};

CalibrationKey MakeCalibrationKey(const Digest& model, const Graph& fused, const CalibrationImages& images);

/// The contents of a .calib file.
struct Calibration {
  CalibrationKey key;
  SplitStatistics observed;
};

/// Text: a head, then of each half of the images per tensor its range, histogram and channels. Numbers survive the
/// round trip exactly.
std::string PrintCalibration(const Calibration& calibration);

/// Throws Error(kInvalidInput) naming the line for anything that PrintCalibration would not have written; sizes are
/// checked before memory is taken, so that hostile text costs no more memory than its own size.
Calibration ParseCalibration(std::string_view text);

/// What differs between the keys, in words; empty when nothing does.
std::string DescribeDifference(const CalibrationKey& is, const CalibrationKey& should_be);

}  // namespace tenon
