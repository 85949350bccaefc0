#include "ops/region.h"

#include "ops/evaluate.h"

namespace tenon {

void Region::VisitAttrs(AttrVisitor& visitor) { visitor.Body("body", body); }

std::vector<TensorType> Region::Infer(std::span<const InferInput> inputs) const {
  TENON_CHECK(body && inputs.size() == body->inputs().size(), "region operands");
  std::vector<TensorType> types;
  for (const Value* output : body->outputs()) types.push_back(output->type());
  return types;
}

std::vector<Tensor> Region::Evaluate(std::span<const Tensor> inputs) const { return EvaluateGraph(*body, inputs); }

Cost Region::EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost = Op::EstimateCost(inputs, outputs);
  cost.flops = 0;
  for (const auto& node : body->nodes()) cost.flops += EstimateNodeCost(*node).flops;
  return cost;
}

}  // namespace tenon
