#include "backends/cuda/op_samples.h"

#include <cmath>
#include <limits>

#include "backends/cuda/cuda_steps.h"
#include "ops/conv.h"
#include "ops/gather.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/operands.h"
#include "ops/pad.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/top_k.h"

namespace tenon::cuda {
namespace {

/// Makes samples: run-time operands first, constants behind them.
class Maker {
 public:
  template <class T>
  OpSample& Add(std::string name, std::string family, T op, std::vector<Tensor> run_time,
                std::vector<Tensor> constants = {}) {
    OpSample sample{.name = std::move(name), .family = std::move(family), .op = std::make_shared<T>(std::move(op))};
    sample.step.op = sample.op.get();
    for (const Tensor& tensor : run_time) {
      sample.inputs.push_back(tensor);
      sample.step.inputs.push_back(tensor.is_null() ? KernelOperand() : Operand(tensor.dtype(), tensor.shape()));
    }
    for (const Tensor& tensor : constants) {
      sample.inputs.push_back(tensor);
      sample.step.inputs.push_back(tensor.is_null() ? KernelOperand() : Constant(tensor));
    }
    for (const TensorType& type : InferTensors(*sample.op, sample.inputs))
      sample.step.outputs.push_back(Operand(type.dtype, *type.shape));
    samples_.push_back(std::move(sample));
    return samples_.back();
  }
  std::vector<OpSample> Take() { return std::move(samples_); }

