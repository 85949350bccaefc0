#include <fmt/format.h>

#include "backends/region/region_pieces.h"
#include "ops/reduce.h"
#include "ops/region.h"

namespace tenon::region {
namespace {

/// The body to generate: the region's own, or the single op as a body of one node.
std::shared_ptr<Graph> BodyOf(const StepProblem& problem) {
  if (const auto* region = dynamic_cast<const Region*>(problem.op)) return region->body;
  auto body = std::make_shared<Graph>();
  std::vector<Value*> inputs;
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    inputs.push_back(body->AddInput(fmt::format("x{}", i), {problem.inputs[i].dtype, problem.inputs[i].shape}));
  }
  Node* node = body->Add(problem.op->Clone(), inputs);
  for (Value* output : node->outputs()) body->AddOutput(output, output->name());
  return body;
}

bool IsKnownOp(const Op& op) {
  return dynamic_cast<const Region*>(&op) || dynamic_cast<const Softmax*>(&op) || op.op_class() == OpClass::kPointwise;
}

void CheckProblem(const StepProblem& problem) {
  if (!IsKnownOp(*problem.op))
    throw RegionUnsupported{fmt::format("{} is no region or pointwise op", problem.op->name())};
  for (const auto* operands : {&problem.inputs, &problem.outputs}) {
    for (const KernelOperand& operand : *operands) {
      if (!operand.present) throw RegionUnsupported{"an absent operand"};
    }
  }
}

}  // namespace

RegionPlan PlanRegion(const StepProblem& problem) {
  CheckProblem(problem);
  const std::shared_ptr<Graph> shared = BodyOf(problem);
  const Graph& body = *shared;
  for (size_t i = 0; i < problem.outputs.size(); ++i) {
    if (body.outputs().at(i)->shape() != problem.outputs[i].shape)
      throw RegionUnsupported{"outputs other than the body's"};
  }
  return MakeRegionNests(body, problem);
}

}  // namespace tenon::region
