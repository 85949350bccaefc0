#include "onnx/converter_list.h"
#include "ops/gather.h"

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

}  // namespace

ConverterList GatherConverters() {
  return {{"Gather", ConvertAlongAxis<Gather>, 2},
          {"GatherElements", ConvertAlongAxis<GatherElements>, 2},
          {"GatherND", ConvertGatherND, 2}};
}

}  // namespace tenon
