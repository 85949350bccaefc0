#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

/// Functions of one operand; alpha, beta as ONNX defines them for the function. Comparisons aside, the output has the
/// input's type (IsNaN, IsInf, Not give bool).
enum class UnaryKind {
  kRelu,
  kLeakyRelu,
  kClip,
  kSilu,
  kSigmoid,
  kHardSigmoid,
  kHardSwish,
  kTanh,
  kGeluErf,
  kGeluTanh,
  kMish,
  kElu,
  kSelu,
  kCelu,
  kSoftplus,
  kSoftsign,
  kThresholdedRelu,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kAbs,
  kNeg,
  kReciprocal,
  kFloor,
  kCeil,
  kRound,
  kSign,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kAsinh,
  kAcosh,
  kAtanh,
  kNot,
  kIsNaN,
  kIsInf,
  kIdentity,
};
inline constexpr std::array<std::string_view, 43> kUnaryNames = {"relu",
                                                                 "leaky_relu",
                                                                 "clip",
                                                                 "silu",
                                                                 "sigmoid",
                                                                 "hard_sigmoid",
                                                                 "hard_swish",
                                                                 "tanh",
                                                                 "gelu_erf",
                                                                 "gelu_tanh",
                                                                 "mish",
                                                                 "elu",
                                                                 "selu",
                                                                 "celu",
                                                                 "softplus",
                                                                 "softsign",
                                                                 "thresholded_relu",
                                                                 "erf",
                                                                 "exp",
                                                                 "log",
                                                                 "sqrt",
                                                                 "abs",
                                                                 "neg",
                                                                 "reciprocal",
                                                                 "floor",
                                                                 "ceil",
                                                                 "round",
                                                                 "sign",
                                                                 "sin",
                                                                 "cos",
                                                                 "tan",
                                                                 "asin",
                                                                 "acos",
                                                                 "atan",
                                                                 "sinh",
                                                                 "cosh",
                                                                 "asinh",
                                                                 "acosh",
                                                                 "atanh",
                                                                 "not",
                                                                 "is_nan",
                                                                 "is_inf",
                                                                 "identity"};

/// The function in double precision: the definition that every kernel is checked against. Not: 1 where x is 0.
double ApplyUnary(UnaryKind kind, double x, double alpha, double beta);

/// y[i] = f(x[i]). The first twelve kinds are those of Activation, in its order without kNone.
/// Clip takes constant bounds (alpha, beta); bounds that are operands are imported as Min and Max.
/// Selu: alpha and beta (gamma). Celu, ThresholdedRelu: alpha. IsInf: -inf counts where alpha != 0, +inf where beta !=
/// 0. Relu, Clip, Abs, Neg, Sign and Identity take integers too; Not takes bool; all others floats.
struct Unary : OpBase<Unary> {
  static constexpr std::string_view kName = "Unary";
  UnaryKind kind = UnaryKind::kIdentity;
  float alpha = 0, beta = 0;

  OpClass op_class() const override { return OpClass::kPointwise; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// Functions of two operands with NumPy broadcasting. Comparisons and logic give bool. kMod is ONNX Mod with fmod = 0
/// (sign of the divisor), kFmod with fmod = 1. kPRelu: x < 0 ? slope * x : x. kMin and kMax give NaN where either is
/// NaN. Both operands have one type, except that the exponent of kPow may have another (the result has the base's).
/// Integers wrap; division by 0 gives 0, as NumPy's.
enum class BinaryKind {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPow,
  kMin,
  kMax,
  kMod,
  kFmod,
  kPRelu,
  kEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kXor,
  kBitwiseAnd,
  kBitwiseOr,
  kBitwiseXor,
};
inline constexpr std::array<std::string_view, 21> kBinaryNames = {
    "add",        "sub",  "mul",           "div",         "pow",
    "min",        "max",  "mod",           "fmod",        "prelu",
    "equal",      "less", "less_or_equal", "greater",     "greater_or_equal",
    "and",        "or",   "xor",           "bitwise_and", "bitwise_or",
    "bitwise_xor"};

struct Binary : OpBase<Binary> {
  static constexpr std::string_view kName = "Binary";
  BinaryKind kind = BinaryKind::kAdd;

  OpClass op_class() const override { return OpClass::kPointwise; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// condition ? a : b with broadcasting (ONNX Where). Inputs: condition (bool), a, b.
struct Where : OpBase<Where> {
  static constexpr std::string_view kName = "Where";
  OpClass op_class() const override { return OpClass::kPointwise; }
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// Element type conversion (ONNX Cast, CastLike).
struct Cast : OpBase<Cast> {
  static constexpr std::string_view kName = "Cast";
  DType to = DType::kFloat32;
  OpClass op_class() const override { return OpClass::kPointwise; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
