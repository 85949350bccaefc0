#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "backends/step.h"
#include "ir/text.h"
#include "ops/channel_trace.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/operands.h"
#include "ops/quantize.h"
#include "ops/region.h"
#include "verify/checks.h"
#include "verify/int8_constants.h"

namespace tenon {
namespace {

/// How far rounding to the type moves a number, relative to it, twice: passes of another version may fold in another
/// order.
double Tolerance(DType type) {
  switch (type) {
    case DType::kBFloat16:
      return 2 * 0x1p-9;
    case DType::kFloat16:
      return 2 * 0x1p-12;
    default:
      return 2 * 0x1p-24;
  }
}

/// Of a tensor's largest magnitude: what folding in another order leaves where it cancels.
constexpr double kCancellation = 0x1p-20;

/// The largest |a - b| over what rounding explains; above 1 it explains no more.
double Deviation(const Tensor& engine, const Tensor& source) {
  const Tensor a = engine.CastTo(DType::kFloat32), b = source.CastTo(DType::kFloat32);
  double largest = 0, deviation = 0;
  for (const float value : b.values<float>()) largest = std::max(largest, std::abs(double{value}));
  for (int64_t i = 0; i < a.elems(); ++i) {
    const double x = a.data<float>()[i], y = b.data<float>()[i];
    if (x == y) continue;
    const double allowed = Tolerance(engine.dtype()) * std::abs(y) + kCancellation * largest;
    const double off = std::abs(x - y) / allowed;
    if (!std::isfinite(off)) return INFINITY;
    deviation = std::max(deviation, off);
  }
  return deviation;
}

/// Constant input i of a step as the plan holds it; null when its form is unknown to this version.
Tensor PlanConstant(const Program& plan, const ProgramStep& step, const StepProblem& problem, size_t input,
                    const Device& device) {
  if (problem.inputs[input].is_constant && !problem.inputs[input].constant.is_null())
    return problem.inputs[input].constant;
  const KernelFamily* family = FindFamily(device.families(), step.family);
  if (!family || family->version() != step.family_version || step.packed < 0) return {};
  const Tensor held =
      family->Unpack(problem, step.tactic, device, plan.packed.at(static_cast<size_t>(step.packed)).bytes(), input);
  return held.is_null() ? held : held.CastTo(problem.inputs[input].dtype);  // families unpack to FP32
}

/// Nodes of the source by name and op; of several with one name, one after another.
class NodeFinder {
 public:
  enum class Depth {
    kSteps,   ///< nodes that become steps
    kBodies,  ///< these, and what regions are made of
  };
  NodeFinder(const Graph& graph, Depth depth) { Add(graph, depth); }

  const Node* Next(const std::string& name, std::string_view op) {
    const auto found = nodes_.find({name, std::string(op)});
    if (found == nodes_.end() || found->second.empty()) return nullptr;
    const Node* node = found->second.front();
    found->second.pop_front();
    return node;
  }

 private:
  void Add(const Graph& graph, Depth depth) {
    for (const auto& node : graph.nodes()) {
      nodes_[{node->name(), std::string(node->op().name())}].push_back(node.get());
      const Region* region = node->As<Region>();
      if (region && depth == Depth::kBodies) Add(*region->body, depth);
    }
  }
  std::map<std::pair<std::string, std::string>, std::deque<const Node*>> nodes_;
};

Epilogue* EpilogueIn(Op& op) {
  if (auto* conv = dynamic_cast<Conv*>(&op)) return &conv->epilogue;
  if (auto* conv = dynamic_cast<ConvTranspose*>(&op)) return &conv->epilogue;
  if (auto* matmul = dynamic_cast<MatMul*>(&op)) return &matmul->epilogue;
  return nullptr;
}

bool IsInt8(const Op& op) {
  const auto copy = op.Clone();
  const Epilogue* epilogue = EpilogueIn(*copy);
  return epilogue && epilogue->is_int8();
}

/// The ops do the same but for how the tensors between them are stored: in 8 bits, which calibration decides, or once
/// more beside an upsampled copy, which depends on that.
bool SameButForStorage(const Op& held, const Op& expected) {
  const auto copy = held.Clone(), wanted = expected.Clone();
  Epilogue *mine = EpilogueIn(*copy), *theirs = EpilogueIn(*wanted);
  if (mine && theirs) {
    if (mine->is_int8()) mine->compute = theirs->compute;
    mine->out = theirs->out;
    mine->quantization = theirs->quantization;
  }
  auto *mine_conv = dynamic_cast<Conv*>(copy.get()), *their_conv = dynamic_cast<Conv*>(wanted.get());
  if (mine_conv && their_conv) mine_conv->upsample = their_conv->upsample;
  return PrintAttrs(*copy) == PrintAttrs(*wanted);
}

/// What comparing one step gave.
struct StepVerdict {
  bool compared = true;
  double deviation = 0;

