#include "ops/region.h"

#include "ops/evaluate.h"

namespace tenon {

void Region::VisitAttrs(AttrVisitor& visitor) { visitor.Body("body", body); }

std::vector<TensorType> Region::Infer(std::span<const InferInput> inputs) const {
  if (!body || inputs.size() != body->inputs().size())
    ThrowInvalid("a region has {} operands, not those of its body", inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type && *inputs[i].type == body->inputs()[i]->type()) continue;
    ThrowInvalid({.what = "a region's operand doesn't fit its body",
                  .where = body->inputs()[i]->name(),
                  .got = inputs[i].type ? ToString(*inputs[i].type) : "none",
                  .expected = ToString(body->inputs()[i]->type())});
  }
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
