#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/operands.h"

namespace tenon {
namespace {

/// True for every axis that is reduced. `axes` null or empty: all, or none when `noop`.
std::vector<bool> ReducedAxes(int64_t rank, const Tensor* axes, bool noop) {
  if (!axes || axes->elems() == 0) return std::vector<bool>(rank, !noop);
  std::vector<bool> reduced(rank, false);
  for (const int64_t axis : axes->AsInts()) {
    const int64_t at = NormalizeAxis(Reduce::kName, axis, rank);
    if (reduced[at]) ThrowInvalid("Reduce: axis {} is listed twice", axis);
    reduced[at] = true;
  }
  return reduced;
}

/// The reduced shape with ones kept.
Shape KeptShape(Shape shape, const std::vector<bool>& reduced) {
  for (size_t i = 0; i < shape.size(); ++i) {
    if (reduced[i]) shape[i] = 1;
  }
  return shape;
}

Shape OutputShape(const Shape& shape, const std::vector<bool>& reduced, bool keep_dims) {
  if (keep_dims) return KeptShape(shape, reduced);
  Shape out;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!reduced[i]) out.push_back(shape[i]);
  }
  return out;
}

/// Calls f(accumulator of x[i], x[i]) for every element of x.
template <class T, class F>
void Accumulate(const Tensor& x, Tensor& sums, F&& f) {
  const BroadcastRows<1> rows(x.shape(), {sums.shape()});
  const T* in = x.data<T>();
  T* out = sums.data<T>();
  const int64_t step = rows.row_strides[0];
  rows.ForEach([&](int64_t at, const std::array<int64_t, 1>& offsets) {
    for (int64_t i = 0; i < rows.row; ++i) f(out[offsets[0] + i * step], in[at + i]);
  });
}

template <class T>
void Fill(Tensor& tensor, T value) {
  std::fill_n(tensor.data<T>(), tensor.elems(), value);
}

template <class T, class F>
void Transform(Tensor& tensor, F&& f) {
  std::transform(tensor.data<T>(), tensor.data<T>() + tensor.elems(), tensor.data<T>(), f);
}

/// The largest element per output: -inf of none, NaN where there is one.
Tensor MaxOf(const Tensor& x, const Shape& kept) {
  Tensor max(DType::kFloat64, kept);
  Fill(max, -std::numeric_limits<double>::infinity());
  Accumulate<double>(x, max, [](double& m, double v) { m = std::isnan(v) || v > m ? v : m; });
  return max;
}

Tensor LogSumExp(const Tensor& x, const Shape& kept) {
  Tensor shift = MaxOf(x, kept);
  Transform<double>(shift, [](double m) { return std::isinf(m) ? 0 : m; });  // inf - inf would be NaN
  Tensor sums(DType::kFloat64, kept);
  const BroadcastRows<1> rows(x.shape(), {kept});
  const int64_t step = rows.row_strides[0];
  rows.ForEach([&](int64_t at, const std::array<int64_t, 1>& offsets) {
    for (int64_t i = 0; i < rows.row; ++i) {
      const int64_t out = offsets[0] + i * step;
      sums.data<double>()[out] += std::exp(x.data<double>()[at + i] - shift.data<double>()[out]);
    }
  });
  for (int64_t i = 0; i < sums.elems(); ++i)
    sums.data<double>()[i] = std::log(sums.data<double>()[i]) + shift.data<double>()[i];
  return sums;
}

Tensor ReduceFloat(ReduceKind kind, const Tensor& x, const Shape& kept) {
  Tensor sums(DType::kFloat64, kept);
  const auto accumulate = [&](auto f) { Accumulate<double>(x, sums, f); };
  switch (kind) {
    case ReduceKind::kSum:
    case ReduceKind::kMean:
    case ReduceKind::kLogSum:
      accumulate([](double& sum, double v) { sum += v; });
      break;
    case ReduceKind::kL1:
      accumulate([](double& sum, double v) { sum += std::abs(v); });
      break;
    case ReduceKind::kL2:
    case ReduceKind::kSumSquare:
      accumulate([](double& sum, double v) { sum += v * v; });
      break;
    case ReduceKind::kProd:
      Fill(sums, 1.0);
      accumulate([](double& product, double v) { product *= v; });
      break;
    case ReduceKind::kMax:
      return MaxOf(x, kept);
    case ReduceKind::kMin:
      Fill(sums, std::numeric_limits<double>::infinity());
      accumulate([](double& m, double v) { m = std::isnan(v) || v < m ? v : m; });
      break;
    case ReduceKind::kLogSumExp:
      return LogSumExp(x, kept);
  }
  const double count = static_cast<double>(x.elems()) / static_cast<double>(sums.elems());
  if (kind == ReduceKind::kMean) Transform<double>(sums, [count](double sum) { return sum / count; });
  if (kind == ReduceKind::kL2) Transform<double>(sums, [](double sum) { return std::sqrt(sum); });
  if (kind == ReduceKind::kLogSum) Transform<double>(sums, [](double sum) { return std::log(sum); });
  return sums;
}

