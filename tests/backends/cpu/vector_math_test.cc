#include "backends/cpu/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tenon::cpu {
namespace {

/// Applies a generated activation to values, whole vectors at a time.
class GeneratedActivation {
 public:
  GeneratedActivation(Isa isa, const ActivationSpec& spec, MathPrecision precision) : lanes_(LanesOf(isa)) {
    code_ = GenerateCode(isa, [&](JitCode& c) {
      c.vmovups(c.Vec(4), c.ptr[c.rdi]);
      EmitActivation(c, spec, precision, c.Vec(4), {c.Vec(0), c.Vec(1), c.Vec(2)});
      c.vmovups(c.ptr[c.rdi], c.Vec(4));
      c.vzeroupper();
      c.ret();
    });
  }
  std::vector<float> operator()(std::vector<float> values) const {
    const size_t count = values.size();
    values.resize((count + lanes_ - 1) / lanes_ * lanes_);
    for (size_t i = 0; i < values.size(); i += lanes_) code_->At<void (*)(float*)>(0)(&values[i]);
    values.resize(count);
    return values;
  }

 private:
  int lanes_;
  std::unique_ptr<JitCode> code_;
};

std::vector<Isa> Isas() {
  std::vector<Isa> isas = {Isa::kAvx2};
  if (DetectCpuFeatures().avx512) isas.push_back(Isa::kAvx512);
  return isas;
}

std::vector<float> Range(float low, float high) {
  std::vector<float> values;
  for (int i = 0; i <= 20000; ++i) values.push_back(low + (high - low) * static_cast<float>(i) / 20000);
  return values;
}

ActivationSpec SpecOf(Activation kind) { return {kind, kind == Activation::kClip ? -0.5f : 0.2f, 0.75f}; }

/// Worst |got - expected| / (relative * |expected| + absolute) over the values.
double WorstError(const GeneratedActivation& f, const ActivationSpec& spec, const std::vector<float>& values,
                  double relative, double absolute) {
  const std::vector<float> got = f(values);
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = ApplyActivation(spec.kind, values[i], spec.alpha, spec.beta);
    const double error = std::fabs(got[i] - expected) / (relative * std::fabs(expected) + absolute);
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  return worst;
}

// The two functions that are exp and a reciprocal show what those are worth: 2e-7 for exp, an ulp for the division.
TEST(VectorMathTest, SigmoidIsAccurateRelatively) {
  for (const Isa isa : Isas()) {
    for (const Activation kind : {Activation::kSigmoid, Activation::kSilu}) {
      const GeneratedActivation f(isa, {kind}, MathPrecision::kFloat32);
      EXPECT_LE(WorstError(f, {kind}, Range(-85, 30), 3.5e-7, 1e-37), 1)
          << static_cast<int>(kind) << " isa " << static_cast<int>(isa);
    }
  }
}

TEST(VectorMathTest, AllActivationsInFloat32) {
  for (const Isa isa : Isas()) {
    for (size_t i = 0; i < kActivationNames.size(); ++i) {
      const ActivationSpec spec = SpecOf(static_cast<Activation>(i));
      const GeneratedActivation f(isa, spec, MathPrecision::kFloat32);
      // GELU multiplies erf's error by x / 2, down to x = -6.
      const double absolute = spec.kind == Activation::kGeluErf ? 3 * 4e-7 : 4e-7;
      EXPECT_LE(WorstError(f, spec, Range(-30, 30), 4e-7, absolute), 1) << kActivationNames[i];
      EXPECT_LE(WorstError(f, spec, Range(-1, 1), 4e-7, 4e-7), 1) << kActivationNames[i];
      EXPECT_LE(WorstError(f, spec, {-1e30f, -1e10f, 1e10f, 1e30f}, 4e-7, 4e-7), 1) << kActivationNames[i];
    }
  }
}

TEST(VectorMathTest, AllActivationsInBFloat16) {
  for (const Isa isa : Isas()) {
    for (size_t i = 0; i < kActivationNames.size(); ++i) {
      const ActivationSpec spec = SpecOf(static_cast<Activation>(i));
      const GeneratedActivation f(isa, spec, MathPrecision::kBFloat16);
      EXPECT_LE(WorstError(f, spec, Range(-30, 30), 2e-4, 1e-4), 1) << kActivationNames[i];
      EXPECT_LE(WorstError(f, spec, {-1e30f, 1e30f}, 2e-4, 1e-4), 1) << kActivationNames[i];
    }
  }
}

TEST(VectorMathTest, OtherSlopes) {
  for (const Isa isa : Isas()) {
    for (const float alpha : {-0.5f, 0.0f, 1.0f, 3.0f}) {
      for (const Activation kind : {Activation::kLeakyRelu, Activation::kElu}) {
        const ActivationSpec spec{kind, alpha, 0};
        EXPECT_LE(WorstError({isa, spec, MathPrecision::kFloat32}, spec, Range(-5, 5), 4e-7, 1e-6), 1) << alpha;
      }
    }
  }
}

TEST(VectorMathTest, NanStaysAndInfinitySaturates) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const Isa isa : Isas()) {
    for (const MathPrecision precision : {MathPrecision::kFloat32, MathPrecision::kBFloat16}) {
      for (size_t i = 0; i < kActivationNames.size(); ++i) {
        const auto kind = static_cast<Activation>(i);
        const auto got = GeneratedActivation(isa, SpecOf(kind), precision)({NAN, kInf, -kInf});
        EXPECT_TRUE(std::isnan(got[0])) << kActivationNames[i];
        const bool unbounded = kind == Activation::kNone || kind == Activation::kLeakyRelu;
        EXPECT_FALSE(std::isnan(got[1])) << kActivationNames[i];
        EXPECT_TRUE(unbounded ? got[2] == -kInf : std::fabs(got[2]) <= 1) << kActivationNames[i] << " " << got[2];
      }
    }
  }
}

}  // namespace
}  // namespace tenon::cpu
