#include "onnx/converter_list.h"
#include "onnx/enum_attr.h"
#include "ops/gather.h"
#include "ops/scatter.h"

namespace tenon {
namespace {

/// Gather and GatherElements: data, indices, an axis.
template <class T>
std::vector<Value*> ConvertAlongAxis(ConvertContext& ctx) {
  T op;
  op.axis = ctx.Int("axis", 0);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

std::vector<Value*> ConvertGatherND(ConvertContext& ctx) {
  GatherND op;
  op.batch_dims = ctx.Int("batch_dims", 0);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

ScatterReduction ReductionAttr(ConvertContext& ctx) {
  return EnumAttr<ScatterReduction>(ctx, "reduction", "none", kScatterReductionNames);
}

std::vector<Value*> ConvertScatterElements(ConvertContext& ctx) {
  ScatterElements op;
  op.axis = ctx.Int("axis", 0);
  op.reduction = ReductionAttr(ctx);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

std::vector<Value*> ConvertScatterND(ConvertContext& ctx) {
  ScatterND op;
  op.reduction = ReductionAttr(ctx);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

}  // namespace

ConverterList GatherConverters() {
  return {{"Gather", ConvertAlongAxis<Gather>, 2},
          {"GatherElements", ConvertAlongAxis<GatherElements>, 2},
          {"GatherND", ConvertGatherND, 2},
          {"Scatter", ConvertScatterElements, 3},  // its name before opset 11
          {"ScatterElements", ConvertScatterElements, 3},
          {"ScatterND", ConvertScatterND, 3}};
}

}  // namespace tenon
