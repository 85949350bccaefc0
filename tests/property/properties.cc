#include "properties.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "backends/cpu/cpu_program.h"
#include "backends/cpu/tactic_list.h"
#include "backends/cuda/cuda_device.h"
#include "backends/step.h"
#include "base/file.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "graph_spec.h"
#include "ir/text.h"
#include "ops/conv.h"
#include "ops/evaluate.h"
#include "ops/matmul.h"
#include "ops/op_list.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "runtime/load.h"
#include "tolerance.h"

namespace tenon::property {
namespace {

/// Which machine to compile for, and which tactics to take: the digits of the graph's "variant".
struct Variant {
  CpuDevice device = CpuDevice::Detect();
  uint32_t tactics = 0;   ///< 0: the first ones
  bool file = false;      ///< also through an engine file
  bool winograd = false;  ///< convolutions with a rounding of their own are allowed

  explicit Variant(const Graph& graph) {
    uint32_t number = static_cast<uint32_t>(std::stoul(graph.metadata.at("variant")));
    device.threads = 2;
    auto& features = device.features;
    if (number % 3 == 1) features.avx512 = features.avx512_bf16 = features.avx512_vnni = features.amx_bf16 = false;
    if (number % 3 == 2) features.avx512_bf16 = features.amx_bf16 = false;
    number /= 3;
    tactics = number % 8;
    file = number / 8 % 2 == 0;
    winograd = number / 16 % 2 == 1;
  }
};

bool HasStaticShapes(const Graph& graph) {
  for (const auto& node : graph.nodes()) {
    for (const Value* output : node->outputs()) {
      if (output && !output->has_shape()) return false;
    }
  }
  return true;
}

bool HasProducts(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const auto& node) {
    return node->template As<Conv>() || node->template As<ConvTranspose>() || node->template As<MatMul>();
  });
}

bool SameBytes(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return Identical(x, y); });
}

std::vector<Tensor> RunEngine(const Engine& engine, const std::vector<Tensor>& inputs, int threads) {
  std::vector<Tensor> outputs;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Tensor& input : inputs) in.push_back(input.raw());
  for (const auto& info : engine.outputs()) {
    outputs.emplace_back(info.dtype, info.shape);
    std::fill_n(outputs.back().raw(), outputs.back().size_bytes(), std::byte{0x5a});
    out.push_back(outputs.back().raw());
  }
  engine.CreateContext({.threads = threads}).Run(in, out);
  return outputs;
}

/// The engine with another tactic of the same family for every step that has a choice.
std::shared_ptr<EngineModel> WithOtherTactics(const EngineModel& engine, const CpuDevice& device, uint32_t choice) {
  auto other = std::make_shared<EngineModel>(engine);
  Program program = *engine.plans[0];
  for (size_t i = 0; i < program.steps.size(); ++i) {
    ProgramStep& step = program.steps[i];
    const CpuKernelFamily& family = *FindCpuKernelFamily(step.family);
    StepDescription description = DescribeStep(program, step);
    const auto packed = step.packed < 0 ? std::span<const std::byte>() : program.packed[step.packed].bytes();
    for (size_t k = 0; k < description.problem.inputs.size(); ++k) {
      KernelOperand& operand = description.problem.inputs[k];
      if (operand.is_constant && operand.constant.is_null())
        operand.constant = family.Unpack(description.problem, step.tactic, device, packed, k);
    }
    const auto candidates = family.Candidates(description.problem, device);
    step.tactic = candidates[(choice * 7 + i) % candidates.size()];
    if (step.packed >= 0)
      program.packed[step.packed] = Blob::Copy(family.Pack(description.problem, step.tactic, device));
  }
  other->plans[0] = std::make_shared<Program>(std::move(program));
  return other;
}

