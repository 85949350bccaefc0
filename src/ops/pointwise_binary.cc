#include <algorithm>
#include <cmath>

#include "ops/operands.h"
#include "ops/pointwise.h"

namespace tenon {
namespace {

bool IsComparison(BinaryKind kind) { return kind >= BinaryKind::kEqual && kind <= BinaryKind::kGreaterOrEqual; }
bool IsLogic(BinaryKind kind) { return kind >= BinaryKind::kAnd && kind <= BinaryKind::kXor; }
bool IsBitwise(BinaryKind kind) { return kind >= BinaryKind::kBitwiseAnd; }

/// y[i] = f(a[i], b[i]) with broadcasting; A, B, Y are the storage types.
template <class A, class B, class Y, class F>
Tensor Map(const Tensor& a, const Tensor& b, const Shape& shape, F f) {
  Tensor y(DTypeOf<Y>::value, shape);
  const A* a_data = a.data<A>();
  const B* b_data = b.data<B>();
  Y* y_data = y.data<Y>();
  const BroadcastRows<2> rows(shape, {a.shape(), b.shape()});
  const int64_t a_step = rows.row_strides[0], b_step = rows.row_strides[1];
  rows.ForEach([&](int64_t at, const std::array<int64_t, 2>& offsets) {
    const A* pa = a_data + offsets[0];
    const B* pb = b_data + offsets[1];
    for (int64_t i = 0; i < rows.row; ++i) y_data[at + i] = f(pa[i * a_step], pb[i * b_step]);
  });
  return y;
}

template <class T>
Tensor Compare(BinaryKind kind, const Tensor& a, const Tensor& b, const Shape& shape) {
  switch (kind) {
    case BinaryKind::kEqual:
      return Map<T, T, bool>(a, b, shape, [](T x, T y) { return x == y; });
    case BinaryKind::kLess:
      return Map<T, T, bool>(a, b, shape, [](T x, T y) { return x < y; });
    case BinaryKind::kLessOrEqual:
      return Map<T, T, bool>(a, b, shape, [](T x, T y) { return x <= y; });
    case BinaryKind::kGreater:
      return Map<T, T, bool>(a, b, shape, [](T x, T y) { return x > y; });
    default:
      return Map<T, T, bool>(a, b, shape, [](T x, T y) { return x >= y; });
  }
}

Tensor EvaluateBool(BinaryKind kind, const Tensor& a, const Tensor& b, const Shape& shape) {
  switch (kind) {
    case BinaryKind::kAnd:
      return Map<bool, bool, bool>(a, b, shape, [](bool x, bool y) { return x && y; });
    case BinaryKind::kOr:
      return Map<bool, bool, bool>(a, b, shape, [](bool x, bool y) { return x || y; });
    case BinaryKind::kXor:
      return Map<bool, bool, bool>(a, b, shape, [](bool x, bool y) { return x != y; });
    default:
      return Map<bool, bool, bool>(a, b, shape, [](bool x, bool y) { return x == y; });
  }
}

double FlooredMod(double x, double y) {
  const double rest = std::fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

Tensor EvaluateFloat(BinaryKind kind, const Tensor& a, const Tensor& b, const Shape& shape) {
  const auto map = [&](auto f) { return Map<double, double, double>(a, b, shape, f); };
  switch (kind) {
    case BinaryKind::kAdd:
      return map([](double x, double y) { return x + y; });
    case BinaryKind::kSub:
      return map([](double x, double y) { return x - y; });
    case BinaryKind::kMul:
      return map([](double x, double y) { return x * y; });
    case BinaryKind::kDiv:
      return map([](double x, double y) { return x / y; });
    case BinaryKind::kPow:
      return map([](double x, double y) { return std::pow(x, y); });
    case BinaryKind::kMin:
      return map([](double x, double y) { return std::isnan(x) || x < y ? x : y; });
    case BinaryKind::kMax:
      return map([](double x, double y) { return std::isnan(x) || x > y ? x : y; });
    case BinaryKind::kMod:
      return map(FlooredMod);
    case BinaryKind::kFmod:
      return map([](double x, double y) { return std::fmod(x, y); });
    case BinaryKind::kPRelu:
      return map([](double x, double slope) { return x < 0 ? slope * x : x; });
    default:
      return Compare<double>(kind, a, b, shape);
  }
}

// Integer arithmetic runs in uint64_t and is cut to T, which is two's complement wrapping for every T.
template <class T>
T Wrap(uint64_t value) {
  return static_cast<T>(value);
}

template <class T>
T Divide(T x, T y) {
  if (y == 0) return 0;
  if (y == static_cast<T>(-1) && std::is_signed_v<T>) return Wrap<T>(uint64_t{0} - static_cast<uint64_t>(x));
  return static_cast<T>(x / y);
}

template <class T>
T TruncatedMod(T x, T y) {
  if (y == 0 || (std::is_signed_v<T> && y == static_cast<T>(-1))) return 0;
  return static_cast<T>(x % y);
}

template <class T>
T FlooredIntegerMod(T x, T y) {
  const T rest = TruncatedMod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? static_cast<T>(rest + y) : rest;
}

template <class T>
T IntegerPower(T base, int64_t exponent) {
  if (exponent < 0) {  // 1 / base^n, truncated
    if (base == 1) return 1;
    if (std::is_signed_v<T> && base == static_cast<T>(-1)) return exponent % 2 ? base : T(1);
    return 0;
  }
  uint64_t result = 1;
  uint64_t square = static_cast<uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, square *= square) {
    if (exponent & 1) result *= square;
  }
  return Wrap<T>(result);
}

template <class T>
Tensor EvaluateInteger(BinaryKind kind, const Tensor& a, const Tensor& b, const Shape& shape) {
  const auto map = [&](auto f) { return Map<T, T, T>(a, b, shape, f); };
  using U = uint64_t;
  switch (kind) {
    case BinaryKind::kAdd:
      return map([](T x, T y) { return Wrap<T>(static_cast<U>(x) + static_cast<U>(y)); });
    case BinaryKind::kSub:
      return map([](T x, T y) { return Wrap<T>(static_cast<U>(x) - static_cast<U>(y)); });
    case BinaryKind::kMul:
      return map([](T x, T y) { return Wrap<T>(static_cast<U>(x) * static_cast<U>(y)); });
    case BinaryKind::kDiv:
      return map(Divide<T>);
    case BinaryKind::kMin:
      return map([](T x, T y) { return std::min(x, y); });
    case BinaryKind::kMax:
      return map([](T x, T y) { return std::max(x, y); });
    case BinaryKind::kMod:
      return map(FlooredIntegerMod<T>);
    case BinaryKind::kFmod:
      return map(TruncatedMod<T>);
    case BinaryKind::kPRelu:
      return map([](T x, T y) { return x < 0 ? Wrap<T>(static_cast<U>(x) * static_cast<U>(y)) : x; });
    case BinaryKind::kBitwiseAnd:
      return map([](T x, T y) { return static_cast<T>(x & y); });
    case BinaryKind::kBitwiseOr:
      return map([](T x, T y) { return static_cast<T>(x | y); });
    case BinaryKind::kBitwiseXor:
      return map([](T x, T y) { return static_cast<T>(x ^ y); });
    default:
      return Compare<T>(kind, a, b, shape);
  }
}

Tensor EvaluatePower(const Tensor& base, const Tensor& exponent, const Shape& shape) {
  if (IsFloat(base.dtype()) || IsFloat(exponent.dtype())) {
    return EvaluateFloat(BinaryKind::kPow, base.CastTo(DType::kFloat64), exponent.CastTo(DType::kFloat64), shape);
  }
  return DispatchDType(base.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      return Map<T, int64_t, T>(base, exponent.CastTo(DType::kInt64), shape, IntegerPower<T>);
    }
    return Tensor();
  });
}

