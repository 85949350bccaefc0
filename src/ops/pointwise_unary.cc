#include <algorithm>
#include <cmath>

#include "ops/activation.h"
#include "ops/operands.h"
#include "ops/pointwise.h"

namespace tenon {
namespace {

double Round(double x) { return std::nearbyint(x); }  // halves to even: the default rounding mode, as ONNX asks
double Sign(double x) { return std::isnan(x) ? x : static_cast<double>((x > 0) - (x < 0)); }
double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

bool TakesIntegers(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kRelu:
    case UnaryKind::kClip:
    case UnaryKind::kAbs:
    case UnaryKind::kNeg:
    case UnaryKind::kSign:
      return true;
    default:
      return false;
  }
}

bool GivesBool(UnaryKind kind) {
  return kind == UnaryKind::kNot || kind == UnaryKind::kIsNaN || kind == UnaryKind::kIsInf;
}

/// A bound of Clip as T: the limits of T where it lies beyond them.
template <class T>
T IntegerBound(float bound) {
  if (std::isnan(bound)) return 0;
  if (bound <= static_cast<float>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (bound >= static_cast<float>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(bound);
}

template <class T>
T ApplyToInteger(const Unary& op, T x) {
  const T negated = static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));  // wraps where -x doesn't fit
  switch (op.kind) {
    case UnaryKind::kRelu:
      return std::max<T>(x, 0);
    case UnaryKind::kClip:
      return std::min(std::max(x, IntegerBound<T>(op.alpha)), IntegerBound<T>(op.beta));
    case UnaryKind::kAbs:
      return x < 0 ? negated : x;
    case UnaryKind::kNeg:
      return negated;
    case UnaryKind::kSign:
      return static_cast<T>((x > 0) - (x < 0));
    default:
      return x;
  }
}

Tensor EvaluateInteger(const Unary& op, const Tensor& x) {
  Tensor y(x.dtype(), x.shape());
  DispatchDType(x.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      const T* in = x.data<T>();
      std::transform(in, in + x.elems(), y.data<T>(), [&](T v) { return ApplyToInteger(op, v); });
    }
  });
  return y;
}

}  // namespace

double ApplyUnary(UnaryKind kind, double x, double alpha, double beta) {
  // The first kinds are Activation's, in its order after kNone.
  if (kind <= UnaryKind::kElu)
    return ApplyActivation(static_cast<Activation>(static_cast<int>(kind) + 1), x, alpha, beta);
  switch (kind) {
    case UnaryKind::kSelu:
      return x > 0 ? beta * x : beta * alpha * std::expm1(x);
    case UnaryKind::kCelu:
      return x > 0 ? x : alpha * std::expm1(x / alpha);
    case UnaryKind::kSoftplus:
      return Softplus(x);
    case UnaryKind::kSoftsign:
      return x / (1 + std::abs(x));
    case UnaryKind::kThresholdedRelu:
      return x > alpha ? x : 0;
    case UnaryKind::kErf:
      return std::erf(x);
    case UnaryKind::kExp:
      return std::exp(x);
    case UnaryKind::kLog:
      return std::log(x);
    case UnaryKind::kSqrt:
      return std::sqrt(x);
    case UnaryKind::kAbs:
      return std::abs(x);
    case UnaryKind::kNeg:
      return -x;
    case UnaryKind::kReciprocal:
      return 1 / x;
    case UnaryKind::kFloor:
      return std::floor(x);
    case UnaryKind::kCeil:
      return std::ceil(x);
    case UnaryKind::kRound:
      return Round(x);
    case UnaryKind::kSign:
      return Sign(x);
    case UnaryKind::kSin:
      return std::sin(x);
    case UnaryKind::kCos:
      return std::cos(x);
    case UnaryKind::kTan:
      return std::tan(x);
    case UnaryKind::kAsin:
      return std::asin(x);
    case UnaryKind::kAcos:
      return std::acos(x);
    case UnaryKind::kAtan:
      return std::atan(x);
    case UnaryKind::kSinh:
      return std::sinh(x);
    case UnaryKind::kCosh:
      return std::cosh(x);
    case UnaryKind::kAsinh:
      return std::asinh(x);
    case UnaryKind::kAcosh:
      return std::acosh(x);
    case UnaryKind::kAtanh:
      return std::atanh(x);
    case UnaryKind::kNot:
      return x == 0;
    case UnaryKind::kIsNaN:
      return std::isnan(x);
    case UnaryKind::kIsInf:
      return std::isinf(x) && (x < 0 ? alpha : beta) != 0;
    default:
      return x;
  }
}

void Unary::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("kind", kind, kUnaryNames);
  visitor.Float("alpha", alpha);
  visitor.Float("beta", beta);
}

std::vector<TensorType> Unary::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  if (kind == UnaryKind::kNot) {
    CheckDType(kUnaryNames[static_cast<size_t>(kind)], inputs, 0, {DType::kBool});
  } else if (kind != UnaryKind::kIdentity && (!TakesIntegers(kind) || inputs[0].type->dtype == DType::kBool)) {
    CheckFloat(kUnaryNames[static_cast<size_t>(kind)], inputs, 0);
  }
  return {{GivesBool(kind) ? DType::kBool : inputs[0].type->dtype, inputs[0].type->shape}};
}

std::vector<Tensor> Unary::Evaluate(std::span<const Tensor> inputs) const {
  const TensorType type = InferTensors(*this, inputs)[0];
  const Tensor& x = inputs[0];
  if (kind == UnaryKind::kIdentity) return {x};
  if (!IsFloat(x.dtype()) && x.dtype() != DType::kBool) return {EvaluateInteger(*this, x)};
  const Tensor wide = x.CastTo(DType::kFloat64);
  Tensor y(DType::kFloat64, x.shape());
  const double* in = wide.data<double>();
  std::transform(in, in + x.elems(), y.data<double>(), [&](double v) { return ApplyUnary(kind, v, alpha, beta); });
  return {y.CastTo(type.dtype)};
}

}  // namespace tenon