  void Add(const Tensor& held, const Tensor& expected) {
    compared = !held.is_null() && held.dtype() == expected.dtype() && held.shape() == expected.shape();
    if (compared && IsFloat(held.dtype()))
      deviation = std::max(deviation, Deviation(held, expected));
    else if (compared && !Identical(held, expected))
      deviation = INFINITY;
  }
};

/// Constants of two regions of the same nodes.
StepVerdict CompareBodies(const Graph& engine, const Graph& source) {
  const auto held = engine.Constants(), expected = source.Constants();
  const bool same_nodes =
      std::equal(engine.nodes().begin(), engine.nodes().end(), source.nodes().begin(), source.nodes().end(),
                 [](const auto& a, const auto& b) {
                   return a->op().name() == b->op().name() && PrintAttrs(a->op()) == PrintAttrs(b->op());
                 });
  if (!same_nodes || held.size() != expected.size()) return {.compared = false};
  StepVerdict verdict;
  for (size_t i = 0; i < held.size() && verdict.compared; ++i)
    verdict.Add(held[i]->constant(), expected[i]->constant());
  return verdict;
}

/// Constants of a region of a calibrated engine: Q and DQ stand in it, or cut it in another place than the source's.
/// Each of its nodes is looked for in the source by itself.
StepVerdict CompareNodes(const Graph& body, NodeFinder& source) {
  StepVerdict verdict;
  for (const auto& node : body.nodes()) {
    const auto& inputs = node->inputs();
    const bool constants =
        std::any_of(inputs.begin(), inputs.end(), [](const Value* value) { return value && value->is_constant(); });
    // Their constants are the scales that calibration chose.
    if (!constants || node->As<QuantizeLinear>() || node->As<DequantizeLinear>()) continue;
    const Node* expected = source.Next(node->name(), node->op().name());
    if (!expected || expected->inputs().size() != inputs.size() || PrintAttrs(node->op()) != PrintAttrs(expected->op()))
      return {.compared = false};
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i] || !inputs[i]->is_constant()) continue;
      const Value* value = expected->input(i);
      if (!value || !value->is_constant()) return {.compared = false};
      verdict.Add(inputs[i]->constant(), value->constant());
      if (!verdict.compared) return verdict;
    }
  }
  return verdict;
}

/// Nothing in the step can differ from the source: no constants, no body.
bool HoldsNothing(const ProgramStep& step) {
  return step.op != "Region" && std::all_of(step.inputs.begin(), step.inputs.end(), [](const ProgramOperand& input) {
           return input.memory != MemoryKind::kConstant && input.memory != MemoryKind::kPacked;
         });
}

constexpr size_t kWeightsInput = 1, kFactorsInput = 5;