void CheckTypes(BinaryKind kind, std::span<const InferInput> inputs) {
  const std::string_view name = kBinaryNames[static_cast<size_t>(kind)];
  const auto check = [&](size_t i, std::initializer_list<DType> allowed) { CheckDType(name, inputs, i, allowed); };
  if (kind != BinaryKind::kPow) CheckSameDType(name, inputs, 1);
  for (size_t i = 0; i < 2; ++i) {
    if (IsLogic(kind)) {
      check(i, {DType::kBool});
    } else if (IsBitwise(kind)) {
      check(i, {DType::kInt8, DType::kUInt8, DType::kInt32, DType::kInt64});
    } else if (kind != BinaryKind::kEqual) {
      check(i, {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat64, DType::kInt8, DType::kUInt8,
                DType::kInt32, DType::kInt64});
    }
  }
}

}  // namespace

void Binary::VisitAttrs(AttrVisitor& visitor) { visitor.Enum("kind", kind, kBinaryNames); }

std::vector<TensorType> Binary::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  CheckTypes(kind, inputs);
  const TensorType& a = *inputs[0].type;
  const TensorType& b = *inputs[1].type;
  TensorType out{IsComparison(kind) || IsLogic(kind) ? DType::kBool : a.dtype, std::nullopt};
  if (a.shape && b.shape) out.shape = BroadcastShapes(*a.shape, *b.shape);
  return {out};
}

std::vector<Tensor> Binary::Evaluate(std::span<const Tensor> inputs) const {
  const TensorType out = InferTensors(*this, inputs)[0];
  const Tensor& a = inputs[0];
  const Tensor& b = inputs[1];
  if (kind == BinaryKind::kPow) return {EvaluatePower(a, b, *out.shape).CastTo(out.dtype)};
  if (a.dtype() == DType::kBool) return {EvaluateBool(kind, a, b, *out.shape)};
  if (IsFloat(a.dtype())) {
    // Double holds every sum, product and quotient of narrower floats well enough that rounding once more is exact.
    return {EvaluateFloat(kind, a.CastTo(DType::kFloat64), b.CastTo(DType::kFloat64), *out.shape).CastTo(out.dtype)};
  }
  return {DispatchDType(a.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) return EvaluateInteger<T>(kind, a, b, *out.shape);
    return Tensor();
  })};
}

}  // namespace tenon
