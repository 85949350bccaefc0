#include "backends/cpu/vector_math.h"

#include <array>
#include <span>

namespace tenon::cpu {
namespace {

using Xbyak::Xmm;

// exp(x) overflows above and leaves the normal numbers below; both ends are 0 or 1 (or -0) for every function here.
constexpr float kExpLow = -86.5f, kExpHigh = 87.0f;
// Where exp(x) itself is 0 and infinity.
constexpr float kExpZero = -104.0f, kExpInfinity = 89.0f;
constexpr float kLog2E = 1.44269504088896341f;
// ln 2 in two parts (Cody and Waite): n * kLn2High is exact inside a fused multiply-add.
constexpr float kLn2High = 0.693145751953125f, kLn2Low = 1.42860682030941723e-6f;
// exp on [-ln2/2, ln2/2]: 1 + r + r^2 q(r), q interpolated at Chebyshev nodes; 1.1e-8 relative.
constexpr std::array<float, 7> kExp = {
    1.0f, 1.0f, 0.5f, 0.16666576266288757f, 0.04166655242443085f, 0.00836323294788599f, 0.0013926250394433737f};
// Minimax of degree 3 on the same interval; 7.6e-5 relative.
constexpr std::array<float, 4> kExpShort = {0.999927818775177f, 1.0001648664474487f, 0.5049731135368347f,
                                            0.16566643118858337f};
// 2^f on [0, 1]; 7.6e-5 relative.
constexpr std::array<float, 4> kExp2Short = {0.9999263286590576f, 0.6958268284797668f, 0.22607526183128357f,
                                             0.07802358269691467f};
// tanh(x) = x P(x^2) / Q(x^2) on [-7.905, 7.905] and erf likewise on [-4, 4]: the rational minimax of Eigen (MPL2).
constexpr std::array<float, 7> kTanhP = {4.89352455891786e-03f, 6.37261928875436e-04f,  1.48572235717979e-05f,
                                         5.12229709037114e-08f, -8.60467152213735e-11f, 2.00018790482477e-13f,
                                         -2.76076847742355e-16f};
constexpr std::array<float, 4> kTanhQ = {4.89352518554385e-03f, 2.26843463243900e-03f, 1.18534705686654e-04f,
                                         1.19825839466702e-06f};
constexpr float kTanhLimit = 7.90531110763549805f;
constexpr std::array<float, 7> kErfP = {-1.60960333262415e-02f, -2.95459980854025e-03f, -7.34990630326855e-04f,
                                        -5.69250639462346e-05f, -2.10102402082508e-06f, 2.77068142495902e-08f,
                                        -2.72614225801306e-10f};
constexpr std::array<float, 5> kErfQ = {-1.42647390514189e-02f, -7.37332916720468e-03f, -1.68282697438203e-03f,
                                        -2.13374055278905e-04f, -1.45660718464996e-05f};
constexpr float kErfLimit = 4.0f;

enum class Sign : int8_t { kPlus = 1, kMinus = -1 };

/// Emits one activation on one register; the temporaries are named by what they hold where they are used.
class ActivationEmitter {
 public:
  ActivationEmitter(JitCode& code, MathPrecision precision, const Xmm& x, const MathTemps& temps)
      : code_(code), precision_(precision), x_(x), a_(temps.a), b_(temps.b), c_(temps.c) {}

  void Emit(const ActivationSpec& activation) {
    switch (activation.kind) {
      case Activation::kNone:
        return;
      case Activation::kRelu:
        return Relu();
      case Activation::kLeakyRelu:
        return LeakyRelu(activation.alpha);
      case Activation::kClip:
        return Clamp(x_, activation.alpha, activation.beta, a_);
      case Activation::kSilu:
        return Silu();
      case Activation::kSigmoid:
        return Sigmoid();
      case Activation::kHardSigmoid:
        return HardSigmoid(activation.alpha, activation.beta);
      case Activation::kHardSwish:
        return HardSwish();
      case Activation::kTanh:
        return Tanh();
      case Activation::kMish:
        return Mish();
      case Activation::kGeluErf:
        return GeluErf();
      case Activation::kGeluTanh:
        return GeluTanh();
      case Activation::kElu:
        return Elu(activation.alpha);
    }
  }

  void ExpOfAny() {
    Clamp(x_, kExpZero, kExpInfinity, a_);
    ExpFraction(c_, x_, b_, Sign::kPlus);
    ScaleByAnyPowerOfTwo(c_, b_, a_);
    code_.vmovaps(x_, c_);
  }

 private:
  // min and max return their second source when either is NaN, so that x comes second wherever NaN has to survive.
  void AtLeast(const Xmm& x, float low, const Xmm& temp) {
    code_.LoadConst(temp, low);
    code_.vmaxps(x, temp, x);
  }
  void AtMost(const Xmm& x, float high, const Xmm& temp) {
    code_.LoadConst(temp, high);
    code_.vminps(x, temp, x);
  }
  void Clamp(const Xmm& x, float low, float high, const Xmm& temp) {
    AtLeast(x, low, temp);
    AtMost(x, high, temp);
  }

