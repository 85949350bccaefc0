#include "onnx/converter_list.h"
#include "onnx/tensor_proto.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace tenon {
namespace {

std::vector<Value*> ConvertShape(ConvertContext& ctx) {
  ShapeOf op;
  op.start = ctx.Int("start", op.start);
  op.end = ctx.Int("end", op.end);
  // A static shape is a constant whatever the elements are.
  const Value* x = ctx.input(0);
  return {x->has_shape() ? ctx.Constant(op.Value(x->shape())) : ctx.Emit(op, {ctx.input(0)})};
}

std::vector<Value*> ConvertSize(ConvertContext& ctx) {
  const Value* x = ctx.input(0);
  return {x->has_shape() ? ctx.Constant(Tensor::Scalar(ElemCount(x->shape()))) : ctx.Emit(Size{}, {ctx.input(0)})};
}

/// A fill value in every place: Expand of the scalar.
std::vector<Value*> ConvertConstantOfShape(ConvertContext& ctx) {
  Tensor value = ctx.TensorAttr("value");
  if (value.is_null()) value = Tensor::Scalar(0.0f);
  if (value.elems() != 1) ThrowInvalid("ConstantOfShape: the value has {} elements", value.elems());
  return {ctx.Emit(Expand{}, {ctx.Constant(value.Reshaped({})), ctx.input(0)})};
}

Tensor ConstantValue(ConvertContext& ctx) {
  if (ctx.HasAttr("value")) return ctx.TensorAttr("value");
  if (ctx.HasAttr("value_float")) return Tensor::Scalar(ctx.Float("value_float", 0));
  if (ctx.HasAttr("value_int")) return Tensor::Scalar(ctx.Int("value_int", 0));
  if (ctx.HasAttr("value_floats")) {
    const std::vector<float> values = ctx.Floats("value_floats");
    return Tensor::Of<float>({static_cast<int64_t>(values.size())}, values);
  }
  if (ctx.HasAttr("value_ints")) {
    const std::vector<int64_t> values = ctx.Ints("value_ints");
    return Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  ctx.Unsupported("strings and sparse tensors");
}

std::vector<Value*> ConvertConstant(ConvertContext& ctx) { return {ctx.Constant(ConstantValue(ctx))}; }

std::vector<Value*> ConvertRange(ConvertContext& ctx) {
  return {ctx.Emit(Range{}, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

std::vector<Value*> ConvertEyeLike(ConvertContext& ctx) {
  EyeLike op;
  op.dtype = ctx.input(0)->dtype();
  op.k = ctx.Int("k", 0);
  if (ctx.HasAttr("dtype")) {
    const auto type = static_cast<int>(ctx.Int("dtype", 0));
    const auto dtype = DTypeFromOnnx(type);
    if (!dtype) ctx.Unsupported("type " + OnnxTypeName(type));
    op.dtype = *dtype;
  }
  return {ctx.Emit(op, {ctx.input(0)})};
}

}  // namespace

ConverterList ShapeConverters() {
  return {{"Shape", ConvertShape},          {"Size", ConvertSize},      {"ConstantOfShape", ConvertConstantOfShape},
          {"Constant", ConvertConstant, 0}, {"Range", ConvertRange, 3}, {"EyeLike", ConvertEyeLike}};
}

}  // namespace tenon
