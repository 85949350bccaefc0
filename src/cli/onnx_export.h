#pragma once
#include <string>

#include "cli/command.h"
#include "cli/int8_options.h"
#include "cli/model_source.h"

namespace tenon::cli {

/// MODEL_int8.onnx, MODEL_half.onnx or MODEL_fp32.onnx beside the source.
std::string DefaultOnnxName(const ModelOptions& model);
/// Throws Error(kInvalidInput) where the file can't be written or is the source.
void CheckOnnxOutput(const ModelOptions& model, const std::string& output);

/// `export --format onnx`: writes the model as the float passes leave it (folded, simplified), as ONNX for other
/// runtimes: with --int8 with the Q and DQ of Tenon's choice, with --half in FP16 between FP32 inputs and outputs.
/// @param calib_file as CompileInt8 takes it
CommandResult WriteOnnxModel(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                             const Int8Options& int8, const std::string& calib_file, const std::string& output);

}  // namespace tenon::cli
