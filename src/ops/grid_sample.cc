#include "ops/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "ops/shape_rules.h"

// Follows onnx/reference/ops/op_grid_sample.py and ATen/native/GridSampler.h, which that follows.

namespace tenon {
namespace {

constexpr size_t kMaxSpatial = 3;

/// The elements of one axis that a coordinate reads: index -1 reads 0.
struct Taps {
  std::array<int64_t, 4> index{};
  std::array<double, 4> weight{};
  int count = 0;
  void Add(int64_t at, double by) {
    index[count] = at;
    weight[count++] = by;
  }
};

/// Mirrors x at the edges until it is within [low, high].
double Reflect(double x, double low, double high) {
  const double range = high - low;
  if (x >= low && x <= high) return x;
  if (!(range > 0) || !std::isfinite(x)) return low;
  const double beyond = x < low ? low - x : x - high;
  const double rest = std::fmod(beyond, range);
  const bool is_odd = std::fmod(std::floor(beyond / range), 2) != 0;
  return (x < low) != is_odd ? low + rest : high - rest;
}

/// The axis as the sampler sees it.
struct Axis {
  int64_t size;
  GridPadding padding;
  double low, high;  ///< the edges

  Axis(int64_t size, const GridSample& op)
      : size(size),
        padding(op.padding),
        low(op.align_corners ? 0 : -0.5),
        high(static_cast<double>(size) - (op.align_corners ? 1 : 0.5)) {}

  /// The element that stands at integer position i, -1 for none.
  int64_t Element(int64_t i) const {
    if (i >= 0 && i < size) return i;
    if (padding == GridPadding::kZeros) return -1;
    const int64_t inside =
        padding == GridPadding::kBorder ? i : static_cast<int64_t>(Reflect(static_cast<double>(i), low, high));
    return std::clamp<int64_t>(inside, 0, size - 1);
  }

  /// Brings a coordinate within the edges as the padding says; for zeros, close enough to be an integer.
  double Inside(double x) const {
    const auto last = static_cast<double>(size - 1);
    if (padding == GridPadding::kReflection) return Reflect(x, low, high);
    if (padding == GridPadding::kBorder) return x > 0 ? std::min(x, last) : 0;
    return std::isfinite(x) ? std::clamp(x, -8.0, last + 8) : -8;
  }
};

/// -1 ... 1 to elements, in the grid's own precision: rounding ties of kNearest depend on it.
template <class Real>
Real Denormalize(Real n, int64_t size, bool align_corners) {
  if (align_corners) return (n + 1) / Real(2) * static_cast<Real>(size - 1);
  return ((n + 1) * static_cast<Real>(size) - 1) / Real(2);
}

/// Keys' cubic convolution with a = -0.75 at distance x.
double CubicWeight(double x) {
  constexpr double kA = -0.75;
  x = std::abs(x);
  return x <= 1 ? ((kA + 2) * x - (kA + 3)) * x * x + 1 : ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA;
}

Taps MakeTaps(GridMode mode, const Axis& axis, double x) {
  Taps taps;
  x = axis.Inside(mode == GridMode::kNearest ? std::nearbyint(x) : x);
  if (mode == GridMode::kNearest) {
    taps.Add(axis.Element(static_cast<int64_t>(x)), 1);
    return taps;
  }
  const auto left = static_cast<int64_t>(std::floor(x));
  const double ratio = x - static_cast<double>(left);
  if (mode == GridMode::kLinear) {
    taps.Add(axis.Element(left), 1 - ratio);
    taps.Add(axis.Element(left + 1), ratio);
    return taps;
  }
  for (int64_t t = -1; t <= 2; ++t) taps.Add(axis.Element(left + t), CubicWeight(static_cast<double>(t) - ratio));
  return taps;
}

/// One term of a sample: an offset within a channel and its weight.
struct Term {
  int64_t offset;
  double weight;
};

/// The products of the axes' taps, those that read 0 left out.
void ExpandTerms(std::span<const Taps> taps, std::span<const int64_t> strides, Term so_far, std::vector<Term>& terms) {
  if (taps.empty()) {
    terms.push_back(so_far);
    return;
  }
  for (int i = 0; i < taps[0].count; ++i) {
    if (taps[0].index[i] < 0) continue;
    const Term next{so_far.offset + taps[0].index[i] * strides[0], so_far.weight * taps[0].weight[i]};
    ExpandTerms(taps.subspan(1), strides.subspan(1), next, terms);
  }
}

/// T: the type of x; G: of the grid, as which it is computed.
template <class T, class G>
void Sample(const GridSample& op, const Tensor& x, const Tensor& grid, Tensor& y) {
  const Shape& shape = x.shape();
  const size_t rank = shape.size() - 2;
  const std::vector<int64_t> strides = ContiguousStrides(shape);
  const int64_t positions = ElemCount({y.shape().begin() + 2, y.shape().end()});
  std::vector<Axis> axes;
  for (size_t d = 0; d < rank; ++d) axes.emplace_back(shape[d + 2], op);
  std::array<Taps, kMaxSpatial> taps;
  std::vector<Term> terms;
  for (int64_t at = 0; at < shape[0] * positions; ++at) {
    const int64_t n = at / positions;
    for (size_t d = 0; d < rank; ++d) {
      const G coordinate = grid.data<G>()[at * static_cast<int64_t>(rank) + static_cast<int64_t>(rank - 1 - d)];
      taps[d] =
          MakeTaps(op.mode, axes[d], static_cast<double>(Denormalize<G>(coordinate, shape[d + 2], op.align_corners)));
    }
    terms.clear();
    ExpandTerms(std::span(taps).first(rank), std::span(strides).subspan(2), {0, 1}, terms);
    for (int64_t c = 0; c < shape[1]; ++c) {
      const T* channel = x.data<T>() + n * strides[0] + c * strides[1];
      double sum = 0;
      for (const Term& term : terms) sum += term.weight * static_cast<double>(channel[term.offset]);
      y.data<T>()[(n * shape[1] + c) * positions + at % positions] = static_cast<T>(sum);
    }
  }
}

/// Coordinates of the elements of an axis, between -1 and 1.
double BaseCoordinate(int64_t i, int64_t size, bool align_corners) {
  const auto at = static_cast<double>(i), count = static_cast<double>(size);
  if (!align_corners) return (2 * at + 1) / count - 1;
  return size == 1 ? 0 : 2 * at / (count - 1) - 1;
}

}  // namespace

void GridSample::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("mode", mode, kGridModeNames);
  visitor.Enum("padding", padding, kGridPaddingNames);
  visitor.Bool("align_corners", align_corners);
}

