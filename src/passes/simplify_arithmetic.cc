#include "passes/simplify_arithmetic.h"

#include <cmath>

#include "ops/operands.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// A power of two whose reciprocal is a normal float: multiplying by it rounds as dividing does.
bool HasExactReciprocal(double divisor) {
  int exponent = 0;
  return std::abs(std::frexp(divisor, &exponent)) == 0.5 && exponent > -120 && exponent < 120;
}

Value* AddLike(Graph& graph, const Tensor& constant, double (*f)(double)) {
  std::vector<double> values = ToDoubles(constant);
  for (double& value : values) value = f(value);
  return graph.AddConstant(FromDoubles(values, constant.dtype(), constant.shape()));
}

bool Replace(Graph& graph, Node* node, std::unique_ptr<Op> op, std::vector<Value*> inputs) {
  ReplaceByNode(graph, node->output(), std::move(op), std::move(inputs));
  return true;
}

bool SimplifyPower(Graph& graph, Node* node) {
  Value* x = node->input(0);
  const auto exponent = SplatValue(node->input(1));
  if (!exponent || !SameShape(x, node->output())) return false;
  if (*exponent == 2) return Replace(graph, node, std::make_unique<Binary>(MakeBinary(BinaryKind::kMul)), {x, x});
  if (*exponent == 0.5) return Replace(graph, node, std::make_unique<Unary>(MakeUnary(UnaryKind::kSqrt)), {x});
  if (*exponent == -1) return Replace(graph, node, std::make_unique<Unary>(MakeUnary(UnaryKind::kReciprocal)), {x});
  return false;
}

bool SimplifyDivision(Graph& graph, Node* node) {
  const auto divisor = SplatValue(node->input(1));
  if (!divisor || !HasExactReciprocal(*divisor)) return false;
  Value* reciprocal = AddLike(graph, node->input(1)->constant(), [](double v) { return 1 / v; });
  return Replace(graph, node, std::make_unique<Binary>(MakeBinary(BinaryKind::kMul)), {node->input(0), reciprocal});
}

bool SimplifySubtraction(Graph& graph, Node* node) {
  if (!node->input(1)->is_constant()) return false;
  Value* negative = AddLike(graph, node->input(1)->constant(), [](double v) { return -v; });
  return Replace(graph, node, std::make_unique<Binary>(MakeBinary(BinaryKind::kAdd)), {node->input(0), negative});
}

bool PutConstantSecond(Graph& graph, Node* node) {
  if (!node->input(0)->is_constant() || node->input(1)->is_constant()) return false;
  return Replace(graph, node, node->op().Clone(), {node->input(1), node->input(0)});
}

bool Simplify(Graph& graph, Node* node, BinaryKind kind) {
  switch (kind) {
    case BinaryKind::kPow:
      return SimplifyPower(graph, node);
    case BinaryKind::kDiv:
      return SimplifyDivision(graph, node);
    case BinaryKind::kSub:
      return SimplifySubtraction(graph, node);
    case BinaryKind::kAdd:
    case BinaryKind::kMul:
    case BinaryKind::kMin:
    case BinaryKind::kMax:
      return PutConstantSecond(graph, node);
    default:
      return false;
  }
}

}  // namespace

bool SimplifyArithmetic(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    const auto* binary = node->As<Binary>();
    if (binary && IsFloat(node->output()->dtype())) changed |= Simplify(graph, node, binary->kind);
  }
  return changed;
}

}  // namespace tenon