/// By what the channels of the tensors that the plan's convolutions store are multiplied: equalisation (operand 5).
class StoredFactors {
 public:
  StoredFactors(const Program& plan, const Device& device) {
    for (const ProgramStep& step : plan.steps) {
      if (step.op != Conv::kName || step.inputs.size() <= kFactorsInput) continue;
      const Tensor factors = PlanConstant(plan, step, DescribeStep(plan, step).problem, kFactorsInput, device);
      if (!factors.is_null()) factors_[step.name] = ToDoubles(factors);
    }
  }

  /// The weights of a Conv of the source that reads tensors so stored: each over the factor of the channel it meets.
  Tensor DividedWeights(const Node& conv) const {
    const Tensor& weights = conv.input(kWeightsInput)->constant();
    if (factors_.empty() || !conv.As<Conv>() || !IsFloat(weights.dtype())) return weights;
    const std::vector<double> factors = TraceChannels(*conv.input(0), [&](const Value& made) { return Of(made); });
    const Shape& shape = weights.shape();
    const int64_t group_outputs = shape[0] / conv.As<Conv>()->groups, inputs = shape[1];
    const int64_t taps = weights.elems() / std::max<int64_t>(shape[0] * inputs, 1);
    Tensor divided = weights.CastTo(DType::kFloat32);
    for (int64_t i = 0; i < divided.elems(); ++i) {
      const int64_t channel = i / (taps * inputs) / group_outputs * inputs + i / taps % inputs;
      divided.data<float>()[i] /= static_cast<float>(factors.at(static_cast<size_t>(channel)));
    }
    return divided.CastTo(weights.dtype());
  }

 private:
  std::optional<std::vector<double>> Of(const Value& made) const {
    const auto found = made.producer()->As<Conv>() ? factors_.find(made.producer()->name()) : factors_.end();
    return found == factors_.end() ? std::nullopt : std::optional(found->second);
  }

  std::map<std::string, std::vector<double>> factors_;
};

StepVerdict CompareStep(const Program& plan, const ProgramStep& step, const Node& node, const Device& device,
                        const StoredFactors& factors) {
  const bool has_factors = step.op == Conv::kName && step.inputs.size() == kFactorsInput + 1;
  if (!has_factors && step.inputs.size() != node.inputs().size()) return {.compared = false};
  const StepDescription description = DescribeStep(plan, step);
  StepVerdict verdict;
  if (const auto* region = dynamic_cast<const Region*>(description.op.get()))
    verdict = CompareBodies(*region->body, *node.As<Region>()->body);
  else
    verdict.compared = SameButForStorage(*description.op, node.op());
  if (!verdict.compared) return verdict;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const Value* value = node.input(i);
    const bool constant = value && value->is_constant();
    if (i == kFactorsInput && has_factors) continue;  // of calibration
    if (constant != description.problem.inputs[i].is_constant) return {.compared = false};
    if (!constant) continue;
    const bool is_divided = i == kWeightsInput && node.As<Conv>();
    verdict.Add(PlanConstant(plan, step, description.problem, i, device),
                is_divided ? factors.DividedWeights(node) : value->constant());
    if (!verdict.compared) return verdict;
  }
  return verdict;
}

/// A Conv in INT8 of a calibrated engine, and the float Conv of the source.
StepVerdict CompareInt8Conv(const Program& plan, const ProgramStep& step, const Node& node, const Device& device,
                            const StoredFactors& factors) {
  constexpr size_t kWeights = 1, kBias = 2, kScales = 4;
  StepDescription description = DescribeStep(plan, step);
  StepProblem& problem = description.problem;
  const auto* conv = dynamic_cast<const Conv*>(description.op.get());
  const KernelFamily* family = FindFamily(device.families(), step.family);
  if (!conv || !family || problem.inputs.size() <= kScales || !SameButForStorage(*conv, node.op()))
    return {.compared = false};
  const auto held = [&](size_t input) {
    if (!problem.inputs[input].is_constant) return Tensor();
    return problem.inputs[input].constant = PlanConstant(plan, step, problem, input, device);
  };
  if (problem.inputs.size() > kFactorsInput) held(kFactorsInput);
  const Int8Constants constants{held(kWeights), held(kScales), held(kBias), conv->epilogue.quantization.x};
  if (constants.weights.is_null() || constants.scales.is_null()) return {.compared = false};
  const Value* bias = node.inputs().size() > kBias ? node.input(kBias) : nullptr;
  StepVerdict verdict{.deviation =
                          Int8Deviation(constants, factors.DividedWeights(node), bias ? bias->constant() : Tensor())};
  if (step.packed < 0) return verdict;
  // What the kernel reads holds the scales once more, multiplied out: it must be made of these very constants.
  const auto packed = plan.packed.at(static_cast<size_t>(step.packed)).bytes();
  const std::vector<std::byte> made = family->Pack(problem, step.tactic, device);
  if (!std::equal(made.begin(), made.end(), packed.begin(), packed.end())) verdict.deviation = INFINITY;
  return verdict;
}