/// Names of the passes without which the comparison holds: where to look first.
std::string Suspects(const Graph& graph, const std::vector<Tensor>& inputs, const std::vector<Tensor>& expected,
                     const std::vector<Tolerance>& tolerances) {
  std::string suspects;
  for (const PassGroup& group : MakePassList()) {
    for (const Pass& pass : group.passes) {
      const auto clone = graph.Clone();
      try {
        RunPasses(*clone, {}, {.disabled = {std::string(pass.name)}});
        if (!CompareOutputs(EvaluateGraph(*clone, inputs), expected, tolerances).empty()) continue;
      } catch (const Error&) {
        continue;
      }
      if (suspects.find(pass.name) == std::string::npos) suspects += fmt::format(" {}", pass.name);
    }
  }
  return suspects.empty() ? " (none alone)" : suspects;
}

/// One graph's checks, in the order in which a graph goes through the compiler.
class Checks {
 public:
  explicit Checks(const Graph& graph) : graph_(graph), inputs_(InputData(graph)), variant_(graph) {}

  std::string Run() {
    for (const auto& node : graph_.nodes()) quantizes_ |= node->op().name() == "QuantizeLinear";
    try {
      for (const Tensor& input : inputs_) LookForUnjudgeable(input);
      expected_ = EvaluateGraph(graph_, inputs_, [&](const Node&, std::span<const Tensor> results) {
        for (const Tensor& result : results) LookForUnjudgeable(result);
      });
    } catch (const Error& error) {
      return error.code() == ErrorCode::kInvalidInput ? "" : fmt::format("reference: {}", error.what());
    }
    for (const auto check :
         {&Checks::TextIsTheGraph, &Checks::PassesKeepTheMeaning, &Checks::CpuAgrees, &Checks::BitsDoNotDependOnTactics,
          &Checks::FileKeepsTheEngine, &Checks::HalfIsClose, &Checks::GpuAgrees}) {
      std::string failure;
      try {
        failure = (this->*check)();
      } catch (const std::exception& error) {
        failure = fmt::format("{}: {}", stage_, error.what());
      }
      if (!failure.empty()) return failure;
    }
    return {};
  }

 private:
  /// Where formulas meet an infinity, equal ones differ: silu(-inf) is NaN as a product and 0 as a limit. And no
  /// integer is right for a NaN.
  void LookForUnjudgeable(const Tensor& tensor) {
    for (int64_t i = 0; IsFloat(tensor.dtype()) && i < tensor.elems(); ++i) {
      const double value = tensor.AsDouble(i);
      unjudgeable_ |= std::isinf(value) || (quantizes_ && std::isnan(value));
      has_nan_ |= std::isnan(value);
      if (std::isfinite(value)) largest_ = std::max(largest_, std::abs(value));
    }
  }

  /// NaN and infinity spread over a whole tile of a transform.
  bool AllowsWinograd() const { return variant_.winograd && !unjudgeable_ && !has_nan_; }
  TuneOptions Tune() const {
    return {.effort = 0, .own_rounding = AllowsWinograd() ? OwnRounding::kFloats : OwnRounding::kNone};
  }

  std::string Compare(const std::vector<Tensor>& got, const std::vector<Tensor>& want) {
    if (unjudgeable_ || SameBytes(got, want)) return {};
    return CompareWith({}, got, want, tolerances_);
  }

  std::string CompareWith(const NoiseLevel& level, const std::vector<Tensor>& got, const std::vector<Tensor>& want,
                          std::vector<Tolerance>& tolerances) {
    if (tolerances.empty()) tolerances = DeriveTolerances(graph_, inputs_, expected_, level, Effort::kQuick);
    if (CompareOutputs(got, want, tolerances).empty()) return {};
    const auto thorough = DeriveTolerances(graph_, inputs_, expected_, level, Effort::kThorough);
    return CompareOutputs(got, want, thorough);
  }

  /// Four roundings of 2^-24 for each term, and twice that for what the matrices make of them.
  std::string CompareTransformed() {
    std::vector<Tolerance> tolerances;
    return CompareWith({.transforms = 0x1p-21}, outputs_, fused_outputs_, tolerances);
  }

  std::string RoundTrip(const Graph& graph, const std::vector<Tensor>& want) {
    std::vector<Tensor> externals;
    const std::string text = Print(graph, {.externals = &externals});
    const auto parsed = Parse(text, &MakeOp, externals);
    std::vector<Tensor> externals_again;
    const std::string again = Print(*parsed, {.externals = &externals_again});
    if (again != text) return fmt::format("it is\n{}printed again\n{}", text, again);
    if (!SameBytes(EvaluateGraph(*parsed, inputs_), want)) return "the parsed text is another graph";
    return {};
  }

