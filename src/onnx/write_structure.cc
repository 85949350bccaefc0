// Ops that ONNX has in another shape: other names per kind, operands for attributes, or the other way round.
#include <array>

#include "onnx/write_op.h"
#include "ops/arg_reduce.h"
#include "ops/index.h"
#include "ops/norm.h"
#include "ops/pool.h"
#include "ops/quantize.h"
#include "ops/reduce.h"
#include "ops/roi_align.h"
#include "ops/select.h"
#include "ops/shape.h"

namespace tenon {
namespace {

void WritePool(const WriteContext& context) {
  static constexpr std::array<std::string_view, 3> kOps = {"MaxPool", "AveragePool", "LpPool"};
  const Pool& op = *context.node().As<Pool>();
  NodeAttrs attrs = context.Emit(kOps[static_cast<size_t>(op.kind)], {context.in(0)});
  attrs.Ints("kernel_shape", op.kernel).Ints("strides", op.strides).Ints("dilations", op.dilations);
  attrs.Ints("pads", op.pads).Int("ceil_mode", op.ceil_mode ? 1 : 0);
  if (op.kind == PoolKind::kMax) attrs.Int("storage_order", op.column_major_indices ? 1 : 0);
  if (op.kind == PoolKind::kAverage) attrs.Int("count_include_pad", op.count_include_pad ? 1 : 0);
  if (op.kind == PoolKind::kLp) attrs.Int("p", op.p);
}

void WriteReduce(const WriteContext& context) {
  static constexpr std::array<std::string_view, 10> kOps = {
      "ReduceSum", "ReduceMean", "ReduceMax",    "ReduceMin",       "ReduceProd",
      "ReduceL1",  "ReduceL2",   "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"};
  const Reduce& op = *context.node().As<Reduce>();
  context.Emit(kOps[static_cast<size_t>(op.kind)], context.inputs())
      .Int("keepdims", op.keep_dims ? 1 : 0)
      .Int("noop_with_empty_axes", op.noop_with_empty_axes ? 1 : 0);
}

void WriteArgReduce(const WriteContext& context) {
  const ArgReduce& op = *context.node().As<ArgReduce>();
  context.Emit(op.kind == ArgReduceKind::kMax ? "ArgMax" : "ArgMin", context.inputs())
      .Int("axis", op.axis)
      .Int("keepdims", op.keep_dims ? 1 : 0)
      .Int("select_last_index", op.select_last_index ? 1 : 0);
}

void WriteSoftmax(const WriteContext& context) {
  const Softmax& op = *context.node().As<Softmax>();
  context.Emit(op.log ? "LogSoftmax" : "Softmax", context.inputs()).Int("axis", op.axis);
}

void WriteSplit(const WriteContext& context) {
  const Split& op = *context.node().As<Split>();
  NodeAttrs attrs = context.Emit("Split", context.inputs()).Int("axis", op.axis);
  if (!context.node().input(1)) attrs.Int("num_outputs", op.num_outputs);
}

void WriteShape(const WriteContext& context) {
  const ShapeOf& op = *context.node().As<ShapeOf>();
  NodeAttrs attrs = context.Emit("Shape", context.inputs()).Int("start", op.start);
  if (op.end != ShapeOf::kToEnd) attrs.Int("end", op.end);
}

void WriteRoiAlign(const WriteContext& context) {
  const RoiAlign& op = *context.node().As<RoiAlign>();
  NodeAttrs attrs = context.Emit("RoiAlign", context.inputs());
  attrs.String("mode", kRoiPoolingNames[static_cast<size_t>(op.pooling)]);
  attrs.String("coordinate_transformation_mode", op.half_pixel ? "half_pixel" : "output_half_pixel");
  attrs.Int("output_height", op.output_height).Int("output_width", op.output_width);
  attrs.Int("sampling_ratio", op.sampling_ratio).Float("spatial_scale", op.spatial_scale);
}

void WriteCompress(const WriteContext& context) {
  const Compress& op = *context.node().As<Compress>();
  NodeAttrs attrs = context.Emit("Compress", context.inputs());
  if (!op.flatten) attrs.Int("axis", op.axis);
}

void WriteUnique(const WriteContext& context) {
  const Unique& op = *context.node().As<Unique>();
  NodeAttrs attrs = context.Emit("Unique", context.inputs()).Int("sorted", op.sorted ? 1 : 0);
  if (!op.flatten) attrs.Int("axis", op.axis);
}

/// As instance normalisation over [N, groups, -1], then scale and bias per channel: opset 20 has scales per group only.
void WriteGroupNorm(const WriteContext& context) {
  const GroupNorm& op = *context.node().As<GroupNorm>();
  const Shape& x = context.node().input(0)->shape();
  const auto parameter = [&](double value) {
    return context.Constant(
        Tensor::Of<float>({op.groups}, std::vector<float>(static_cast<size_t>(op.groups), static_cast<float>(value)))
            .CastTo(context.dtype()));
  };
  Shape channels(x.size(), 1);
  channels[1] = x[1];
  const std::string rows = context.Make("Reshape", {context.in(0), context.Ints({x[0], op.groups, -1})});
  std::string normal;
  context.Make("InstanceNormalization", {rows, parameter(1), parameter(0)}, normal).Float("epsilon", op.epsilon);
  const std::string shaped = context.Make("Reshape", {normal, context.Ints({x.begin(), x.end()})});
  const auto per_channel = [&](size_t i) { return context.Make("Reshape", {context.in(i), context.Ints(channels)}); };
  context.Emit("Add", {context.Make("Mul", {shaped, per_channel(1)}), per_channel(2)});
}

void RefuseBlocks(const WriteContext& context, int64_t block_size) {
  if (block_size != 0)
    ThrowInvalid("{}: block-wise scales need a newer opset than the one that is written", context.node().name());
}

void WriteQuantize(const WriteContext& context) {
  const QuantizeLinear& op = *context.node().As<QuantizeLinear>();
  RefuseBlocks(context, op.block_size);
  std::vector<std::string> inputs = context.inputs();
  // Without a zero point ONNX would take u8.
  if (inputs.size() < 3) inputs.push_back(context.Constant(Tensor(op.to, context.node().input(1)->shape())));
  context.Emit("QuantizeLinear", inputs).Int("axis", op.axis);
}

void WriteDequantize(const WriteContext& context) {
  const DequantizeLinear& op = *context.node().As<DequantizeLinear>();
  RefuseBlocks(context, op.block_size);
  if (op.to != context.node().input(1)->dtype())
    ThrowInvalid("{}: DequantizeLinear to another type than its scale's", context.node().name());
  context.Emit("DequantizeLinear", context.inputs()).Int("axis", op.axis);
}

}  // namespace

std::span<const OpWriter> StructureWriters() {
  static constexpr OpWriter writers[] = {{"Pool", WritePool},
                                         {"Reduce", WriteReduce},
                                         {"ArgReduce", WriteArgReduce},
                                         {"Softmax", WriteSoftmax},
                                         {"Split", WriteSplit},
                                         {"Shape", WriteShape},
                                         {"Compress", WriteCompress},
                                         {"Unique", WriteUnique},
                                         {"GroupNorm", WriteGroupNorm},
                                         {"RoiAlign", WriteRoiAlign},
                                         {"QuantizeLinear", WriteQuantize},
                                         {"DequantizeLinear", WriteDequantize}};
  return writers;
}

}  // namespace tenon