 private:
  std::vector<OpSample> samples_;
};

Tensor Half(const Shape& shape, unsigned seed) { return Random(shape, seed).CastTo(DType::kFloat16); }
Tensor Ints(std::vector<int64_t> values) { return Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values); }
Tensor Ints(const Shape& shape, std::vector<int64_t> values) { return Tensor::Of<int64_t>(shape, values); }
/// Integers in [-100, 100].
Tensor Integers(const Shape& shape, unsigned seed, DType dtype) {
  Tensor tensor = Random(shape, seed);
  for (int64_t i = 0; i < tensor.elems(); ++i) tensor.data<float>()[i] = std::round(100 * tensor.data<float>()[i]);
  return tensor.CastTo(dtype);
}

Reduce ReduceOf(ReduceKind kind, bool keep_dims = true) {
  Reduce op;
  op.kind = kind;
  op.keep_dims = keep_dims;
  return op;
}

void AddReductions(Maker& maker) {
  for (size_t kind = 0; kind < kReduceNames.size(); ++kind) {
    const bool is_log = std::string_view(kReduceNames[kind]) == "log_sum";
    Tensor x = Random({2, 5, 7, 3}, 1);
    for (int64_t i = 0; is_log && i < x.elems(); ++i) x.data<float>()[i] = std::abs(x.data<float>()[i]);
    maker.Add(fmt::format("reduce_{}", kReduceNames[kind]), "reduce", ReduceOf(static_cast<ReduceKind>(kind)), {x},
              {Ints({1, -1})});
  }
  maker.Add("reduce_lanes", "reduce", ReduceOf(ReduceKind::kMean), {Half({2, 40, 9, 11}, 2)}, {Ints({2, 3})});
  maker.Add("reduce_split", "reduce", ReduceOf(ReduceKind::kMax, false), {Half({1, 8, 64, 64}, 3)});
  maker.Add("reduce_split_rows", "reduce", ReduceOf(ReduceKind::kL2, false), {Random({3, 16, 30, 41}, 4)},
            {Ints({1, 2, 3})});
  maker.Add("reduce_i64", "reduce", ReduceOf(ReduceKind::kSumSquare), {Integers({3, 50}, 5, DType::kInt64)},
            {Ints({1})});
  maker.Add("reduce_i32_mean", "reduce", ReduceOf(ReduceKind::kMean), {Integers({3, 50}, 6, DType::kInt32)},
            {Ints({0})});
}

void AddRows(Maker& maker) {
  Softmax softmax;
  maker.Add("softmax_rows", "softmax", softmax, {Random({3, 100}, 1)});
  softmax.axis = 2;
  softmax.log = true;
  maker.Add("softmax_log_lanes", "softmax", softmax, {Half({2, 40, 133, 5}, 2)});
  softmax.axis = 1;
  maker.Add("softmax_channels", "softmax", softmax, {Random({2, 70, 3, 5}, 3).CastTo(DType::kBFloat16)});
  LayerNorm layer;
  maker.Add("layer_norm", "norm", layer, {Random({4, 6, 40}, 4)}, {Random({40}, 5), Random({40}, 6)});
  layer.axis = 1;
  maker.Add("layer_norm_half", "norm", layer, {Half({3, 7, 10}, 4)}, {Random({7, 1}, 5)});
  GroupNorm group;
  group.groups = 3;
  maker.Add("group_norm", "norm", group, {Random({2, 12, 5, 5}, 7)}, {Random({12}, 8), Random({12}, 9)});
  group.groups = 12;
  maker.Add("instance_norm", "norm", group, {Half({2, 12, 5, 5}, 7)}, {Random({12}, 8), Random({12}, 9)});
}

void AddGathers(Maker& maker) {
  Gather gather;
  gather.axis = 1;
  maker.Add("gather", "gather", gather, {Half({2, 5, 3}, 1), Ints({2, 2}, {0, -1, 4, 2})});
  GatherElements elements;
  elements.axis = 1;
  maker.Add("gather_elements", "gather", elements,
            {Random({2, 5, 3}, 1), Ints({2, 2, 3}, {0, 1, 2, 3, 4, -1, -5, 0, 1, 2, 2, 3})});
  GatherND nd;
  nd.batch_dims = 1;
  maker.Add("gather_nd", "gather", nd,
            {Random({2, 4, 3, 5}, 1), Ints({2, 3, 2}, {0, 0, 1, 2, 3, -1, -4, 1, 2, 0, 3, 2})});
  maker.Add("tile", "gather", Tile(), {Integers({2, 1, 3}, 1, DType::kInt64)}, {Ints({2, 4, 3})});
}

void AddResizes(Maker& maker) {
  Resize resize;
  resize.mode = ResizeMode::kLinear;
  maker.Add("resize_linear", "resize", resize, {Half({2, 16, 7, 9}, 1)}, {{}, {}, Ints({2, 16, 14, 5})});
  resize.antialias = true;
  maker.Add("resize_antialias", "resize", resize, {Random({1, 3, 20, 9}, 1)}, {{}, {}, Ints({1, 3, 7, 4})});
  resize.antialias = false;
  resize.mode = ResizeMode::kCubic;
  maker.Add("resize_cubic", "resize", resize, {Random({1, 3, 6, 5}, 1)}, {{}, {}, Ints({1, 3, 9, 11})});
  resize.mode = ResizeMode::kNearest;
  resize.coordinates = ResizeCoordinates::kAsymmetric;
  maker.Add("resize_bytes", "resize", resize, {Integers({1, 8, 5, 4}, 1, DType::kUInt8)},
            {{}, {}, Ints({1, 8, 12, 8})});
}

void AddTopKs(Maker& maker) {
  TopK top;
  Tensor x = Integers({2, 2500}, 1, DType::kFloat32);  // many ties
  x.data<float>()[77] = std::numeric_limits<float>::quiet_NaN();
  x.data<float>()[78] = -0.0f;
  maker.Add("top_k", "top_k", top, {x}, {Ints({300})});
  top.largest = false;
  top.axis = 1;
  maker.Add("top_k_least", "top_k", top, {Integers({2, 9, 3}, 2, DType::kInt32)}, {Ints({9})});
  maker.Add("top_k_half", "top_k", top, {Half({1, 1200}, 3)}, {Ints({1})});
}

ConvTranspose TransposeOf(std::vector<int64_t> strides, std::vector<int64_t> pads, int64_t groups, DType compute) {
  ConvTranspose conv;
  conv.strides = std::move(strides);
  conv.dilations.assign(conv.strides.size(), 1);
  conv.output_padding.assign(conv.strides.size(), 0);
  conv.pads = std::move(pads);
  conv.groups = groups;
  conv.epilogue.compute = conv.epilogue.out = compute;
  return conv;
}

void AddTransposed(Maker& maker) {
  ConvTranspose conv = TransposeOf({2, 2}, {0, 0, 0, 0}, 1, DType::kFloat16);
  conv.epilogue.activation = Activation::kSilu;
  maker.Add("conv_transpose_up", "conv_transpose", conv, {Half({1, 16, 9, 7}, 1)},
            {Half({16, 24, 2, 2}, 2), Random({24}, 3)});
  conv = TransposeOf({2, 3}, {1, 0, 1, 1}, 2, DType::kFloat32);
  conv.output_padding = {1, 0};
  maker.Add("conv_transpose_groups", "conv_transpose", conv, {Random({2, 8, 5, 4}, 1)}, {Random({8, 6, 3, 4}, 2)});
  conv = TransposeOf({2}, {1, 1}, 1, DType::kFloat32);
  OpSample& line =
      maker.Add("conv_transpose_1d", "conv_transpose", conv, {Random({1, 4, 9}, 1)}, {Random({4, 8, 4}, 2)});
  line.step.inputs[0].strides_bytes = {4 * 4 * 9, 4, 4 * 4};
  line.step.outputs[0].strides_bytes = {4 * 8 * 18, 4, 4 * 8};
}

MatMul MatMulOf(DType compute, Activation activation = Activation::kNone) {
  MatMul op;
  op.epilogue.compute = op.epilogue.out = compute;
  op.epilogue.activation = activation;
  return op;
}

void AddProducts(Maker& maker) {
  maker.Add("matmul", "matmul", MatMulOf(DType::kFloat16, Activation::kGeluErf), {Half({3, 20, 48}, 1)},
            {Half({48, 40}, 2), Random({40}, 3)});
  maker.Add("matmul_narrow", "matmul", MatMulOf(DType::kFloat32), {Random({5, 37}, 1)}, {Random({37, 1}, 2)});
  maker.Add("matmul_vector", "matmul", MatMulOf(DType::kFloat32), {Random({64}, 1)}, {Random({64, 10}, 2)});
  maker.Add("matmul_run_time", "matmul_batched", MatMulOf(DType::kFloat32),
            {Random({2, 1, 70, 33}, 1), Random({3, 33, 65}, 2)});
  maker.Add("matmul_residual", "matmul_batched", MatMulOf(DType::kFloat16, Activation::kRelu),
            {Half({20, 48}, 1), Half({48, 24}, 2), {}, Half({20, 24}, 4)});
}

void AddAttention(Maker& maker) {
  Attention attention;
  attention.scale = 0.25f;
  maker.Add("attention", "attention", attention,
            {Random({2, 21, 24}, 1), Random({2, 24, 50}, 2), Random({2, 50, 40}, 3)});
  maker.Add("attention_mask", "attention", attention,
            {Random({2, 3, 6, 8}, 1), Random({3, 8, 9}, 2), Random({2, 3, 9, 5}, 3), Random({6, 9}, 4)});
  attention.compute = attention.out = DType::kFloat16;
  // q, k and v as slices of one channels-last tensor have them.
  OpSample& sample = maker.Add("attention_half", "attention", attention,
                               {Half({1, 2, 70, 32}, 1), Half({1, 2, 32, 70}, 2), Half({1, 2, 70, 64}, 3)});
  const int64_t pixel = 2 * 2 * 128;
  sample.step.inputs[0].strides_bytes = {70 * pixel, 256, pixel, 2};
  sample.step.inputs[1].strides_bytes = {70 * pixel, 256, 2, pixel};
  sample.step.inputs[2].strides_bytes = {70 * pixel, 256, pixel, 2};
  sample.step.outputs[0].strides_bytes = {70 * 256, 128, 256, 2};
  maker.Add("attention_dense_half", "attention", attention,
            {Half({2, 19, 16}, 1), Half({2, 16, 33}, 2), Half({33, 16}, 3)});
}

void AddPools(Maker& maker) {
  Pool pool;
  pool.kernel = {5, 5};
  pool.pads = {2, 2, 2, 2};
  pool.strides = pool.dilations = {1, 1};
  maker.Add("pool_max_half", "pool", pool, {Half({1, 16, 9, 7}, 1)}).step.outputs.resize(1);
  maker.Add("pool_max_odd", "pool", pool, {Half({1, 3, 9, 7}, 1)}).step.outputs.resize(1);
  Pool chain = pool;
  chain.stages = 3;
  const auto add_stages = [&](const std::string& name, Tensor x) {
    maker.Add(name, "pool", chain, {x}).step.outputs[1] = {};
  };
  add_stages("pool_stages_half", Half({2, 16, 9, 7}, 1));
  add_stages("pool_stages_float", Random({1, 3, 20, 20}, 2));
  add_stages("pool_stages_bytes", Integers({1, 8, 9, 7}, 3, DType::kUInt8));
  add_stages("pool_stages_tiled", Half({1, 2, 70, 90}, 4));
  pool.dilations = {2, 1};
  maker.Add("pool_max_dilated", "pool", pool, {Half({1, 8, 9, 7}, 1)}).step.outputs.resize(1);
  pool.kind = PoolKind::kAverage;
  pool.count_include_pad = true;
  pool.strides = {2, 1};
  maker.Add("pool_average", "pool", pool, {Random({2, 8, 9, 7}, 1)}).step.outputs.resize(1);
}

}  // namespace

std::vector<OpSample> OpSamples() {
  Maker maker;
  AddReductions(maker);
  AddRows(maker);
  AddGathers(maker);
  AddResizes(maker);
  AddTopKs(maker);
  AddTransposed(maker);
  AddProducts(maker);
  AddAttention(maker);
  AddPools(maker);
  return maker.Take();
}

}  // namespace tenon::cuda
