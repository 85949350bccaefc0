#include "compile/compiler.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "backends/list/backend_list.h"
#include "backends/step.h"
#include "compile/memory_plan.h"
#include "compile/views.h"
#include "engine/share.h"
#include "engine/step_dependencies.h"
#include "ir/text.h"
#include "ops/conv.h"
#include "ops/evaluate.h"
#include "ops/matmul.h"
#include "ops/op_list.h"
#include "passes/pass_runner.h"

namespace tenon {
namespace {

std::string_view PrecisionName(Precision precision) { return precision == Precision::kHalf ? "half" : "fp32"; }

void CheckPrecision(Precision precision, const Device& device) {
  if (precision == Precision::kFp32 || device.half_type()) return;
  ThrowUnsupported(
      {.what = device.kind() == "cpu" ? "half is not possible on this CPU" : "half is not possible on this GPU",
       .where = device.model(),
       .got = device.Fingerprint(),
       .expected = device.HalfObstacle() + ": without it, half would be slower than FP32",
       .hint = "Build without --half."});
}

DType ComputeType(const Op& op) {
  if (const auto* conv = dynamic_cast<const Conv*>(&op)) return conv->epilogue.compute;
  if (const auto* conv = dynamic_cast<const ConvTranspose*>(&op)) return conv->epilogue.compute;
  if (const auto* matmul = dynamic_cast<const MatMul*>(&op)) return matmul->epilogue.compute;
  if (const auto* attention = dynamic_cast<const Attention*>(&op)) return attention->compute;
  return DType::kFloat32;
}

/// A graph that was fused for another device may hold another half type than this one computes.
void CheckHalfType(const Graph& graph, const Device& device) {
  for (const auto& node : graph.nodes()) {
    const DType compute = ComputeType(node->op());
    if ((compute != DType::kFloat16 && compute != DType::kBFloat16) || device.Computes(compute)) continue;
    ThrowUnsupported({.what = "the engine's half is not this device's",
                      .where = device.Fingerprint(),
                      .got = std::string(ToString(compute)),
                      .expected = device.half_type() ? std::string(ToString(*device.half_type())) : "FP32 alone",
                      .hint = "Build an engine for this device from the ONNX file."});
  }
}

void CheckShapesAreStatic(const Graph& graph) {
  for (const auto& node : graph.nodes()) {
    for (const Value* output : node->outputs()) {
      if (!output || output->has_shape()) continue;
      ThrowInvalid({.what = "the model has a tensor whose shape depends on the data",
                    .where = fmt::format("node {}, op {}", node->name(), node->op().name()),
                    .expected = "shapes that are known when compiling",
                    .hint = "Export without in-graph NMS (Tenon does NMS itself), or run it with --device reference."});
    }
  }
}

/// Builds one Program from a fused graph.
class ProgramBuilder {
 public:
  ProgramBuilder(Graph& graph, const Device& device, Precision precision)
      : graph_(graph), device_(device), views_(PlanViews(graph)) {
    program_.device = device.kind();
    program_.fingerprint = device.Fingerprint();
    program_.precision = PrecisionName(precision);
  }

  int copies_inserted() const { return views_.copies_inserted; }
  int64_t scratch_bytes() const { return scratch_bytes_; }
  const std::vector<double>& step_us() const { return step_us_; }

  Program Build(const TuneOptions& options, TimingCache& cache) {
    CollectNodes();
    PlaceStorages();
    for (const Node* node : nodes_) AddStep(*node);
    const bool has_int8 = std::any_of(program_.steps.begin(), program_.steps.end(),
                                      [](const ProgramStep& step) { return step.compute == DType::kInt8; });
    if (has_int8) program_.precision = "int8";
    step_us_ = ChooseTactics(program_, problems_, device_, options, cache);
    for (size_t i = 0; i < nodes_.size(); ++i) PackStep(i);
    device_.AddCode(program_, problems_);
    return std::move(program_);
  }