std::vector<TensorType> GridSample::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  CheckFloat(kName, inputs, 0);
  CheckFloat(kName, inputs, 1);
  const DType dtype = inputs[0].type->dtype;
  const Shape *x = KnownShape(inputs, 0), *grid = KnownShape(inputs, 1);
  if (!x || !grid) return {UnknownType(dtype)};
  if (x->size() < 3 || x->size() > kMaxSpatial + 2)
    ThrowInvalid("GridSample: {} has no one to three spatial axes", ToString(*x));
  const auto spatial = static_cast<int64_t>(x->size()) - 2;
  if (grid->size() != x->size() || grid->front() != x->front() || grid->back() != spatial) {
    ThrowInvalid(
        {.what = "GridSample: the grid doesn't fit", .got = ToString(*grid), .expected = "like " + ToString(*x)});
  }
  Shape shape = {(*x)[0], (*x)[1]};
  shape.insert(shape.end(), grid->begin() + 1, grid->end() - 1);
  if (ElemCount(shape) > 0 && ElemCount(*x) == 0)
    ThrowInvalid("GridSample: {} has no elements to sample", ToString(*x));
  return {KnownType(kName, dtype, std::move(shape))};
}

std::vector<Tensor> GridSample::Evaluate(std::span<const Tensor> inputs) const {
  const Shape shape = *InferTensors(*this, inputs)[0].shape;
  const DType dtype = inputs[0].dtype();
  Tensor y(dtype == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32, shape);
  if (y.elems() == 0) return {y.CastTo(dtype)};
  const Tensor x = inputs[0].CastTo(y.dtype());
  const bool is_double = inputs[1].dtype() == DType::kFloat64;
  const Tensor grid = is_double ? inputs[1] : inputs[1].CastTo(DType::kFloat32);
  if (y.dtype() == DType::kFloat64) {
    is_double ? Sample<double, double>(*this, x, grid, y) : Sample<double, float>(*this, x, grid, y);
  } else {
    is_double ? Sample<float, double>(*this, x, grid, y) : Sample<float, float>(*this, x, grid, y);
  }
  return {y.CastTo(dtype)};
}

void AffineGrid::VisitAttrs(AttrVisitor& visitor) { visitor.Bool("align_corners", align_corners); }

std::vector<TensorType> AffineGrid::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  CheckFloat(kName, inputs, 0);
  const DType dtype = inputs[0].type->dtype;
  const auto size = IntsOperand(kName, inputs, 1);
  if (!size || !KnownShape(inputs, 0)) return {UnknownType(dtype)};
  if (size->size() != 4 && size->size() != 5)
    ThrowInvalid("AffineGrid: size has {} entries, expected 4 or 5", size->size());
  const auto spatial = static_cast<int64_t>(size->size()) - 2;
  CheckShape(kName, inputs, 0, {size->front(), spatial, spatial + 1});
  Shape shape = {size->front()};
  shape.insert(shape.end(), size->begin() + 2, size->end());
  shape.push_back(spatial);
  return {KnownType(kName, dtype, std::move(shape))};
}

std::vector<Tensor> AffineGrid::Evaluate(std::span<const Tensor> inputs) const {
  const Shape shape = *InferTensors(*this, inputs)[0].shape;
  const int64_t spatial = shape.back();
  const std::vector<double> theta = ToDoubles(inputs[0]);
  std::vector<double> values(static_cast<size_t>(ElemCount(shape)));
  const int64_t positions = ElemCount({shape.begin() + 1, shape.end() - 1});
  for (int64_t at = 0; at < shape[0] * positions; ++at) {
    std::array<double, kMaxSpatial> point{};  // x, y, z: innermost first
    int64_t rest = at;
    for (int64_t d = 0; d < spatial; ++d) {
      const int64_t dim = shape[spatial - d];
      point[d] = BaseCoordinate(rest % dim, dim, align_corners);
      rest /= dim;
    }
    for (int64_t row = 0; row < spatial; ++row) {
      const double* weights = theta.data() + (at / positions * spatial + row) * (spatial + 1);
      double sum = weights[spatial];
      for (int64_t d = 0; d < spatial; ++d) sum += weights[d] * point[d];
      values[at * spatial + row] = sum;
    }
  }
  return {FromDoubles(values, inputs[0].dtype(), shape)};
}

}  // namespace tenon
