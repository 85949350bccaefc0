#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compile/compiler.h"
#include "quantize/calibrator.h"
#include "quantize/weight_rounding.h"
#include "vision/dataset.h"

namespace tenon {

struct Int8Findings;

/// The names under which an engine keeps how its INT8 was chosen (EngineModel::reports): in words, and as JSON
/// (docs/cli.md).
inline constexpr char kInt8Text[] = "int8", kInt8Report[] = "int8_json";

struct Int8BuildOptions {
  Dataset images;              ///< to calibrate on, and where they have labels to judge with
  std::optional<Dataset> val;  ///< what the model is meant for: drift is measured against it
  Calibrator calibrator = Calibrator::kMse;
  WeightRounding weight_rounding = WeightRounding::kNearest;
  bool equalise = false;   ///< factors per channel before stores in 8 bits (quantize/equalize.h); CPUs alone
  double map_drop = 0.5;   ///< points of mAP50-95 that INT8 may cost
  std::string head;        ///< how the outputs spell boxes (ParseHeadFlag); empty: recognised
  std::string calib_file;  ///< where the calibration is kept and found again
  CompileOptions compile;  ///< but for the precision: what INT8 doesn't take is in half where the CPU has it
  Progress::Mode progress = Progress::Mode::kShow;
  /// Of earlier builds of the same model; null: each build measures everything itself.
  std::shared_ptr<Int8Findings> findings;
};

/// A model with the Q and DQ of what is to compute in INT8, and how that was chosen.
struct QuantizedModel {
  std::unique_ptr<Graph> graph;  ///< the fused float graph with Q and DQ
  std::string report, json;      ///< the same in words and as JSON
  std::vector<std::string> warnings;
};

/// Calibrates an imported model, chooses what computes in INT8 (ChooseAssignment) and inserts Q and DQ. Throws
/// Error(kInvalidInput) for models that can't be calibrated.
/// @param model as imported, before any pass
QuantizedModel QuantizeInt8(std::unique_ptr<Graph> model, const Device& device, const Int8BuildOptions& options,
                            TimingCache& cache);

/// The noise of all convs in INT8 (NoiseMeter::Measure): what the ranges of a calibrator are worth, without a search.
double NoiseOfAllInt8(std::unique_ptr<Graph> model, const Device& device, const Int8BuildOptions& options,
                      TimingCache& cache);

/// QuantizeInt8, compiled. From one timing cache and one calibration file the same engine comes out.
CompileResult BuildInt8(std::unique_ptr<Graph> model, const Device& device, const Int8BuildOptions& options,
                        TimingCache& cache);

}  // namespace tenon