  /// y = c[0] + c[1] x + ... (Horner).
  void Polynomial(const Xmm& y, const Xmm& x, std::span<const float> coefficients) {
    code_.LoadConst(y, coefficients.back());
    for (size_t i = coefficients.size() - 1; i-- > 0;) code_.vfmadd213ps(y, x, code_.Const(coefficients[i]));
  }

  /// y = exp(sign * t) for t in [kExpLow, kExpHigh] times sign; n and t are lost.
  void Exp(const Xmm& y, const Xmm& t, const Xmm& n, Sign sign) {
    ExpFraction(y, t, n, sign);
    ScaleByPowerOfTwo(y, n);
  }

  /// exp(sign * t) = y * 2^n with y near 1.
  void ExpFraction(const Xmm& y, const Xmm& t, const Xmm& n, Sign sign) {
    const bool minus = sign == Sign::kMinus;
    code_.vmulps(n, t, code_.Const(minus ? -kLog2E : kLog2E));
    if (code_.is_avx512()) {
      code_.vrndscaleps(n, n, 0);
    } else {
      code_.vroundps(n, n, 0);
    }
    // t becomes sign * (sign * t - n ln 2); the sign goes into the odd coefficients.
    const auto reduce = [&](float ln2) {
      minus ? code_.vfmadd231ps(t, n, code_.Const(ln2)) : code_.vfnmadd231ps(t, n, code_.Const(ln2));
    };
    if (precision_ == MathPrecision::kFloat32) {
      reduce(kLn2High);
      reduce(kLn2Low);
      ExpPolynomial(y, t, kExp, minus);
    } else {
      reduce(kLn2High + kLn2Low);
      ExpPolynomial(y, t, kExpShort, minus);
    }
  }

  void ExpPolynomial(const Xmm& y, const Xmm& t, std::span<const float> coefficients, bool minus) {
    std::array<float, 8> signed_coefficients;
    for (size_t i = 0; i < coefficients.size(); ++i) {
      signed_coefficients[i] = minus && i % 2 == 1 ? -coefficients[i] : coefficients[i];
    }
    Polynomial(y, t, std::span(signed_coefficients).first(coefficients.size()));
  }

  void ScaleByPowerOfTwo(const Xmm& y, const Xmm& n) {
    if (code_.is_avx512()) return code_.vscalefps(y, y, n);
    code_.vcvtps2dq(n, n);
    code_.vpslld(n, n, 23);
    code_.vpaddd(y, y, n);
  }

  /// y = 1 / y for normal y whose reciprocal is normal too.
  void Reciprocal(const Xmm& y, const Xmm& temp) {
    if (!code_.is_avx512()) {
      code_.LoadConst(temp, 1.0f);
      code_.vdivps(y, temp, y);
    } else if (precision_ == MathPrecision::kBFloat16) {
      code_.vrcp14ps(y, y);
    } else {  // one step of Newton: 14 bits become 24
      code_.vrcp14ps(temp, y);
      code_.vfnmadd213ps(y, temp, code_.Const(1.0f));
      code_.vfmadd213ps(y, temp, temp);
    }
  }

  /// c = sigmoid(t) with t in a, inside the range of Exp; a and b are lost.
  void SigmoidOfA() {
    if (UsesExp2()) {
      code_.vmulps(a_, a_, code_.Const(-kLog2E));
      return OneOverOnePlusExp2();
    }
    Exp(c_, a_, b_, Sign::kMinus);
    code_.vaddps(c_, c_, code_.Const(1.0f));
    Reciprocal(c_, a_);
  }

  bool UsesExp2() const { return code_.is_avx512() && precision_ == MathPrecision::kBFloat16; }

  /// c = 1 / (1 + 2^t) with t in a, any t; b is lost. vreduceps leaves the fraction of t, vscalefps adds the integer
  /// part to the exponent: two instructions less than Exp, and infinities need no clamp.
  void OneOverOnePlusExp2() {
    constexpr int kRoundDown = 1;
    code_.vreduceps(b_, a_, kRoundDown);
    Polynomial(c_, b_, kExp2Short);
    code_.vscalefps(c_, c_, a_);
    code_.vaddps(c_, c_, code_.Const(1.0f));
    Reciprocal(c_, a_);
  }

  // Two factors in AVX2: 2^n itself needn't be a normal float.
  void ScaleByAnyPowerOfTwo(const Xmm& y, const Xmm& n, const Xmm& half) {
    if (code_.is_avx512()) return code_.vscalefps(y, y, n);
    code_.vcvtps2dq(n, n);
    code_.vpsrad(half, n, 1);
    code_.vpsubd(n, n, half);
    for (const Xmm& exponent : {half, n}) {
      code_.vpslld(exponent, exponent, 23);
      code_.vpaddd(exponent, exponent, code_.ConstBits(0x3f800000));
      code_.vmulps(y, y, exponent);
    }
  }

  void Relu() {
    code_.Zero(a_);
    code_.vmaxps(x_, a_, x_);
  }