  /// For each constant of the graph: where this program's packed weights hold it as plan number `plan`, or its plain
  /// elements.
  PortableConstant Portable(const Value* constant, size_t plan) const {
    const auto found = packed_at_.find(constant);
    PortableConstant portable{.dtype = constant->dtype(), .shape = constant->shape()};
    if (found == packed_at_.end()) {
      portable.plain = constant->constant();
      return portable;
    }
    portable.plan = static_cast<int32_t>(plan);
    std::tie(portable.step, portable.input) = found->second;
    return portable;
  }

 private:
  void CollectNodes() {
    const std::unordered_set<const Node*> free(views_.free_nodes.begin(), views_.free_nodes.end());
    for (const auto& node : graph_.nodes()) {
      if (!free.contains(node.get())) nodes_.push_back(node.get());
    }
  }

  /// Storages that are never in use at once share memory.
  void PlaceStorages() {
    std::vector<PlannedBuffer> storages(views_.storages.size());
    for (size_t step = 0; step < nodes_.size(); ++step) {
      const auto touch = [&](const Value* value) {
        if (value) storages[static_cast<size_t>(views_.placements.at(value).storage)].users.push_back(step);
      };
      for (const Value* input : nodes_[step]->inputs()) touch(input);
      for (const Value* output : nodes_[step]->outputs()) touch(output);
    }
    std::vector<size_t> arena;
    std::vector<PlannedBuffer> buffers;
    for (size_t i = 0; i < storages.size(); ++i) {
      if (views_.storages[i].kind != Storage::Kind::kArena || storages[i].users.empty()) continue;
      arena.push_back(i);
      buffers.push_back({views_.storages[i].size_bytes, storages[i].users});
    }
    arena_offsets_.assign(views_.storages.size(), 0);
    const auto place = [&](const MemoryPlan& plan) {
      for (size_t i = 0; i < arena.size(); ++i) arena_offsets_[arena[i]] = plan.offsets_bytes[i];
      program_.arena_bytes = plan.arena_bytes;
    };
    if (!device_.runs_steps_side_by_side()) return place(PlanMemory(buffers, std::less<>()));
    // What waits for what is known where nothing shares memory.
    place(PlanMemory(buffers, [](size_t, size_t) { return false; }));
    Program unshared;
    for (const Node* node : nodes_) unshared.steps.push_back(OperandsOf(*node));
    const auto ancestors = StepAncestors(StepDependencies(unshared, [](const ProgramStep&) { return false; }));
    place(PlanMemory(buffers, [&](size_t step, size_t other) { return step < other && ancestors[other][step]; }));
  }

  ProgramOperand MakeOperand(const Value* value) const {
    if (!value) return {};
    const Place& place = views_.placements.at(value);
    const Storage& storage = views_.storages[place.storage];
    ProgramOperand operand{.dtype = value->dtype(), .shape = value->shape(), .strides_bytes = place.strides_bytes};
    // Nothing is there of an empty tensor: its place may lie past the end of what it is a view of.
    const bool empty = ElemCount(value->shape()) == 0;
    operand.offset_bytes = empty ? 0 : place.offset_bytes;
    switch (storage.kind) {
      case Storage::Kind::kArena:
        operand.memory = MemoryKind::kArena;
        if (!empty) operand.offset_bytes += arena_offsets_[place.storage];
        break;
      case Storage::Kind::kInput:
        operand.memory = MemoryKind::kInput;
        break;
      case Storage::Kind::kOutput:
        operand.memory = MemoryKind::kOutput;
        break;
      case Storage::Kind::kConstant:
        operand.memory = MemoryKind::kPacked;
        break;  // PackStep decides where
    }
    operand.index = storage.index;
    return operand;
  }

  /// A step with operands alone.
  ProgramStep OperandsOf(const Node& node) const {
    ProgramStep step;
    for (const Value* input : node.inputs()) step.inputs.push_back(MakeOperand(input));
    for (const Value* output : node.outputs()) step.outputs.push_back(MakeOperand(output));
    return step;
  }

