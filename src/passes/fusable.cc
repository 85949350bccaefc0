#include "passes/fusable.h"

#include <algorithm>

#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/operands.h"

namespace tenon {

Epilogue* EpilogueOf(Op& op) {
  if (auto* conv = dynamic_cast<Conv*>(&op)) return &conv->epilogue;
  if (auto* conv = dynamic_cast<ConvTranspose*>(&op)) return &conv->epilogue;
  if (auto* matmul = dynamic_cast<MatMul*>(&op)) return &matmul->epilogue;
  return nullptr;
}

const Epilogue* EpilogueOf(const Op& op) { return EpilogueOf(const_cast<Op&>(op)); }

int64_t ChannelAxis(const Node& node) {
  return node.As<MatMul>() ? static_cast<int64_t>(node.output()->shape().size()) - 1 : 1;
}

int64_t ChannelCount(const Node& node) { return node.output()->shape().at(ChannelAxis(node)); }

bool HasPlainEpilogue(const Node& node) {
  const Epilogue* epilogue = EpilogueOf(node.op());
  return epilogue && epilogue->activation == Activation::kNone && epilogue->post == Activation::kNone &&
         !node.input(kResidualOperand);
}

std::optional<std::vector<double>> PerChannelValues(const Value* value, const Shape& shape, int64_t axis) {
  if (!value || !value->is_constant() || axis < 0 || axis >= static_cast<int64_t>(shape.size())) return {};
  const Shape& own = value->constant().shape();
  if (own.size() > shape.size()) return {};
  const int64_t own_axis = axis - static_cast<int64_t>(shape.size() - own.size());
  for (int64_t i = 0; i < static_cast<int64_t>(own.size()); ++i) {
    if (own[i] != 1 && (i != own_axis || own[i] != shape[axis])) return {};
  }
  std::vector<double> values = ToDoubles(value->constant());
  if (values.size() == 1) values.resize(static_cast<size_t>(shape[axis]), values[0]);
  return values;
}

std::vector<Value*> PaddedOperands(const Node& node) {
  std::vector<Value*> operands = node.inputs();
  operands.resize(std::max(operands.size(), kResidualOperand + 1), nullptr);
  return operands;
}

}  // namespace tenon
