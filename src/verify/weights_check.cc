#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "backends/cpu/cpu_program.h"
#include "backends/cpu/tactic_list.h"
#include "ir/text.h"
#include "ops/region.h"
#include "verify/checks.h"

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
                    const CpuDevice& device) {
  if (problem.inputs[input].is_constant && !problem.inputs[input].constant.is_null())
    return problem.inputs[input].constant;
  const KernelFamily* family = FindCpuKernelFamily(step.family);
  if (!family || family->version() != step.family_version || step.packed < 0) return {};
  const Tensor held =
      family->Unpack(problem, step.tactic, device, plan.packed.at(static_cast<size_t>(step.packed)).bytes(), input);
  return held.is_null() ? held : held.CastTo(problem.inputs[input].dtype);  // families unpack to FP32
}

/// The source's node of a step, by name and op; of several with one name, one after another.
class NodeFinder {
 public:
  explicit NodeFinder(const Graph& graph) {
    for (const auto& node : graph.nodes()) nodes_[{node->name(), std::string(node->op().name())}].push_back(node.get());
  }
  const Node* Next(const ProgramStep& step) {
    const auto found = nodes_.find({step.name, step.op});
    if (found == nodes_.end() || found->second.empty()) return nullptr;
    const Node* node = found->second.front();
    found->second.pop_front();
    return node;
  }

 private:
  std::map<std::pair<std::string, std::string>, std::deque<const Node*>> nodes_;
};

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

/// Nothing in the step can differ from the source: no constants, no body.
bool HoldsNothing(const ProgramStep& step) {
  return step.op != "Region" && std::all_of(step.inputs.begin(), step.inputs.end(), [](const ProgramOperand& input) {
           return input.memory != MemoryKind::kConstant && input.memory != MemoryKind::kPacked;
         });
}

StepVerdict CompareStep(const Program& plan, const ProgramStep& step, const Node& node, const CpuDevice& device) {
  if (step.inputs.size() != node.inputs().size()) return {.compared = false};
  const StepDescription description = DescribeStep(plan, step);
  StepVerdict verdict;
  if (const auto* region = dynamic_cast<const Region*>(description.op.get()))
    verdict = CompareBodies(*region->body, *node.As<Region>()->body);
  else
    verdict.compared = step.attrs == PrintAttrs(node.op());
  if (!verdict.compared) return verdict;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const Value* value = node.input(i);
    const bool constant = value && value->is_constant();
    if (constant != description.problem.inputs[i].is_constant) return {.compared = false};
    if (!constant) continue;
    verdict.Add(PlanConstant(plan, step, description.problem, i, device), value->constant());
    if (!verdict.compared) return verdict;
  }
  return verdict;
}

}  // namespace

Check CheckWeights(const Program& plan, const CpuDevice& device, const Graph& source) {
  NodeFinder finder(source);
  Check check{.name = "weights", .value = 0, .threshold = 1};
  int64_t compared = 0;
  std::string worst, unknown;
  for (const ProgramStep& step : plan.steps) {
    const Node* node = finder.Next(step);
    StepVerdict verdict{.compared = HoldsNothing(step)};
    if (node) verdict = CompareStep(plan, step, *node, device);
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