  void LeakyRelu(float alpha) {
    code_.vmulps(a_, x_, code_.Const(alpha));
    if (alpha >= 0 && alpha <= 1) {
      code_.vmaxps(x_, a_, x_);
    } else if (alpha > 1) {
      code_.vminps(x_, a_, x_);
    } else {  // max(x, 0) + alpha * min(x, 0)
      code_.Zero(b_);
      code_.vminps(a_, b_, x_);
      code_.vmaxps(x_, b_, x_);
      code_.vfmadd231ps(x_, a_, code_.Const(alpha));
    }
  }

  void Silu() {
    AtLeast(x_, kExpLow, a_);
    if (UsesExp2()) {
      code_.vmulps(a_, x_, code_.Const(-kLog2E));
      OneOverOnePlusExp2();
    } else {
      code_.vminps(a_, x_, code_.Const(kExpHigh));  // loses NaN, but x keeps it
      SigmoidOfA();
    }
    code_.vmulps(x_, x_, c_);
  }

  void Sigmoid() {
    code_.LoadConst(a_, kExpLow);
    code_.vmaxps(x_, a_, x_);
    code_.LoadConst(a_, kExpHigh);
    code_.vminps(a_, a_, x_);
    SigmoidOfA();
    code_.vmovaps(x_, c_);
  }

  void HardSigmoid(float alpha, float beta) {
    code_.LoadConst(a_, alpha);
    code_.vfmadd213ps(x_, a_, code_.Const(beta));
    Clamp(x_, 0.0f, 1.0f, a_);
  }

  void HardSwish() {
    AtLeast(x_, -3.0f, a_);
    code_.LoadConst(a_, 1.0f / 6.0f);
    code_.vfmadd213ps(a_, x_, code_.Const(0.5f));
    Clamp(a_, 0.0f, 1.0f, b_);
    code_.vmulps(x_, x_, a_);
  }

  /// c = t P(t^2), t = Q(t^2) with t in a; b is lost.
  void Rational(std::span<const float> p, std::span<const float> q) {
    code_.vmulps(b_, a_, a_);
    Polynomial(c_, b_, p);
    code_.vmulps(c_, c_, a_);
    Polynomial(a_, b_, q);
  }

  void Tanh() {
    Clamp(x_, -kTanhLimit, kTanhLimit, b_);
    code_.vmovaps(a_, x_);
    Rational(kTanhP, kTanhQ);
    code_.vdivps(x_, c_, a_);
  }

  void GeluErf() {
    AtLeast(x_, -6.0f, a_);  // erf is -1 there, and its error must not grow with x
    code_.vmulps(a_, x_, code_.Const(0.70710678118654752f));
    Clamp(a_, -kErfLimit, kErfLimit, b_);
    Rational(kErfP, kErfQ);
    code_.vdivps(c_, c_, a_);
    code_.vmulps(x_, x_, code_.Const(0.5f));
    code_.vfmadd231ps(x_, x_, c_);
  }

  // 0.5 * (1 + tanh(u)) is sigmoid(2 u), without the cancellation.
  void GeluTanh() {
    AtLeast(x_, -9.5f, a_);
    code_.vmulps(a_, x_, x_);
    code_.LoadConst(b_, 2 * 0.7978845608028654f * 0.044715f);
    code_.vfmadd213ps(a_, b_, code_.Const(2 * 0.7978845608028654f));
    code_.vmulps(a_, a_, x_);
    Clamp(a_, kExpLow, kExpHigh, b_);
    SigmoidOfA();
    code_.vmulps(x_, x_, c_);
  }

  // tanh(log(1 + e)) is (e^2 + 2 e) / (e^2 + 2 e + 2), which is 1 in float from x = 20 on.
  void Mish() {
    AtLeast(x_, kExpLow, a_);
    code_.vminps(a_, x_, code_.Const(20.0f));
    Exp(c_, a_, b_, Sign::kPlus);
    code_.vaddps(b_, c_, code_.Const(2.0f));
    code_.vmulps(c_, c_, b_);
    code_.vaddps(b_, c_, code_.Const(2.0f));
    Reciprocal(b_, a_);
    code_.vmulps(c_, c_, b_);
    code_.vmulps(x_, x_, c_);
  }

  // max(x, 0) + alpha * (exp(min(x, 0)) - 1)
  void Elu(float alpha) {
    code_.Zero(b_);
    code_.vminps(a_, b_, x_);
    code_.vmaxps(x_, b_, x_);
    AtLeast(a_, kExpLow, b_);
    Exp(c_, a_, b_, Sign::kPlus);
    code_.LoadConst(a_, alpha);
    code_.vfmsub213ps(c_, a_, a_);
    code_.vaddps(x_, x_, c_);
  }

  JitCode& code_;
  MathPrecision precision_;
  Xmm x_, a_, b_, c_;
};

}  // namespace

void EmitActivation(JitCode& code, const ActivationSpec& activation, MathPrecision precision, const Xmm& x,
                    const MathTemps& temps) {
  ActivationEmitter(code, precision, x, temps).Emit(activation);
}

void EmitExp(JitCode& code, MathPrecision precision, const Xbyak::Xmm& x, const MathTemps& temps) {
  ActivationEmitter(code, precision, x, temps).ExpOfAny();
}

}  // namespace tenon::cpu