int64_t WrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t WrapMul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

/// Exact integer kinds on i64; `lowest` and `highest` are the limits of the tensor's own type, for empty max and min.
Tensor ReduceInteger(ReduceKind kind, const Tensor& x, const Shape& kept, int64_t lowest, int64_t highest) {
  Tensor sums(DType::kInt64, kept);
  const auto accumulate = [&](int64_t initial, auto f) {
    Fill(sums, initial);
    Accumulate<int64_t>(x, sums, f);
  };
  switch (kind) {
    case ReduceKind::kL1:
      accumulate(0, [](int64_t& sum, int64_t v) { sum = WrapAdd(sum, v < 0 ? WrapMul(v, -1) : v); });
      break;
    case ReduceKind::kSumSquare:
      accumulate(0, [](int64_t& sum, int64_t v) { sum = WrapAdd(sum, WrapMul(v, v)); });
      break;
    case ReduceKind::kProd:
      accumulate(1, [](int64_t& product, int64_t v) { product = WrapMul(product, v); });
      break;
    case ReduceKind::kMax:
      accumulate(lowest, [](int64_t& m, int64_t v) { m = std::max(m, v); });
      break;
    case ReduceKind::kMin:
      accumulate(highest, [](int64_t& m, int64_t v) { m = std::min(m, v); });
      break;
    default:
      accumulate(0, [](int64_t& sum, int64_t v) { sum = WrapAdd(sum, v); });
      break;
  }
  const int64_t count = sums.elems() == 0 ? 1 : std::max<int64_t>(x.elems() / sums.elems(), 1);
  if (kind == ReduceKind::kMean) Transform<int64_t>(sums, [count](int64_t sum) { return sum / count; });
  return sums;
}

bool IsExactOnIntegers(ReduceKind kind) {
  return kind != ReduceKind::kL2 && kind != ReduceKind::kLogSum && kind != ReduceKind::kLogSumExp;
}

std::pair<int64_t, int64_t> Limits(DType dtype) {
  return DispatchDType(dtype, []<class T>() -> std::pair<int64_t, int64_t> {
    if constexpr (std::is_integral_v<T>) return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
    return {};
  });
}

}  // namespace

void Reduce::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("kind", kind, kReduceNames);
  visitor.Bool("keep_dims", keep_dims);
  visitor.Bool("noop_with_empty_axes", noop_with_empty_axes);
}

std::vector<TensorType> Reduce::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 2);
  CheckDType(kName, inputs, 1, {DType::kInt64});
  const bool is_order = kind == ReduceKind::kMax || kind == ReduceKind::kMin;
  if (inputs[0].type->dtype == DType::kBool && !is_order)
    ThrowInvalid("Reduce: {} doesn't take bool", kReduceNames[static_cast<size_t>(kind)]);
  TensorType out{inputs[0].type->dtype, std::nullopt};
  const bool axes_known = IsAbsent(inputs, 1) || inputs[1].value;
  if (inputs[0].type->shape && axes_known) {
    const Shape& shape = *inputs[0].type->shape;
    const Tensor* axes = IsAbsent(inputs, 1) ? nullptr : inputs[1].value;
    out.shape =
        OutputShape(shape, ReducedAxes(static_cast<int64_t>(shape.size()), axes, noop_with_empty_axes), keep_dims);
  }
  return {out};
}

std::vector<Tensor> Reduce::Evaluate(std::span<const Tensor> inputs) const {
  const TensorType out = InferTensors(*this, inputs)[0];
  const Tensor& x = inputs[0];
  const Tensor axes = OperandOrNull(inputs, 1);
  const Shape kept =
      KeptShape(x.shape(), ReducedAxes(x.rank(), axes.is_null() ? nullptr : &axes, noop_with_empty_axes));
  Tensor result;
  if (IsFloat(x.dtype()) || !IsExactOnIntegers(kind)) {
    result = ReduceFloat(kind, x.CastTo(DType::kFloat64), kept);
  } else {
    const auto [lowest, highest] = Limits(x.dtype());
    result = ReduceInteger(kind, x.CastTo(DType::kInt64), kept, lowest, highest);
  }
  return {result.CastTo(out.dtype).Reshaped(*out.shape)};
}

}  // namespace tenon