/// Compares steps of a plan with the source, one after another.
class StepComparer {
 public:
  StepComparer(const Program& plan, const Device& device, const SourceGraphs& source)
      : plan_(plan),
        device_(device),
        factors_(plan, device),
        steps_(source.as_built, NodeFinder::Depth::kSteps),
        fp32_steps_(source.fp32, NodeFinder::Depth::kSteps),
        fp32_nodes_(source.fp32, NodeFinder::Depth::kBodies) {}

  StepVerdict Compare(const ProgramStep& step) {
    const Node* node = steps_.Next(step.name, step.op);
    const Node* fp32 = fp32_steps_.Next(step.name, step.op);
    if (step.compute == DType::kInt8 && node && !IsInt8(node->op())) {
      if (!fp32 || !fp32->As<Conv>()) return {.compared = false};
      return CompareInt8Conv(plan_, step, *fp32, device_, factors_);
    }
    if (node) {
      const StepVerdict verdict = CompareStep(plan_, step, *node, device_, factors_);
      if (verdict.compared) return verdict;
    }
    if (plan_.precision != "int8") return {.compared = HoldsNothing(step)};
    if (!node && (step.op == QuantizeLinear::kName || step.op == DequantizeLinear::kName)) return {};
    const StepDescription description = DescribeStep(plan_, step);
    const auto* region = dynamic_cast<const Region*>(description.op.get());
    return region ? CompareNodes(*region->body, fp32_nodes_) : StepVerdict{.compared = HoldsNothing(step)};
  }

 private:
  const Program& plan_;
  const Device& device_;
  const StoredFactors factors_;
  NodeFinder steps_, fp32_steps_, fp32_nodes_;
};

}  // namespace

Check CheckWeights(const Program& plan, const Device& device, const SourceGraphs& source) {
  StepComparer comparer(plan, device, source);
  Check check{.name = "weights", .value = 0, .threshold = 1};
  int64_t compared = 0;
  std::string worst, unknown;
  for (const ProgramStep& step : plan.steps) {
    const StepVerdict verdict = comparer.Compare(step);
    compared += verdict.compared;
    if (!verdict.compared && unknown.empty()) unknown = fmt::format("{} ({})", step.name, step.op);
    if (verdict.deviation > *check.value) worst = step.name;
    check.value = std::max(*check.value, verdict.deviation);
  }
  check.status = unknown.empty() ? CheckStatus::kPass : CheckStatus::kNotJudged;
  check.detail = fmt::format("{} of {} steps hold the source's constants", compared, plan.steps.size());
  if (!unknown.empty()) check.detail += fmt::format("; {} has none to compare with in the source's graph", unknown);
  if (*check.value > 1) {
    check.status = CheckStatus::kFail;
    check.detail = fmt::format("the constants of {} are not the source's: off by {:.3g} times what rounding explains",
                               worst, *check.value);
  }
  check.more = {{"compared_steps", compared}, {"steps", plan.steps.size()}};
  if (!std::isfinite(*check.value)) check.value.reset();
  return check;
}

}  // namespace tenon
