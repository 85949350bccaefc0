#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx/converter_list.h"
#include "onnx/emit.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

template <UnaryKind kind>
Values Plain(ConvertContext& ctx) {
  return {EmitUnary(ctx, kind, ctx.input(0))};
}

/// Kinds with one attribute, alpha.
Values WithAlpha(ConvertContext& ctx, UnaryKind kind, float fallback) {
  return {EmitUnary(ctx, kind, ctx.input(0), ctx.Float("alpha", fallback))};
}

Values ConvertHardSigmoid(ConvertContext& ctx) {
  return {EmitUnary(ctx, UnaryKind::kHardSigmoid, ctx.input(0), ctx.Float("alpha", 0.2f), ctx.Float("beta", 0.5f))};
}

Values ConvertSelu(ConvertContext& ctx) {
  return {EmitUnary(ctx, UnaryKind::kSelu, ctx.input(0), ctx.Float("alpha", 1.67326319217681884765625f),
                    ctx.Float("gamma", 1.05070102214813232421875f))};
}

Values ConvertGelu(ConvertContext& ctx) {
  const std::string approximate = ctx.String("approximate", "none");
  if (approximate != "none" && approximate != "tanh") ctx.Unsupported("approximate=" + approximate);
  return {EmitUnary(ctx, approximate == "tanh" ? UnaryKind::kGeluTanh : UnaryKind::kGeluErf, ctx.input(0))};
}

/// x * sigmoid(alpha * x)
Values ConvertSwish(ConvertContext& ctx) {
  Value* x = ctx.input(0);
  const float alpha = ctx.Float("alpha", 1);
  if (alpha == 1) return {EmitUnary(ctx, UnaryKind::kSilu, x)};
  Value* scaled = EmitBinary(ctx, BinaryKind::kMul, x, EmitScalar(ctx, x->dtype(), alpha));
  return {EmitBinary(ctx, BinaryKind::kMul, x, EmitUnary(ctx, UnaryKind::kSigmoid, scaled))};
}

Values ConvertIsInf(ConvertContext& ctx) {
  return {EmitUnary(ctx, UnaryKind::kIsInf, ctx.input(0), ctx.Int("detect_negative", 1) != 0,
                    ctx.Int("detect_positive", 1) != 0)};
}

Values ConvertBitwiseNot(ConvertContext& ctx) {
  return {EmitBinary(ctx, BinaryKind::kBitwiseXor, ctx.input(0), EmitScalar(ctx, ctx.input(0)->dtype(), -1))};
}

/// A bound of Clip that Unary can hold: the fallback when absent, its value when constant and a float holds it exactly.
std::optional<float> StaticBound(const ConvertContext& ctx, size_t i, float fallback) {
  if (!ctx.input(i)) return fallback;
  const Tensor* bound = ctx.ConstantInput(i);
  if (!bound || bound->elems() != 1) return std::nullopt;
  const float value = static_cast<float>(bound->AsDouble(0));
  const bool exact =
      static_cast<double>(value) == bound->AsDouble(0) && (IsFloat(bound->dtype()) || std::abs(value) < 0x1p24f);
  return exact ? std::optional(value) : std::nullopt;
}

Values ConvertClip(ConvertContext& ctx) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Value* x = ctx.input(0);
  if (ctx.opset < 11)
    return {EmitUnary(ctx, UnaryKind::kClip, x, ctx.Float("min", -kInfinity), ctx.Float("max", kInfinity))};
  const auto low = StaticBound(ctx, 1, -kInfinity), high = StaticBound(ctx, 2, kInfinity);
  if (low && high) return {EmitUnary(ctx, UnaryKind::kClip, x, *low, *high)};
  if (ctx.input(1)) x = EmitBinary(ctx, BinaryKind::kMax, x, ctx.input(1));
  if (ctx.input(2)) x = EmitBinary(ctx, BinaryKind::kMin, x, ctx.input(2));
  return {x};
}

Values ConvertIdentity(ConvertContext& ctx) { return {ctx.input(0)}; }

