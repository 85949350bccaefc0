#include "cli/onnx_export.h"

#include <chrono>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "cli/model_import.h"
#include "onnx/writer.h"
#include "ops/quantize.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "passes/promote_float16.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

std::string PrecisionName(const ModelOptions& model) { return model.int8 ? "int8" : model.half ? "half" : "fp32"; }

/// Sizes that --imgsz and --batch decided are what the file now has.
void UpdateMetadata(Graph& graph) {
  if (graph.inputs().size() != 1 || !graph.inputs()[0]->has_shape() || graph.inputs()[0]->shape().size() != 4) return;
  const Shape& image = graph.inputs()[0]->shape();
  const auto set = [&](const char* key, const std::string& value) {
    if (const auto found = graph.metadata.find(key); found != graph.metadata.end()) found->second = value;
  };
  set("imgsz", fmt::format("[{}, {}]", image[2], image[3]));
  set("batch", fmt::format("{}", image[0]));
}

bool IsQuantized(const Graph& graph) {
  for (const auto& node : graph.nodes()) {
    if (node->As<QuantizeLinear>() || node->As<DequantizeLinear>()) return true;
  }
  return false;
}

QuantizedModel SimplifyOnnx(const ModelOptions& model, const CompileOptions& compile) {
  QuantizedModel result;
  result.graph = ImportModel(model);
  RunPassGroups(*result.graph, {}, MakeFloatPassList(),
                {.dump_dir = compile.dump_ir_dir, .disabled = compile.disabled_passes});
  if (!model.half) return result;
  if (IsQuantized(*result.graph)) {
    ThrowInvalid({.what = "the model carries its own quantisation",
                  .where = model.model,
                  .hint = "Leave --half out: what its Q and DQ don't quantise is written in FP32."});
  }
  DemoteToFloat16(*result.graph);
  return result;
}

}  // namespace

std::string DefaultOnnxName(const ModelOptions& model) {
  const fs::path source(model.model);
  return (source.parent_path() / fmt::format("{}_{}.onnx", source.stem().string(), PrecisionName(model))).string();
}

void CheckOnnxOutput(const ModelOptions& model, const std::string& output) {
  std::error_code error;
  if (fs::equivalent(model.model, output, error))
    ThrowInvalid(
        {.what = "the ONNX file would replace its source", .where = output, .hint = "Give another name with -o."});
  CheckWritable(output);
}

CommandResult WriteOnnxModel(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                             const Int8Options& int8, const std::string& calib_file, const std::string& output) {
  const auto start = std::chrono::steady_clock::now();
  const QuantizedModel made =
      model.int8 ? QuantizeOnnx(model, global, compile, int8, calib_file) : SimplifyOnnx(model, compile);
  UpdateMetadata(*made.graph);
  const int64_t size = WriteOnnx(*made.graph, output);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const auto& warning : made.warnings) Log().warn("{}", warning);
  CommandResult answer;
  answer.json = {{"onnx", output},
                 {"size_bytes", size},
                 {"seconds", seconds},
                 {"precision", PrecisionName(model)},
                 {"nodes", made.graph->nodes().size()},
                 {"warnings", made.warnings}};
  if (model.int8) answer.json["int8"] = made.report;
  answer.text = fmt::format("{}: {:.1f} MB, {}, written in {:.1f} s\n", output, static_cast<double>(size) / 1e6,
                            PrecisionName(model), seconds);
  if (model.int8) answer.text += "int8\n" + made.report;
  return answer;
}

}  // namespace tenon::cli
