#include <array>
#include <cmath>

#include "onnx/write_op.h"
#include "ops/pointwise.h"

namespace tenon {
namespace {

/// ONNX's names in the order of UnaryKind. "": written by hand below.
constexpr std::array<std::string_view, 43> kUnaryOps = {"Relu",
                                                        "LeakyRelu",
                                                        "",
                                                        "",
                                                        "Sigmoid",
                                                        "HardSigmoid",
                                                        "HardSwish",
                                                        "Tanh",
                                                        "Gelu",
                                                        "Gelu",
                                                        "Mish",
                                                        "Elu",
                                                        "Selu",
                                                        "Celu",
                                                        "Softplus",
                                                        "Softsign",
                                                        "ThresholdedRelu",
                                                        "Erf",
                                                        "Exp",
                                                        "Log",
                                                        "Sqrt",
                                                        "Abs",
                                                        "Neg",
                                                        "Reciprocal",
                                                        "Floor",
                                                        "Ceil",
                                                        "Round",
                                                        "Sign",
                                                        "Sin",
                                                        "Cos",
                                                        "Tan",
                                                        "Asin",
                                                        "Acos",
                                                        "Atan",
                                                        "Sinh",
                                                        "Cosh",
                                                        "Asinh",
                                                        "Acosh",
                                                        "Atanh",
                                                        "Not",
                                                        "IsNaN",
                                                        "IsInf",
                                                        "Identity"};
static_assert(kUnaryOps.size() == kUnaryNames.size());

constexpr std::array<std::string_view, 21> kBinaryOps = {
    "Add",       "Sub",  "Mul",         "Div",        "Pow",
    "Min",       "Max",  "Mod",         "Mod",        "PRelu",
    "Equal",     "Less", "LessOrEqual", "Greater",    "GreaterOrEqual",
    "And",       "Or",   "Xor",         "BitwiseAnd", "BitwiseOr",
    "BitwiseXor"};
static_assert(kBinaryOps.size() == kBinaryNames.size());

/// Emits one node as the last of the op or as one in between.
NodeAttrs Put(const WriteContext& context, std::string_view op_type, std::vector<std::string> inputs, WriteAs as,
              std::string& result) {
  if (as == WriteAs::kIntermediate) return context.Make(op_type, std::move(inputs), result);
  result = context.out();
  return context.Emit(op_type, std::move(inputs));
}

void SetUnaryAttrs(const Unary& op, NodeAttrs attrs) {
  switch (op.kind) {
    case UnaryKind::kLeakyRelu:
    case UnaryKind::kElu:
    case UnaryKind::kCelu:
    case UnaryKind::kThresholdedRelu:
      attrs.Float("alpha", op.alpha);
      return;
    case UnaryKind::kHardSigmoid:
      attrs.Float("alpha", op.alpha).Float("beta", op.beta);
      return;
    case UnaryKind::kSelu:
      attrs.Float("alpha", op.alpha).Float("gamma", op.beta);
      return;
    case UnaryKind::kGeluErf:
      attrs.String("approximate", "none");
      return;
    case UnaryKind::kGeluTanh:
      attrs.String("approximate", "tanh");
      return;
    case UnaryKind::kIsInf:
      attrs.Int("detect_negative", op.alpha != 0).Int("detect_positive", op.beta != 0);
      return;
    default:
      return;
  }
}

void WriteUnaryNode(const WriteContext& context) {
  WriteUnary(context, *context.node().As<Unary>(), context.in(0), context.dtype(), WriteAs::kResult);
}

void WriteBinary(const WriteContext& context) {
  const BinaryKind kind = context.node().As<Binary>()->kind;
  NodeAttrs attrs = context.Emit(kBinaryOps[static_cast<size_t>(kind)], context.inputs());
  if (kind == BinaryKind::kFmod) attrs.Int("fmod", 1);
}

}  // namespace

std::string WriteUnary(const WriteContext& context, const Unary& op, const std::string& x, DType dtype, WriteAs as) {
  std::string result;
  if (op.kind == UnaryKind::kSilu) {
    Put(context, "Mul", {x, context.Make("Sigmoid", {x})}, as, result);
  } else if (op.kind == UnaryKind::kClip) {
    // No bound where an integer type ends anyway.
    const auto bound = [&](float value) {
      return IsFloat(dtype) || std::isfinite(value) ? context.Scalar(dtype, value) : "";
    };
    Put(context, "Clip", {x, bound(op.alpha), bound(op.beta)}, as, result);
  } else {
    SetUnaryAttrs(op, Put(context, kUnaryOps[static_cast<size_t>(op.kind)], {x}, as, result));
  }
  return result;
}

std::span<const OpWriter> PointwiseWriters() {
  static constexpr OpWriter writers[] = {{"Unary", WriteUnaryNode}, {"Binary", WriteBinary}};
  return writers;
}

}  // namespace tenon
