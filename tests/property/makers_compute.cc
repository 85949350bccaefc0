#include <algorithm>
#include <cmath>

#include "graph_maker.h"
#include "ops/conv.h"
#include "ops/einsum.h"
#include "ops/matmul.h"
#include "ops/norm.h"

namespace tenon::property {
namespace {

bool IsImage(const Value& value) { return IsFloatValue(value) && RankOf(value) >= 3 && RankOf(value) <= 5; }

/// As importers make it; seldom with what passes would fuse into it.
Epilogue MakeEpilogue(GraphMaker& m, DType dtype) {
  Epilogue epilogue;
  epilogue.compute = epilogue.out = dtype;
  if (m.OneIn(4) && dtype == DType::kFloat32) {
    epilogue.activation = m.PickEnum<Activation>(kActivationNames.size());
    epilogue.alpha = epilogue.activation == Activation::kClip ? 0.0f : 0.2f;
    epilogue.beta = epilogue.activation == Activation::kClip ? 6.0f : 0.5f;
    epilogue.post = m.Pick({Activation::kNone, Activation::kRelu, Activation::kSilu});
  }
  return epilogue;
}

struct Axes {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

Axes MakeAxes(GraphMaker& m, size_t spatial) {
  Axes axes;
  axes.pads.assign(2 * spatial, 0);
  // Most windows are square: draw once and let single axes differ.
  const int64_t kernel = m.Pick({1, 3, 2, 5, 7}), stride = m.Pick({1, 1, 2, 3}), dilation = m.Pick({1, 1, 1, 2});
  const int64_t pad = m.Pick<int64_t>({0, kernel / 2, 1});
  for (size_t i = 0; i < spatial; ++i) {
    axes.kernel.push_back(m.OneIn(8) ? m.DrawIn(1, 4) : kernel);
    axes.strides.push_back(m.OneIn(8) ? m.DrawIn(1, 3) : stride);
    axes.dilations.push_back(m.OneIn(8) ? m.DrawIn(1, 3) : dilation);
    axes.pads[i] = m.OneIn(8) ? m.DrawIn(0, 3) : pad;
    axes.pads[spatial + i] = m.OneIn(8) ? m.DrawIn(0, 3) : pad;
  }
  return axes;
}

int64_t Divisor(GraphMaker& m, int64_t n) {
  if (n < 1) return 1;
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= n; ++d) {
    if (n % d == 0) divisors.push_back(d);
  }
  return divisors[m.Draw(static_cast<uint32_t>(divisors.size()))];
}

/// Weights that keep the sums near 1.
Value* Weights(GraphMaker& m, DType dtype, const Shape& shape, int64_t terms) {
  return m.RandomParameter(dtype, shape, 1 / std::sqrt(static_cast<double>(std::max<int64_t>(terms, 1))));
}

int64_t OutChannels(GraphMaker& m) { return m.Pick<int64_t>({4, 1, 3, 8, 16, 17, 7, 24, 33, 2}); }

void MakeConv(GraphMaker& m) {
  Value* x = m.Operand(IsImage);
  if (!x) return;
  const Shape& in = x->shape();
  const Axes axes = MakeAxes(m, in.size() - 2);
  Conv op;
  op.strides = axes.strides;
  op.dilations = axes.dilations;
  op.pads = axes.pads;
  const uint32_t kind = m.Draw(4);  // plain, plain, grouped, depthwise
  op.groups = kind == 2 ? Divisor(m, in[1]) : kind == 3 ? std::max<int64_t>(in[1], 1) : 1;
  const int64_t channels = kind == 3   ? op.groups * m.Pick({1, 1, 2})
                           : kind == 2 ? op.groups * m.DrawIn(1, 3)
                                       : OutChannels(m);
  Shape weights = {channels, in[1] / op.groups};
  weights.insert(weights.end(), axes.kernel.begin(), axes.kernel.end());
  const DType dtype = x->dtype();
  Value* bias = m.OneIn(2) ? m.RandomParameter(dtype, {channels}) : nullptr;
  op.epilogue = MakeEpilogue(m, dtype);
  Value* kernel = Weights(m, dtype, weights, channels ? ElemCount(weights) / channels : 1);
  Value* residual = nullptr;
  if (m.OneIn(6)) residual = m.Operand([&](const Value& v) { return IsImage(v) && v.shape()[1] == channels; });
  m.Emit(op, {x, kernel, bias, residual});
}

void MakeConvTranspose(GraphMaker& m) {
  Value* x = m.Operand(IsImage);
  if (!x) return;
  const Shape& in = x->shape();
  const Axes axes = MakeAxes(m, in.size() - 2);
  ConvTranspose op;
  op.strides = axes.strides;
  op.dilations = axes.dilations;
  op.pads = axes.pads;
  for (const int64_t stride : axes.strides) op.output_padding.push_back(m.OneIn(4) ? m.DrawIn(0, stride - 1) : 0);
  op.groups = m.OneIn(3) ? Divisor(m, in[1]) : 1;
  const int64_t group_channels = m.Pick<int64_t>({4, 1, 3, 8, 2, 17});
  Shape weights = {in[1], group_channels};
  weights.insert(weights.end(), axes.kernel.begin(), axes.kernel.end());
  const DType dtype = x->dtype();
  Value* bias = m.OneIn(2) ? m.RandomParameter(dtype, {group_channels * op.groups}) : nullptr;
  op.epilogue = MakeEpilogue(m, dtype);
  m.Emit(op, {x, Weights(m, dtype, weights, in[1] / op.groups), bias});
}

void MakeMatMul(GraphMaker& m) {
  Value* a = m.Operand([](const Value& v) { return IsFloatValue(v) && RankOf(v) >= 1 && RankOf(v) <= 4; });
  if (!a) return;
  const Shape& shape = a->shape();
  MatMul op;
  op.epilogue = MakeEpilogue(m, a->dtype());
  const int64_t inner = shape.back(), columns = OutChannels(m);
  Value* b = nullptr;
  switch (m.Draw(4)) {
    case 0:
      b = Weights(m, a->dtype(), {inner, columns}, inner);
      break;
    case 1: {  // batched as a
      Shape batched(shape.begin(), shape.end() - std::min<ptrdiff_t>(2, std::ssize(shape)));
      for (int64_t& dim : batched) dim = m.OneIn(4) ? 1 : dim;
      batched.insert(batched.end(), {inner, columns});
      b = Weights(m, a->dtype(), batched, inner);
      break;
    }
    case 2:
      b = Weights(m, a->dtype(), {inner}, inner);
      break;
    default:
      b = m.Operand([&](const Value& v) {
        return v.dtype() == a->dtype() && RankOf(v) >= 2 && v.shape()[RankOf(v) - 2] == inner;
      });
  }
  if (!b) return;
  Value* bias = m.OneIn(3) && RankOf(*b) > 1 ? m.RandomParameter(a->dtype(), {b->shape().back()}) : nullptr;
  m.Emit(op, {a, b, bias});
}

/// softmax(q k) v of one value in three roles, or of parameters.
void MakeAttention(GraphMaker& m) {
  Value* q = m.Operand([](const Value& v) { return IsFloat32(v) && RankOf(v) >= 2 && RankOf(v) <= 4; });
  if (!q) return;
  const Shape& shape = q->shape();
  const int64_t depth = shape.back(), length = m.Pick<int64_t>({5, 1, 16, 17, 0}), width = OutChannels(m);
  Shape keys(shape.begin(), shape.end() - 2), values = keys;
  keys.insert(keys.end(), {depth, length});
  values.insert(values.end(), {length, width});
  Attention op;
  op.scale = m.Pick({1.0f, 0.35f});
  Value* mask = m.OneIn(3) ? m.RandomParameter(DType::kFloat32, {shape[shape.size() - 2], length}) : nullptr;
  m.Emit(op, {q, m.RandomParameter(DType::kFloat32, keys), m.RandomParameter(DType::kFloat32, values), mask});
}

void MakeEinsum(GraphMaker& m) {
  struct Form {
    const char* equation;
    size_t rank;
  };
  constexpr Form kForms[] = {{"ij,jk->ik", 2},   {"bij,bjk->bik", 3}, {"bij,kj->bik", 3},    {"bhwc,ck->bhwk", 4},
                             {"bij,bij->bi", 3}, {"ij->ji", 2},       {"bchw,bkc->bkhw", 4}, {"...ij,...jk->...ik", 3},
                             {"bij->b", 3},      {"ij,ij->", 2},      {"bij,bkj->bki", 3}};
  const Form& form = kForms[m.Draw(std::size(kForms))];
  Value* x = m.Operand([&](const Value& v) { return IsFloatValue(v) && RankOf(v) == form.rank; });
  if (!x) return;
  const std::string text = form.equation;
  std::map<char, int64_t> sizes;
  const std::string first = text.substr(0, text.find_first_of(",-"));
  const Shape& shape = x->shape();
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i] != '.') sizes[first[i]] = shape[shape.size() - first.size() + i];
  }
  std::vector<Value*> operands = {x};
  if (const size_t comma = text.find(','); comma != std::string::npos) {
    Shape other;
    if (text[0] == '.') other.push_back(shape[0]);
    for (const char label : text.substr(comma + 1, text.find('-') - comma - 1)) {
      if (label != '.') other.push_back(sizes.contains(label) ? sizes[label] : sizes[label] = OutChannels(m));
    }
    operands.push_back(m.RandomParameter(x->dtype(), other));
  }
  Einsum op;
  op.equation = text;
  m.Emit(op, operands);
}

