#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "cli/model_source.h"
#include "quantize/int8_build.h"

namespace tenon::cli {

/// Flags of commands that calibrate.
struct Int8Options {
  std::string data, images, split, calibration = "mse", calib_file, head;
  std::string weight_rounding = "nearest";
  bool equalise = false;
  double fraction = 1, map_drop = 0.5;
  int64_t max_images = 512;                ///< calibrate on at most so many, evenly spread
  std::shared_ptr<Int8Findings> findings;  ///< as in Int8BuildOptions
};

void AddInt8Flags(CLI::App& command, Int8Options& options);

/// Calibrates and chooses as CompileInt8 does, and stops before compiling.
QuantizedModel QuantizeOnnx(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                            const Int8Options& options, const std::string& calib_file);

/// NoiseOfAllInt8 of the ONNX model, calibrated as CompileInt8 does it.
double MeasureNoiseOfAllInt8(const ModelOptions& model, const GlobalOptions& global, const Int8Options& options,
                             const std::string& calib_file);

/// Calibrates the ONNX model on the data set, chooses what computes in INT8, and compiles it; what INT8 does not take
/// is in half where the CPU has it. The engine's report "int8" says what was chosen and why, its report
/// kInt8Report the same as JSON (docs/cli.md).
/// @param calib_file where the calibration is kept and found again
CompileResult CompileInt8(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                          const Int8Options& options, const std::string& calib_file);

}  // namespace tenon::cli
