#include "onnx/converter_list.h"
#include "onnx/emit.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

template <BinaryKind kind>
Values Plain(ConvertContext& ctx) {
  return {EmitBinary(ctx, kind, ctx.input(0), ctx.input(1))};
}

/// Any number of operands, combined from the left.
Value* Chain(ConvertContext& ctx, BinaryKind kind) {
  Value* result = ctx.input(0);
  for (size_t i = 1; i < ctx.inputs.size(); ++i) {
    if (!ctx.input(i)) ThrowInvalid("operand {} is missing", i);
    result = EmitBinary(ctx, kind, result, ctx.input(i));
  }
  return result;
}

template <BinaryKind kind>
Values Variadic(ConvertContext& ctx) {
  return {Chain(ctx, kind)};
}

Values ConvertMean(ConvertContext& ctx) {
  Value* sum = Chain(ctx, BinaryKind::kAdd);
  if (ctx.inputs.size() == 1) return {sum};
  return {
      EmitBinary(ctx, BinaryKind::kDiv, sum, EmitScalar(ctx, sum->dtype(), static_cast<double>(ctx.inputs.size())))};
}

Values ConvertMod(ConvertContext& ctx) {
  return {EmitBinary(ctx, ctx.Int("fmod", 0) != 0 ? BinaryKind::kFmod : BinaryKind::kMod, ctx.input(0), ctx.input(1))};
}

Values ConvertWhere(ConvertContext& ctx) { return {ctx.Emit(Where(), {ctx.input(0), ctx.input(1), ctx.input(2)})}; }

}  // namespace

ConverterList BinaryConverters() {
  return {
      {"Add", Plain<BinaryKind::kAdd>, 2},
      {"Sub", Plain<BinaryKind::kSub>, 2},
      {"Mul", Plain<BinaryKind::kMul>, 2},
      {"Div", Plain<BinaryKind::kDiv>, 2},
      {"Pow", Plain<BinaryKind::kPow>, 2},
      {"PRelu", Plain<BinaryKind::kPRelu>, 2},
      {"Mod", ConvertMod, 2},
      {"Sum", Variadic<BinaryKind::kAdd>},
      {"Min", Variadic<BinaryKind::kMin>},
      {"Max", Variadic<BinaryKind::kMax>},
      {"Mean", ConvertMean},
      {"Equal", Plain<BinaryKind::kEqual>, 2},
      {"Less", Plain<BinaryKind::kLess>, 2},
      {"LessOrEqual", Plain<BinaryKind::kLessOrEqual>, 2},
      {"Greater", Plain<BinaryKind::kGreater>, 2},
      {"GreaterOrEqual", Plain<BinaryKind::kGreaterOrEqual>, 2},
      {"And", Plain<BinaryKind::kAnd>, 2},
      {"Or", Plain<BinaryKind::kOr>, 2},
      {"Xor", Plain<BinaryKind::kXor>, 2},
      {"BitwiseAnd", Plain<BinaryKind::kBitwiseAnd>, 2},
      {"BitwiseOr", Plain<BinaryKind::kBitwiseOr>, 2},
      {"BitwiseXor", Plain<BinaryKind::kBitwiseXor>, 2},
      {"Where", ConvertWhere, 3},
  };
}

}  // namespace tenon