Value* Positive(GraphMaker& m, DType dtype, const Shape& shape) {
  const Tensor data = m.Random(DType::kFloat64, shape);
  Tensor positive(DType::kFloat64, shape);
  for (int64_t i = 0; i < data.elems(); ++i) positive.data<double>()[i] = 0.25 + std::fabs(data.data<double>()[i]);
  return m.Constant(positive.CastTo(dtype));
}

void MakeBatchNorm(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFloatValue(v) && RankOf(v) >= 2; });
  if (!x) return;
  const Shape channels = {x->shape()[1]};
  const DType dtype = x->dtype();
  m.Emit(BatchNorm(), {x, m.RandomParameter(dtype, channels), m.RandomParameter(dtype, channels),
                       m.RandomParameter(dtype, channels), Positive(m, dtype, channels)});
}

void MakeGroupNorm(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFloatValue(v) && RankOf(v) >= 2; });
  if (!x) return;
  GroupNorm op;
  op.groups = Divisor(m, x->shape()[1]);
  const Shape channels = {x->shape()[1]};
  m.Emit(op, {x, m.RandomParameter(x->dtype(), channels), m.RandomParameter(x->dtype(), channels)});
}

void MakeLayerNorm(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFloatValue(v) && RankOf(v) >= 1; });
  if (!x) return;
  LayerNorm op;
  op.axis = m.Pick<int64_t>({-1, -1, 0, m.Axis(RankOf(*x))});
  const int64_t first = op.axis < 0 ? op.axis + std::ssize(x->shape()) : op.axis;
  const Shape shape(x->shape().begin() + first, x->shape().end());
  Value* bias = m.OneIn(2) ? m.RandomParameter(x->dtype(), shape) : nullptr;
  m.Emit(op, {x, m.RandomParameter(x->dtype(), shape), bias});
}

void MakeLrn(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFloatValue(v) && RankOf(v) >= 2; });
  if (!x) return;
  Lrn op;
  op.size = m.DrawIn(1, 5);
  op.alpha = 0.1f;
  m.Emit(op, {x});
}

}  // namespace

std::span<const Maker> ComputeMakers() {
  static const Maker makers[] = {
      {"Conv", MakeConv, 12},
      {"ConvTranspose", MakeConvTranspose, 2},
      {"MatMul", MakeMatMul, 5},
      {"Attention", MakeAttention, 1},
      {"Einsum", MakeEinsum, 2},
      {"BatchNorm", MakeBatchNorm, 3},
      {"GroupNorm", MakeGroupNorm, 1},
      {"LayerNorm", MakeLayerNorm, 2},
      {"Lrn", MakeLrn, 1},
  };
  return makers;
}

}  // namespace tenon::property
