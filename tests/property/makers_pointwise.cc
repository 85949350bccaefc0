#include <algorithm>

#include "graph_maker.h"
#include "ops/pointwise.h"
#include "ops/quantize.h"

namespace tenon::property {
namespace {

void SetParameters(GraphMaker& m, Unary& op) {
  switch (op.kind) {
    case UnaryKind::kLeakyRelu:
    case UnaryKind::kElu:
    case UnaryKind::kCelu:
    case UnaryKind::kThresholdedRelu:
      op.alpha = m.Pick({0.1f, 1.0f, 0.25f, 1.5f});
      break;
    case UnaryKind::kClip:
      op.alpha = m.Pick({-1.0f, 0.0f, -0.5f});
      op.beta = m.Pick({1.0f, 6.0f, 0.5f, 0.0f});
      break;
    case UnaryKind::kHardSigmoid:
      op.alpha = m.Pick({1.0f / 6, 0.2f});
      op.beta = 0.5f;
      break;
    case UnaryKind::kSelu:
      op.alpha = 1.67326f;
      op.beta = 1.0507f;
      break;
    case UnaryKind::kIsInf:
      op.alpha = m.Pick({1.0f, 0.0f});
      op.beta = m.Pick({1.0f, 0.0f});
      break;
    default:
      break;
  }
}

void MakeUnary(GraphMaker& m) {
  Unary op;
  op.kind = m.PickEnum<UnaryKind>(kUnaryNames.size());
  SetParameters(m, op);
  Value* x = m.Operand([&](const Value& value) {
    if (op.kind == UnaryKind::kNot) return value.dtype() == DType::kBool;
    return IsFloatValue(value);
  });
  if (!x) return;
  // What is undefined below 0 would mostly make NaN, behind which nothing can be seen.
  const bool needs_positive = op.kind == UnaryKind::kLog || op.kind == UnaryKind::kSqrt || op.kind == UnaryKind::kAcosh;
  if (needs_positive && !m.OneIn(5)) {
    Unary abs;
    abs.kind = UnaryKind::kAbs;
    Node* node = m.Emit(abs, {x});
    if (!node) return;
    x = node->output();
  }
  m.Emit(op, {x});
}

void MakeIntegerUnary(GraphMaker& m) {
  Unary op;
  op.kind = m.Pick(
      {UnaryKind::kIdentity, UnaryKind::kRelu, UnaryKind::kAbs, UnaryKind::kNeg, UnaryKind::kSign, UnaryKind::kClip});
  SetParameters(m, op);
  if (Value* x = m.Operand([](const Value& v) { return !IsFloatValue(v) && v.dtype() != DType::kBool; }))
    m.Emit(op, {x});
}

/// Shapes that broadcast with x's: a scalar, its channels, its last dimension, all of it, one with ones.
Shape BroadcastPartner(GraphMaker& m, const Shape& x) {
  Shape shape = x;
  switch (m.Draw(5)) {
    case 0:
      return {};
    case 1:
      if (x.size() < 2) return {1};
      shape.assign(x.size() - 1, 1);
      shape[0] = x[1];
      return shape;
    case 2:
      return x.empty() ? Shape{} : Shape{x.back()};
    case 3:
      return x;
    default:
      for (int64_t& dim : shape) dim = m.OneIn(2) ? dim : 1;
      return shape;
  }
}

bool Broadcasts(const Value& a, const Value& b) {
  try {
    BroadcastShapes(a.shape(), b.shape());
  } catch (const Error&) {
    return false;
  }
  return true;
}

/// Another operand for x: a value that broadcasts with it, or a parameter.
Value* Partner(GraphMaker& m, Value* x) {
  if (m.Draw(2) == 0) return m.RandomParameter(x->dtype(), BroadcastPartner(m, x->shape()));
  return m.Operand([&](const Value& value) { return value.dtype() == x->dtype() && Broadcasts(value, *x); });
}

void EmitBinary(GraphMaker& m, BinaryKind kind, Value* a, Value* b) {
  Binary op;
  op.kind = kind;
  if (!a || !b) return;
  if (a == b && (kind == BinaryKind::kDiv || kind == BinaryKind::kFmod)) return;  // 0 / 0 wherever a result underflows
  // An exponent that isn't small only makes infinities.
  if (m.OneIn(3) && kind != BinaryKind::kPow) std::swap(a, b);
  m.Emit(op, {a, b});
}

void MakeBinary(GraphMaker& m) {
  Value* x = m.Operand(IsFloatValue);
  if (!x) return;
  const auto kind = m.Pick({BinaryKind::kAdd, BinaryKind::kMul, BinaryKind::kSub, BinaryKind::kAdd, BinaryKind::kMul,
                            BinaryKind::kDiv, BinaryKind::kMin, BinaryKind::kMax, BinaryKind::kPRelu, BinaryKind::kPow,
                            BinaryKind::kFmod});
  if (kind != BinaryKind::kPow) return EmitBinary(m, kind, x, Partner(m, x));
  // Other exponents of negative numbers are NaN or not as they are rounded.
  EmitBinary(m, kind, x,
             m.Constant(Tensor::Scalar<double>(m.Pick({2.0, 0.5, 3.0, 1.0, 0.0, -1.0})).CastTo(x->dtype())));
}

void MakeComparison(GraphMaker& m) {
  Value* x = m.Operand([](const Value& value) { return value.dtype() != DType::kBool; });
  if (!x) return;
  const auto kind = m.Pick({BinaryKind::kLess, BinaryKind::kEqual, BinaryKind::kLessOrEqual, BinaryKind::kGreater,
                            BinaryKind::kGreaterOrEqual});
  EmitBinary(m, kind, x, Partner(m, x));
}

void MakeLogic(GraphMaker& m) {
  Value* x = m.Operand([](const Value& value) { return value.dtype() == DType::kBool; });
  if (x) EmitBinary(m, m.Pick({BinaryKind::kAnd, BinaryKind::kOr, BinaryKind::kXor}), x, Partner(m, x));
}

void MakeIntegerBinary(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return !IsFloatValue(v) && v.dtype() != DType::kBool; });
  if (!x) return;
  const auto kind = m.Pick({BinaryKind::kAdd, BinaryKind::kMul, BinaryKind::kSub, BinaryKind::kMin, BinaryKind::kMax,
                            BinaryKind::kDiv, BinaryKind::kMod, BinaryKind::kFmod, BinaryKind::kBitwiseAnd,
                            BinaryKind::kBitwiseOr, BinaryKind::kBitwiseXor});
  EmitBinary(m, kind, x, Partner(m, x));
}