  static KernelOperand MakeKernelOperand(const Value* value, const ProgramOperand& operand) {
    KernelOperand result{.present = value != nullptr,
                         .dtype = operand.dtype,
                         .shape = operand.shape,
                         .strides_bytes = operand.strides_bytes,
                         .alignment_bytes = AlignmentAt(operand.offset_bytes)};
    if (value && value->is_constant()) {
      result.is_constant = true;
      result.constant = value->constant();
    }
    return result;
  }

  void AddStep(const Node& node) {
    const Cost cost = EstimateNodeCost(node);
    ProgramStep step = OperandsOf(node);
    step.name = node.name();
    step.sources = node.sources();
    step.op = node.op().name();
    step.attrs = PrintAttrs(node.op());
    step.compute = ComputeType(node.op());
    step.flops = cost.flops;
    step.bytes = cost.bytes;
    StepProblem problem{.op = &node.op()};
    for (size_t i = 0; i < step.inputs.size(); ++i)
      problem.inputs.push_back(MakeKernelOperand(node.input(i), step.inputs[i]));
    for (size_t i = 0; i < step.outputs.size(); ++i)
      problem.outputs.push_back(MakeKernelOperand(node.output(i), step.outputs[i]));
    program_.steps.push_back(std::move(step));
    problems_.push_back(std::move(problem));
  }

  /// Packs the constants that the family wants packed; the others become constants of the program, each once.
  void PackStep(size_t index) {
    ProgramStep& step = program_.steps[index];
    const StepProblem& problem = problems_[index];
    const KernelFamily& family = *FindFamily(device_.families(), step.family);
    for (size_t i = 0; i < problem.inputs.size(); ++i) {
      if (!problem.inputs[i].is_constant) continue;
      const Value* value = nodes_[index]->input(i);
      if (family.PacksInput(problem, i)) {
        packed_at_.try_emplace(value, static_cast<int32_t>(index), static_cast<int32_t>(i));
        continue;
      }
      const auto [found, added] = constant_index_.emplace(value, static_cast<int32_t>(program_.constants.size()));
      if (added) program_.constants.push_back(value->constant());
      step.inputs[i].memory = MemoryKind::kConstant;
      step.inputs[i].index = found->second;
    }
    scratch_bytes_ = std::max(scratch_bytes_, family.ScratchBytes(problem, step.tactic, device_));
    // A family may want packed bytes without a constant operand: the zeros that stand for an absent bias.
    const std::vector<std::byte> packed = family.Pack(problem, step.tactic, device_);
    if (packed.empty()) return;
    step.packed = static_cast<int32_t>(program_.packed.size());
    program_.packed.push_back(Blob::Copy(packed));
  }

