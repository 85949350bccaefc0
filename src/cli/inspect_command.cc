#include <fmt/ranges.h>

#include <filesystem>
#include <map>

#include "cli/command.h"
#include "cli/model_import.h"
#include "cli/model_source.h"
#include "cli/verify_report.h"
#include "engine/engine_file.h"
#include "ir/text.h"
#include "ops/evaluate.h"
#include "quantize/int8_build.h"
#include "runtime/load.h"
#include "vision/names.h"

namespace tenon::cli {
namespace {

struct InspectOptions {
  ModelOptions model;
  bool layers = false;
};

nlohmann::ordered_json TensorJson(const std::vector<TensorInfo>& infos) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& info : infos)
    list.push_back({{"name", info.name}, {"dtype", ToString(info.dtype)}, {"shape", info.shape}});
  return list;
}

std::string MetadataOr(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

void AddCommon(const std::vector<TensorInfo>& inputs, const std::vector<TensorInfo>& outputs,
               const std::map<std::string, std::string>& metadata, CommandResult& result) {
  result.json["inputs"] = TensorJson(inputs);
  result.json["outputs"] = TensorJson(outputs);
  result.json["task"] = MetadataOr(metadata, "task");
  result.json["names"] = nlohmann::ordered_json::object();
  if (const std::string names = MetadataOr(metadata, "names"); !names.empty()) {
    const std::vector<std::string> list = ParseNames(names);
    for (size_t i = 0; i < list.size(); ++i) result.json["names"][std::to_string(i)] = list[i];
  }
  result.json["metadata"] = metadata;
  const auto describe = [&](const char* kind, const std::vector<TensorInfo>& infos) {
    for (const auto& info : infos)
      result.text += fmt::format("{:<8}{}: {}\n", kind, info.name, ToString(TensorType{info.dtype, info.shape}));
  };
  describe("input", inputs);
  describe("output", outputs);
  if (!result.json["task"].get<std::string>().empty())
    result.text += fmt::format("task    {}\n", result.json["task"].get<std::string>());
}

nlohmann::ordered_json PlanJson(const EngineModel& model, const Program& plan) {
  return {{"fingerprint", plan.fingerprint},
          {"device", plan.device},
          {"precision", plan.precision},
          {"batch", model.profile(static_cast<size_t>(plan.profile)).batch()},
          {"steps", plan.steps.size()},
          {"memory_bytes", {{"weights", WeightsBytes(plan)}, {"activations", plan.arena_bytes}, {"workspace", 0}}}};
}

/// The first plan of the smallest batch size that holds --batch.
const Program& ChosenPlan(const EngineModel& model, const ModelOptions& options) {
  const int64_t batch = EngineBatch(options, model);
  const auto fits = [&](const auto& plan) {
    return model.profile(static_cast<size_t>(plan->profile)).batch() >= batch;
  };
  const auto found = std::find_if(model.plans.begin(), model.plans.end(), fits);
  TENON_CHECK(found != model.plans.end());
  return **found;
}

/// One line per step: what it is, its tactic, and the source nodes that it covers.
void AddSteps(const Program& plan, CommandResult& result) {
  result.json["layers"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const ProgramStep& step = plan.steps[i];
    std::string shape = "?";
    for (const auto& output : step.outputs) {
      if (output.memory != MemoryKind::kAbsent) {
        shape = ToString(TensorType{output.dtype, output.shape});
        break;
      }
    }
    result.json["layers"].push_back({{"step", i},
                                     {"name", step.name},
                                     {"op", step.op},
                                     {"output", shape},
                                     {"compute", ToString(step.compute)},
                                     {"family", step.family},
                                     {"tactic", step.tactic},
                                     {"gflops", step.flops / 1e9},
                                     {"sources", step.sources}});
    result.text += fmt::format("{:>4} {:<14} {:<22} {:>8.3f} GFLOP  {} {}\n       covers {}\n", i, step.op, shape,
                               step.flops / 1e9, step.family, step.tactic, fmt::join(step.sources, " "));
  }
}

/// A report of the build or of verify, whose JSON is shown as its table.
void AddReport(const std::string& name, const std::string& report, CommandResult& result) {
  const auto verified = name == kVerifyReport ? ParseVerifyReport(report) : std::nullopt;
  if (verified) {
    result.json["verify"] = *verified;
    result.text += DescribeVerifyReport(*verified);
    return;
  }
  if (name == kInt8Report) {  // the report "int8" says it in words
    if (auto choice = ParseVerifyReport(report)) result.json["int8"] = *std::move(choice);
    return;
  }
  result.text += fmt::format("{}\n{}", name, report);
}

CommandResult InspectEngine(const InspectOptions& options) {
  const auto model = ReadEngine(options.model.model);
  CommandResult result;
  result.json["kind"] = "engine";
  result.text =
      fmt::format("Tenon engine {}, source digest {}\n", options.model.model, model->source_digest.ToString());
  AddCommon(model->inputs, model->outputs, model->metadata, result);
  result.json["source_digest"] = model->source_digest.ToString();
  for (size_t i = 0; i < model->profile_count(); ++i) result.json["batches"].push_back(model->profile(i).batch());
  result.json["plans"] = nlohmann::ordered_json::array();
  for (const auto& plan : model->plans) {
    const auto json = PlanJson(*model, *plan);
    result.json["plans"].push_back(json);
    const std::string batch =
        model->profile_count() > 1 ? fmt::format("batch {}, ", json["batch"].get<int64_t>()) : std::string();
    result.text +=
        fmt::format("plan    {}\n        {}, {}{} steps, {:.1f} MB of weights, {:.1f} MB of activations\n",
                    plan->fingerprint, plan->precision, batch, plan->steps.size(),
                    json["memory_bytes"]["weights"].get<double>() / 1e6, static_cast<double>(plan->arena_bytes) / 1e6);
  }
  result.json["reports"] = model->reports;
  for (const auto& [name, report] : model->reports) AddReport(name, report, result);
  if (options.layers) AddSteps(ChosenPlan(*model, options.model), result);
  return result;
}

CommandResult InspectOnnx(const InspectOptions& options) {
  const auto graph = ImportModel(options.model);
  std::vector<TensorInfo> inputs, outputs;
  for (const Value* input : graph->inputs()) inputs.push_back({input->name(), input->dtype(), input->shape()});
  for (size_t i = 0; i < graph->outputs().size(); ++i) {
    const Value* output = graph->outputs()[i];
    outputs.push_back({graph->output_names()[i], output->dtype(), output->type().shape.value_or(Shape{})});
  }
  CommandResult result;
  result.json["kind"] = "onnx";
  result.text = fmt::format("ONNX model {}\n", options.model.model);
  AddCommon(inputs, outputs, graph->metadata, result);
  std::map<std::string, int> counts;
  double flops = 0;
  for (const auto& node : graph->nodes()) {
    ++counts[std::string(node->op().name())];
    flops += EstimateNodeCost(*node).flops;
  }
  int64_t parameters = 0;
  for (const Value* constant : graph->Constants()) parameters += constant->constant().elems();
  result.json["plans"] = nlohmann::ordered_json::array();
  result.json["ops"] = counts;
  result.json["gflops"] = flops / 1e9;
  result.json["parameters"] = parameters;
  result.text += fmt::format("size    {} nodes, {:.2f} M parameters, {:.2f} GFLOP\nops     ", graph->nodes().size(),
                             static_cast<double>(parameters) / 1e6, flops / 1e9);
  for (const auto& [op, count] : counts) result.text += fmt::format("{} {}  ", count, op);
  result.text += "\n";
  if (!options.layers) return result;
  result.json["layers"] = nlohmann::ordered_json::array();
  for (const auto& node : graph->nodes()) {
    std::string shape;
    for (const Value* output : node->outputs())
      shape += output ? (shape.empty() ? "" : ", ") + ToString(output->type()) : "";
    result.json["layers"].push_back(
        {{"name", node->name()}, {"op", node->op().name()}, {"output", shape}, {"attributes", PrintAttrs(node->op())}});
    result.text +=
        fmt::format("     {:<14} {:<22} {} {}\n", node->op().name(), shape, node->name(), PrintAttrs(node->op()));
  }
  return result;
}

}  // namespace

void AddInspect(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = app.add_subcommand("inspect", "what an ONNX model or an engine holds");
  AddModelFlags(*command, options->model);
  command->add_flag("--layers", options->layers, "every step (engine) or node (ONNX)");
  command->callback([options, &body] {
    body = [options](const GlobalOptions&) {
      return IsEngineFile(options->model.model) ? InspectEngine(*options) : InspectOnnx(*options);
    };
  });
}

}  // namespace tenon::cli