void MakeWhere(GraphMaker& m) {
  Value* a = m.Operand(AnyValue);
  if (!a) return;
  Value* b = Partner(m, a);
  Value* condition = m.Operand([&](const Value& v) { return v.dtype() == DType::kBool && Broadcasts(v, *a); });
  if (!condition) condition = m.RandomParameter(DType::kBool, BroadcastPartner(m, a->shape()));
  if (b) m.Emit(Where(), {condition, a, b});
}

void MakeCast(GraphMaker& m) {
  Cast op;
  op.to = m.Pick({DType::kFloat32, DType::kInt64, DType::kFloat16, DType::kInt32, DType::kBool, DType::kFloat64,
                  DType::kBFloat16, DType::kUInt8, DType::kInt8});
  // NaN and what is out of range have no defined integer.
  const bool to_integer = !IsFloat(op.to) && op.to != DType::kBool;
  Value* x = m.Operand([&](const Value& value) { return !to_integer || !IsFloatValue(value); });
  if (x) m.Emit(op, {x});
}

/// Scale and zero point of one element or one per channel; DequantizeLinear of the same, mostly.
void MakeQuantize(GraphMaker& m) {
  Value* x = m.Operand(IsFloat32);
  if (!x) return;
  QuantizeLinear quantize;
  quantize.to = m.Pick({DType::kInt8, DType::kUInt8});
  const bool per_channel = m.OneIn(3) && RankOf(*x) >= 2;
  const Shape shape = per_channel ? Shape{x->shape()[1]} : Shape{};
  Tensor scale(DType::kFloat32, shape);
  for (int64_t i = 0; i < scale.elems(); ++i)
    scale.data<float>()[i] = 0.02f + 0.01f * static_cast<float>(m.Draw(5)) + 0.001f * static_cast<float>(i % 7);
  Value* scales = m.Parameter(scale);
  if (!scales->is_constant()) return;  // a scale of 0 divides by it
  Value* zero = m.OneIn(2) ? m.Constant(RandomData({quantize.to, shape}, 5, DataStyle::kReal)) : nullptr;
  Node* node = m.Emit(quantize, {x, scales, zero});
  if (node && !m.OneIn(4)) m.Emit(DequantizeLinear(), {node->output(), scales, zero});
}

}  // namespace

std::span<const Maker> PointwiseMakers() {
  static const Maker makers[] = {
      {"Unary", MakeUnary, 10},      {"IntegerUnary", MakeIntegerUnary, 1},
      {"Binary", MakeBinary, 10},    {"Comparison", MakeComparison, 2},
      {"Logic", MakeLogic, 1},       {"IntegerBinary", MakeIntegerBinary, 2},
      {"Where", MakeWhere, 2},       {"Cast", MakeCast, 2},
      {"Quantize", MakeQuantize, 1},
  };
  return makers;
}

}  // namespace tenon::property