  Graph& graph_;
  const Device& device_;
  ViewPlan views_;
  Program program_;
  std::vector<const Node*> nodes_;
  std::vector<StepProblem> problems_;
  std::vector<double> step_us_;
  std::vector<int64_t> arena_offsets_;
  int64_t scratch_bytes_ = 0;
  std::unordered_map<const Value*, std::pair<int32_t, int32_t>> packed_at_;
  std::unordered_map<const Value*, int32_t> constant_index_;
};

/// Keeps the fused graph as text; constants that a plan's packed weights hold are not kept twice.
void FillPortablePart(const Graph& graph, const ProgramBuilder& builder, size_t plan, EngineProfile& profile) {
  std::vector<Tensor> externals;
  const PrintOptions print{.externals = &externals};
  profile.graph_text = Print(graph, print);
  for (const Value* constant : graph.Constants()) {  // in the printer's order
    if (constant->constant().elems() > print.max_inline_elems)
      profile.constants.push_back(builder.Portable(constant, plan));
  }
  // The rest are constants in the bodies of fused regions, which no kernel packs.
  for (size_t i = profile.constants.size(); i < externals.size(); ++i) {
    profile.constants.push_back({.plain = externals[i], .dtype = externals[i].dtype(), .shape = externals[i].shape()});
  }
}

[[noreturn]] void ThrowDamagedWeights(const ProgramStep& step, const std::string& got) {
  ThrowInvalid({.what = "the engine's packed weights are damaged", .where = "step " + step.name, .got = got});
}

/// The elements of a portable constant, unpacked from the plan that holds them if need be. The plan may be of another
/// machine, so that nobody has made its kernels: what they would check is checked here.
Tensor ElementsOf(const PortableConstant& constant, const EngineModel& engine) {
  if (!constant.plain.is_null()) return constant.plain;
  const Program& program = *engine.plans.at(static_cast<size_t>(constant.plan));
  const ProgramStep& step = program.steps.at(static_cast<size_t>(constant.step));
  const auto input = static_cast<size_t>(constant.input);
  const std::shared_ptr<const Device> maker = DeviceOfPlan(program);
  const KernelFamily* family = FindFamily(maker->families(), step.family);
  if (!family || family->version() != step.family_version || step.packed < 0) {
    ThrowInvalid({.what = "the engine's weights are packed as another version of Tenon does it",
                  .where = "step " + step.name,
                  .got = fmt::format("kernel family {} {}", step.family, step.family_version),
                  .expected = family ? fmt::format("version {}", family->version()) : "a known family",
                  .hint = "Build the engine again with tenon export, from the ONNX file."});
  }
  const StepDescription description = DescribeStep(program, step);
  const StepProblem& problem = description.problem;
  CheckFirstOutput(step, problem, *family);
  if (const std::string reason = family->Supports(problem, *maker); !reason.empty()) ThrowDamagedWeights(step, reason);
  if (step.inputs[input].memory != MemoryKind::kPacked || !family->PacksInput(problem, input) ||
      problem.inputs[input].shape != constant.shape) {
    ThrowDamagedWeights(step, fmt::format("operand {} for a constant of {}", input, ToString(constant.shape)));
  }
  const auto packed = program.packed.at(static_cast<size_t>(step.packed)).bytes();
  const size_t wanted = family->PackedBytes(problem, step.tactic, *maker);
  if (packed.size() < wanted) ThrowDamagedWeights(step, fmt::format("{} bytes of {}", packed.size(), wanted));
  // Kernels take weights of other types as FP32: the graph's constant has its own type.
  return family->Unpack(problem, step.tactic, *maker, packed, input).CastTo(constant.dtype);
}

std::vector<TensorInfo> Infos(const std::vector<Value*>& values, const std::vector<std::string>& names) {
  std::vector<TensorInfo> infos;
  for (size_t i = 0; i < values.size(); ++i) infos.push_back({names[i], values[i]->dtype(), values[i]->shape()});
  return infos;
}

void WarnAboutReferenceSteps(const Program& program, const Device& device, std::vector<std::string>& warnings) {
  for (const ProgramStep& step : program.steps) {
    const KernelFamily* family = FindFamily(device.families(), step.family);
    if (family && family->is_reference())
      warnings.push_back(fmt::format("{} ({}) has no fast kernel here and runs on the reference", step.name, step.op));
  }
}

void CheckWorkspace(const Program& program, int64_t scratch_bytes, int64_t limit_bytes) {
  const int64_t needed = program.arena_bytes + scratch_bytes;
  if (limit_bytes == 0 || needed <= limit_bytes) return;
  const auto gib = [](int64_t bytes) { return fmt::format("{:.3f} GiB", static_cast<double>(bytes) / (1 << 30)); };
  ThrowUnsupported(
      {.what = "a context of the engine needs more memory than --workspace allows",
       .where = program.fingerprint,
       .got = fmt::format("{} of activations and {} of scratch memory", gib(program.arena_bytes), gib(scratch_bytes)),
       .expected = "at most " + gib(limit_bytes),
       .hint = "Use a smaller --batch or --imgsz, or a larger --workspace."});
}

/// Compiles the graph as the engine's next profile.
void AddProfile(Graph& graph, const Device& device, const CompileOptions& options, TimingCache& cache,
                CompileResult& result) {
  PassReport report;
  PassContext context = PassContextFor(device, options.precision);
  context.report = &report;
  RunPasses(graph, context, {.dump_dir = options.dump_ir_dir, .disabled = options.disabled_passes});
  CheckShapesAreStatic(graph);
  EngineModel& engine = *result.engine;
  const size_t number = engine.plans.size();
  EngineProfile& profile = number == 0 ? engine : engine.more_profiles.emplace_back();
  std::vector<std::string> input_names;
  for (const Value* input : graph.inputs()) input_names.push_back(input->name());
  profile.inputs = Infos(graph.inputs(), input_names);
  profile.outputs = Infos(graph.outputs(), graph.output_names());

  ProgramBuilder builder(graph, device, options.precision);
  auto program = std::make_shared<Program>(builder.Build(options.tune, cache));
  program->profile = static_cast<int32_t>(number);
  CheckWorkspace(*program, builder.scratch_bytes(), options.workspace_bytes);
  engine.plans.push_back(program);
  result.copies_inserted += builder.copies_inserted();
  result.step_us = builder.step_us();
  FillPortablePart(graph, builder, number, profile);
  std::vector<std::string> warnings;
  for (const auto& kept : report.kept_in_fp32)
    warnings.push_back(fmt::format("{} ({}) stays in FP32: {}", kept.node, kept.op, kept.reason));
  WarnAboutReferenceSteps(*program, device, warnings);
  for (std::string& warning : warnings) {  // those of one profile are mostly those of the next
    if (std::find(result.warnings.begin(), result.warnings.end(), warning) == result.warnings.end())
      result.warnings.push_back(std::move(warning));
  }
}

}  // namespace

PassContext PassContextFor(const Device& device, Precision precision) {
  return {.precision = precision,
          .half_type = device.half_type().value_or(DType::kBFloat16),
          .converts_images = device.converts_images(),
          .joins_pools = device.runs_steps_side_by_side()};
}

CompileResult CompileFor(std::vector<std::unique_ptr<Graph>> graphs, const Device& device,
                         const CompileOptions& options, TimingCache& cache) {
  TENON_CHECK(!graphs.empty());
  CheckPrecision(options.precision, device);
  CompileResult result;
  result.engine = std::make_shared<EngineModel>();
  EngineModel& engine = *result.engine;
  engine.name = graphs[0]->name;
  engine.metadata = graphs[0]->metadata;
  engine.source_digest = options.source_digest;
  for (std::unique_ptr<Graph>& graph : graphs) {
    AddProfile(*graph, device, options, cache, result);
    graph.reset();  // what the engine needs of its constants it has
  }
  if (engine.profile_count() > 1) ShareEqualData(engine);
  for (const auto& warning : result.warnings)
    engine.reports["warnings"] += warning + "\n";  // nothing is silent: inspect shows them
  return result;
}

CompileResult CompileFor(std::unique_ptr<Graph> graph, const Device& device, const CompileOptions& options,
                         TimingCache& cache) {
  std::vector<std::unique_ptr<Graph>> graphs;
  graphs.push_back(std::move(graph));
  return CompileFor(std::move(graphs), device, options, cache);
}

void AddPlan(EngineModel& engine, const Device& device, const TuneOptions& options, TimingCache& cache) {
  TENON_CHECK(!engine.plans.empty());
  const Precision precision = engine.plans[0]->precision == "half" ? Precision::kHalf : Precision::kFp32;
  CheckPrecision(precision, device);
  for (size_t i = 0; i < engine.profile_count(); ++i) {
    const EngineProfile& profile = engine.profile(i);
    std::vector<Tensor> constants;
    for (const auto& constant : profile.constants) constants.push_back(ElementsOf(constant, engine));
    const std::unique_ptr<Graph> graph = Parse(profile.graph_text, &MakeOp, constants);
    if (precision == Precision::kHalf) CheckHalfType(*graph, device);
    ProgramBuilder builder(*graph, device, precision);
    auto program = std::make_shared<Program>(builder.Build(options, cache));
    program->profile = static_cast<int32_t>(i);
    engine.plans.push_back(std::move(program));
  }
  if (engine.profile_count() > 1) ShareEqualData(engine);
}

}  // namespace tenon