  std::string TextIsTheGraph() {
    stage_ = "text";
    const std::string text = Print(graph_);
    if (Print(*Parse(text, &MakeOp)) != text) return "text: values don't survive printing";
    const std::string failure = RoundTrip(graph_, expected_);
    return failure.empty() ? "" : "text: " + failure;
  }

  std::string PassesKeepTheMeaning() {
    stage_ = "passes";
    fused_ = graph_.Clone();
    RunPasses(*fused_, {});
    fused_outputs_ = EvaluateGraph(*fused_, inputs_);
    const std::string difference = Compare(fused_outputs_, expected_);
    if (!difference.empty())
      return fmt::format("passes: {}\nwithout any one of these it holds:{}\nfused:\n{}", difference,
                         Suspects(graph_, inputs_, expected_, tolerances_), Print(*fused_));
    const std::string failure = RoundTrip(*fused_, fused_outputs_);
    return failure.empty() ? "" : "text of the fused graph: " + failure;
  }

  std::string CpuAgrees() {
    stage_ = "compile";
    TimingCache cache;
    try {
      compiled_ = CompileFor(graph_.Clone(), variant_.device, {.tune = Tune()}, cache);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInvalidInput && !HasStaticShapes(*fused_)) return {};
      throw;
    }
    stage_ = "run";
    outputs_ = RunEngine(MakeEngine(compiled_.engine, variant_.device), inputs_, 1);
    const std::string difference = AllowsWinograd() ? CompareTransformed() : Compare(outputs_, fused_outputs_);
    if (!difference.empty()) return fmt::format("cpu: {}\nsteps:{}\nfused:\n{}", difference, Steps(), Print(*fused_));
    for (const int threads : {2, 3}) {
      if (!SameBytes(RunEngine(MakeEngine(compiled_.engine, variant_.device), inputs_, threads), outputs_))
        return fmt::format("cpu: other bits with {} threads; steps:{}", threads, Steps());
    }
    return {};
  }

  std::string BitsDoNotDependOnTactics() {
    if (!compiled_.engine || variant_.tactics == 0) return {};
    stage_ = "tactics";
    const auto other = WithOtherTactics(*compiled_.engine, variant_.device, variant_.tactics);
    if (SameBytes(RunEngine(MakeEngine(other, variant_.device), inputs_, 2), outputs_)) return {};
    std::string tactics;
    for (size_t i = 0; i < other->plans[0]->steps.size(); ++i)
      tactics += fmt::format("\n  {}: {} -> {}", other->plans[0]->steps[i].family,
                             compiled_.engine->plans[0]->steps[i].tactic, other->plans[0]->steps[i].tactic);
    return "tactics: other bits with" + tactics;
  }

  std::string FileKeepsTheEngine() {
    if (!compiled_.engine || !variant_.file) return {};
    stage_ = "engine file";
    const auto path = std::filesystem::temp_directory_path() / fmt::format("tenon_property_{}.tenon", getpid());
    WriteEngine(*compiled_.engine, path.string());
    const auto read = ReadEngine(path.string());
    const std::string bytes = ReadTextFile(path.string());
    const auto outputs = RunEngine(MakeEngine(read, variant_.device), inputs_, 1);
    WriteEngine(*read, path.string());
    const bool same_file = ReadTextFile(path.string()) == bytes;
    std::filesystem::remove(path);
    if (!SameBytes(outputs, outputs_)) return "engine file: other bytes";
    if (!same_file) return "engine file: written again it is another file";
    TimingCache cache;
    CpuDevice other = variant_.device;
    other.brand = "another CPU";
    AddPlan(*read, other, Tune(), cache);
    if (!SameBytes(RunEngine(MakeEngine(read, other), inputs_, 1), outputs_))
      return "engine file: the plan built from the portable part gives other bytes";
    return {};
  }

  std::string HalfIsClose() {
    if (unjudgeable_ || !compiled_.engine || !variant_.device.features.avx512_bf16 || !HasProducts(graph_)) return {};
    stage_ = "half";
    TimingCache cache;
    const auto half =
        CompileFor(graph_.Clone(), variant_.device, {.precision = Precision::kHalf, .tune = Tune()}, cache);
    const auto outputs = RunEngine(MakeEngine(half.engine, variant_.device), inputs_, 2);
    // BF16 rounds operands and results of products by 2^-9 of their size, and what lies between may be stored in it.
    NoiseLevel level{.float32 = 0x1p-8, .products = 0x1p-8, .stored = true};
    if (AllowsWinograd()) level.transforms = 0x1p-8;
    std::vector<Tolerance> tolerances;
    const std::string difference = CompareWith(level, outputs, expected_, tolerances);
    return difference.empty() ? "" : "half: " + difference;
  }

  /// Where a GPU is: its engine agrees, in FP32 and half, gives the same bits again, and so does its file.
  std::string GpuAgrees() {
    static const std::shared_ptr<const Device> gpu = FindGpu();
    if (!gpu || !compiled_.engine) return {};
    stage_ = "gpu";
    TimingCache cache;
    const auto compiled = CompileFor(graph_.Clone(), *gpu, {.tune = {.effort = 0}}, cache);
    const Engine engine = MakeEngine(compiled.engine, *gpu);
    const auto outputs = RunEngine(engine, inputs_, 1);
    const std::string difference = Compare(outputs, fused_outputs_);
    if (!difference.empty())
      return fmt::format("gpu: {}\nsteps:{}\nfused:\n{}", difference, Steps(*compiled.engine), Print(*fused_));
    if (!SameBytes(RunEngine(engine, inputs_, 1), outputs)) return "gpu: other bits in another context";
    // Far below its limit: sums that a Region or a product makes on the way count too.
    const bool fits_float16 = largest_ < 0x1p14;
    if (unjudgeable_ || !fits_float16 || !HasProducts(graph_)) return {};
    stage_ = "gpu, half";
    const auto half = CompileFor(graph_.Clone(), *gpu, {.precision = Precision::kHalf, .tune = {.effort = 0}}, cache);
    // FP16 rounds as BF16 does, eight times finer; its range is smaller.
    const NoiseLevel level{.float32 = 0x1p-8, .products = 0x1p-8, .stored = true};
    std::vector<Tolerance> tolerances;
    const std::string half_difference =
        CompareWith(level, RunEngine(MakeEngine(half.engine, *gpu), inputs_, 1), expected_, tolerances);
    return half_difference.empty() ? "" : "gpu, half: " + half_difference + Steps(*half.engine);
  }

  static std::shared_ptr<const Device> FindGpu() {
    try {
      return CudaDevice::Open(0).Share();
    } catch (const Error&) {
      return nullptr;
    }
  }

  std::string Steps() const { return Steps(*compiled_.engine); }
  static std::string Steps(const EngineModel& engine) {
    std::string text;
    for (const auto& step : engine.plans[0]->steps) {
      text += fmt::format("\n  {} {}{} by {} {}:", step.name, step.op, step.attrs, step.family, step.tactic);
      for (const auto* list : {&step.inputs, &step.outputs}) {
        text += list == &step.outputs ? " ->" : "";
        for (const auto& operand : *list)
          text += fmt::format(" {}@{}+{}[{}]", ToString(operand.shape), static_cast<int>(operand.memory),
                              operand.offset_bytes, fmt::join(operand.strides_bytes, ","));
      }
    }
    return text;
  }

  const Graph& graph_;
  const std::vector<Tensor> inputs_;
  const Variant variant_;
  std::string stage_;
  bool quantizes_ = false, unjudgeable_ = false, has_nan_ = false;
  double largest_ = 0;  ///< of the reference's finite values
  std::vector<Tensor> expected_, fused_outputs_, outputs_;
  std::vector<Tolerance> tolerances_;
  std::unique_ptr<Graph> fused_;
  CompileResult compiled_;
};

}  // namespace

std::string WhatFails(const Graph& graph) { return Checks(graph).Run(); }

std::string WhatFails(const char* text) { return WhatFails(*Parse(text, &MakeOp)); }

}  // namespace tenon::property