/// Inference: y is x, and nothing was dropped.
Values ConvertDropout(ConvertContext& ctx) {
  const Tensor* training = ctx.ConstantInput(2);
  if (ctx.input(2) && (!training || training->elems() != 1 || training->AsInt(0) != 0))
    ctx.Unsupported("training_mode");
  Values results = {ctx.input(0)};
  if (ctx.output_count() < 2) return results;
  Tensor ones(DType::kBool, StaticShape(ctx, 0));
  std::fill_n(ones.data<bool>(), ones.elems(), true);
  results.push_back(EmitCast(ctx, ctx.Constant(ones), ctx.opset >= 10 ? DType::kBool : ctx.input(0)->dtype()));
  return results;
}

Values ConvertCast(ConvertContext& ctx) { return {EmitCast(ctx, ctx.input(0), DTypeAttr(ctx, ctx.Int("to", 0)))}; }
Values ConvertCastLike(ConvertContext& ctx) { return {EmitCast(ctx, ctx.input(0), ctx.input(1)->dtype())}; }

}  // namespace

ConverterList UnaryConverters() {
  return {
      {"Relu", Plain<UnaryKind::kRelu>},
      {"LeakyRelu", [](ConvertContext& ctx) { return WithAlpha(ctx, UnaryKind::kLeakyRelu, 0.01f); }},
      {"Clip", ConvertClip},
      {"Sigmoid", Plain<UnaryKind::kSigmoid>},
      {"HardSigmoid", ConvertHardSigmoid},
      {"HardSwish", Plain<UnaryKind::kHardSwish>},
      {"Swish", ConvertSwish},
      {"Mish", Plain<UnaryKind::kMish>},
      {"Tanh", Plain<UnaryKind::kTanh>},
      {"Softplus", Plain<UnaryKind::kSoftplus>},
      {"Softsign", Plain<UnaryKind::kSoftsign>},
      {"ThresholdedRelu", [](ConvertContext& ctx) { return WithAlpha(ctx, UnaryKind::kThresholdedRelu, 1); }},
      {"Gelu", ConvertGelu},
      {"Erf", Plain<UnaryKind::kErf>},
      {"Elu", [](ConvertContext& ctx) { return WithAlpha(ctx, UnaryKind::kElu, 1); }},
      {"Selu", ConvertSelu},
      {"Celu", [](ConvertContext& ctx) { return WithAlpha(ctx, UnaryKind::kCelu, 1); }},
      {"Exp", Plain<UnaryKind::kExp>},
      {"Log", Plain<UnaryKind::kLog>},
      {"Sqrt", Plain<UnaryKind::kSqrt>},
      {"Abs", Plain<UnaryKind::kAbs>},
      {"Neg", Plain<UnaryKind::kNeg>},
      {"Reciprocal", Plain<UnaryKind::kReciprocal>},
      {"Floor", Plain<UnaryKind::kFloor>},
      {"Ceil", Plain<UnaryKind::kCeil>},
      {"Round", Plain<UnaryKind::kRound>},
      {"Sign", Plain<UnaryKind::kSign>},
      {"Sin", Plain<UnaryKind::kSin>},
      {"Cos", Plain<UnaryKind::kCos>},
      {"Tan", Plain<UnaryKind::kTan>},
      {"Asin", Plain<UnaryKind::kAsin>},
      {"Acos", Plain<UnaryKind::kAcos>},
      {"Atan", Plain<UnaryKind::kAtan>},
      {"Sinh", Plain<UnaryKind::kSinh>},
      {"Cosh", Plain<UnaryKind::kCosh>},
      {"Asinh", Plain<UnaryKind::kAsinh>},
      {"Acosh", Plain<UnaryKind::kAcosh>},
      {"Atanh", Plain<UnaryKind::kAtanh>},
      {"IsNaN", Plain<UnaryKind::kIsNaN>},
      {"IsInf", ConvertIsInf},
      {"Not", Plain<UnaryKind::kNot>},
      {"BitwiseNot", ConvertBitwiseNot},
      {"Identity", ConvertIdentity},
      {"Dropout", ConvertDropout},
      {"Cast", ConvertCast},
      {"CastLike", ConvertCastLike, 2},
  };
}

}  // namespace tenon
