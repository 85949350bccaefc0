#pragma once
#include <algorithm>
#include <optional>

#include "conv_harness.h"

namespace tenon::cpu {

/// An INT8 convolution to test.
struct Int8Case {
  ConvProblem p;  ///< views, types and scales are set by the harness
  DType out = DType::kUInt8;
  std::optional<DType> residual = {};
  int input_zero = 128, output_zero = 100;
  float output_scale = 0.023f;
  int in_gap = 0, out_gap = 0;  ///< further channels in the buffers, before and behind
  bool upsample = false;        ///< also stored to a view of twice the size
  bool factors = false;         ///< channels have scales of their own
  enum class Values { kRandom, kExtreme } values = Values::kRandom;  ///< extreme: the ends of u8 and s8 alone
  double relative_rms = 0;                                           ///< as ConvCase's: of sums of rounded weights
};

inline std::string Describe(const Int8Case& c) {
  const ConvProblem& p = c.p;
  return fmt::format(
      "n{} {}x{}x{} -> {}x{}x{} k{}x{} s{}x{} d{}x{} p{},{} g{} out {} res {} zeros {},{} scale {} gaps {},{} act {} "
      "{} up {} factors {}",
      p.n, p.ic, p.ih, p.iw, p.oc, p.oh, p.ow, p.kh, p.kw, p.stride_h, p.stride_w, p.dilation_h, p.dilation_w,
      p.pad_top, p.pad_left, p.groups, ToString(c.out), c.residual ? ToString(*c.residual) : "none", c.input_zero,
      c.output_zero, c.output_scale, c.in_gap, c.out_gap,
      kActivationNames[static_cast<int>(p.epilogue.activation.kind)],
      kActivationNames[static_cast<int>(p.epilogue.post_activation.kind)], c.upsample, c.factors);
}

/// The operands of a case and what exact integer sums and single float operations make of them.
class Int8Harness {
 public:
  explicit Int8Harness(Int8Case c, unsigned seed = 1) : case_(std::move(c)), random_(seed) {
    ConvProblem& p = case_.p;
    p.compute = DType::kInt8;
    input_ = std::make_unique<TestTensor>(DType::kUInt8, p.n, p.ic, p.ih, p.iw, case_.in_gap, false, 0x5a);
    const bool is_extreme = case_.values == Int8Case::Values::kExtreme;
    input_->ForEach([&](int i, int k, int y, int x) {
      StoreElem(DType::kUInt8, input_->At(i, k, y, x), is_extreme ? Pick(0, 9) / 9 * 255 : Pick(0, 255));
    });
    p.input = input_->view;
    p.output = TestTensor(case_.out, p.n, p.oc, p.oh, p.ow, case_.out_gap, false, 0).view;
    const int k = p.group_ic() * p.kh * p.kw;
    p.quantization = {{0.02f, case_.input_zero}, {0.03f, 7}, {case_.output_scale, case_.output_zero}};
    if (case_.residual) MakeResidual();
    if (case_.upsample) {
      p.epilogue.extra_stores = {
          {TestTensor(case_.out, p.n, p.oc, 2 * p.oh, 2 * p.ow, case_.out_gap + 3, false, 0).view, 2}};
    }
    weights_.resize(p.WeightCount());
    for (float& w : weights_) w = static_cast<float>(is_extreme ? Pick(0, 1) * 255 - 128 : Pick(-128, 127));
    bias_.resize(p.oc);
    weight_scales_.resize(p.oc);
    for (float& b : bias_) b = Uniform(-2, 2);
    // Extreme values run far beyond the ends of a byte.
    for (float& s : weight_scales_) s = is_extreme ? 1e4f : Uniform(0.5f, 2.0f) / (60 * std::sqrt(float(k)));
    p.epilogue.has_factors = case_.factors;
    if (case_.factors) factors_.resize(p.oc);
    for (float& f : factors_) f = Uniform(0.5f, 20);
    ComputeReference();
  }

  const ConvProblem& problem() const { return case_.p; }
  const std::vector<float>& weights() const { return weights_; }
  const std::vector<float>& bias() const { return bias_; }
  const std::vector<float>& weight_scales() const { return weight_scales_; }
  const std::vector<float>& factors() const { return factors_; }

  /// Runs `run(args)` and checks every output, and that nothing else was written. Returns the output's bytes.
  std::vector<std::byte> RunAndCheck(const std::vector<std::byte>& packed,
                                     const std::function<void(const ConvArgs&)>& run) {
    const ConvProblem& p = case_.p;
    TestTensor output(case_.out, p.n, p.oc, p.oh, p.ow, case_.out_gap, false, kOutputFill);
    TestTensor large(case_.out, p.n, p.oc, 2 * p.oh, 2 * p.ow, case_.out_gap + 3, false, kOutputFill);
    GuardedBuffer weights(packed.size(), 0);
    std::copy(packed.begin(), packed.end(), weights.data());
    run({.input = input_->buffer->data(),
         .packed = weights.data(),
         .residual = residual_ ? residual_->buffer->data() : nullptr,
         .outputs = {output.buffer->data(), case_.upsample ? large.buffer->data() : nullptr}});
    CheckOutput(output);
    EXPECT_EQ(output.Trampled(kOutputFill), 0);
    if (case_.upsample) {
      int wrong = 0;
      large.ForEach(
          [&](int n, int c, int y, int x) { wrong += large.Get(n, c, y, x) != output.Get(n, c, y / 2, x / 2); });
      EXPECT_EQ(wrong, 0) << "upsampled store";
      EXPECT_EQ(large.Trampled(kOutputFill), 0);
    }
    return {output.buffer->data(), output.buffer->data() + output.buffer->size()};
  }

  /// Whether the epilogue is made of single operations that every instruction set rounds alike.
  bool is_exact() const { return IsExact(case_.p.epilogue.activation) && IsExact(case_.p.epilogue.post_activation); }
  /// Whether results must not depend on the instruction set: bytes have the same SiLU everywhere.
  bool is_same_everywhere() const {
    return is_exact() || (case_.out == DType::kUInt8 && case_.p.epilogue.activation.kind == Activation::kSilu &&
                          IsExact(case_.p.epilogue.post_activation));
  }

 private:
  static bool IsExact(const ActivationSpec& spec) {
    return spec.kind == Activation::kNone || spec.kind == Activation::kRelu || spec.kind == Activation::kLeakyRelu ||
           spec.kind == Activation::kClip;
  }
  int Pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  float Uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }
  static float Activate(const ActivationSpec& spec, float x) {
    return static_cast<float>(ApplyActivation(spec.kind, x, spec.alpha, spec.beta));
  }

  void MakeResidual() {
    ConvProblem& p = case_.p;
    residual_ = std::make_unique<TestTensor>(*case_.residual, p.n, p.oc, p.oh, p.ow, case_.in_gap, false, kInputFill);
    residual_->ForEach([&](int i, int k, int y, int x) {
      StoreElem(*case_.residual, residual_->At(i, k, y, x),
                *case_.residual == DType::kUInt8 ? static_cast<float>(Pick(0, 255)) : Uniform(-1, 1));
    });
    p.epilogue.residual = residual_->view;
  }

  int64_t Sum(int n, int o, int y, int x) const {
    const ConvProblem& p = case_.p;
    const int group_ic = p.group_ic();
    int64_t sum = 0;
    for (int c = 0; c < group_ic; ++c) {
      for (int kh = 0; kh < p.kh; ++kh) {
        for (int kw = 0; kw < p.kw; ++kw) {
          const int iy = y * p.stride_h - p.pad_top + kh * p.dilation_h,
                    ix = x * p.stride_w - p.pad_left + kw * p.dilation_w;
          if (iy < 0 || iy >= p.ih || ix < 0 || ix >= p.iw) continue;
          const int w = static_cast<int>(weights_[((int64_t{o} * group_ic + c) * p.kh + kh) * p.kw + kw]);
          const int value = static_cast<int>(input_->Get(n, o / p.group_oc() * group_ic + c, iy, ix));
          sum += int64_t{w} * (value - p.quantization.x.zero_point);
        }
      }
    }
    return sum;
  }

  void ComputeReference() {
    const ConvProblem& p = case_.p;
    TestTensor shape(case_.out, p.n, p.oc, p.oh, p.ow, 0, false, 0);
    shape.ForEach([&](int n, int o, int y, int x) {
      const float multiplier = p.quantization.x.scale * weight_scales_[o];
      float value =
          Activate(p.epilogue.activation, std::fma(static_cast<float>(Sum(n, o, y, x)), multiplier, bias_[o]));
      if (residual_) {
        const float r = residual_->Get(n, o, y, x);
        const AffineScale& scale = p.quantization.residual;
        value += *case_.residual == DType::kUInt8 ? (r - static_cast<float>(scale.zero_point)) * scale.scale : r;
      }
      reference_.push_back(Activate(p.epilogue.post_activation, value));
    });
  }

  float Stored(float value, int o) const {
    if (case_.out == DType::kFloat32) return value;
    if (case_.out == DType::kBFloat16) return static_cast<float>(BFloat16(value));
    const AffineScale& scale = case_.p.quantization.y;
    const float steps_per_unit = factors_.empty() ? 1.0f / scale.scale : StepsPerUnit(scale, factors_[o]);
    const float steps = std::nearbyint(value * steps_per_unit) + static_cast<float>(scale.zero_point);
    return std::clamp(steps, 0.0f, 255.0f);
  }

  // Exact epilogues agree to the bit; others are within a step of the grid, or the error of the activations
  // (conv_harness.h).
  void CheckOutput(TestTensor& output) {
    if (case_.relative_rms > 0) return CheckSpread(output);
    size_t i = 0;
    int wrong = 0;
    output.ForEach([&](int n, int o, int y, int x) {
      const float value = reference_[i++], expected = Stored(value, o), got = output.Get(n, o, y, x);
      float tolerance = 0;
      if (!is_exact() && case_.out == DType::kUInt8) tolerance = 1;
      if (!is_exact() && case_.out == DType::kFloat32) tolerance = 2e-6f * (1 + std::fabs(value));
      if (!is_exact() && case_.out == DType::kBFloat16) tolerance = std::ldexp(1.0f, -7) * (std::fabs(value) + 0.1f);
      off_by_one_ += got != expected;
      ++count_;
      if (std::fabs(got - expected) <= tolerance) return;
      if (++wrong <= 3) {
        ADD_FAILURE() << "n " << n << " c " << o << " y " << y << " x " << x << ": got " << got << ", expected "
                      << expected << " +- " << tolerance << " (" << value << ")";
      }
    });
    EXPECT_EQ(wrong, 0) << "of " << i << " outputs";
    // The approximations are far finer than the grid: hardly any value crosses from one step to the next.
    if (case_.out == DType::kUInt8) {
      EXPECT_LE(off_by_one_, 5 + count_ / 20);
    }
  }

  /// As ConvHarness's; a byte is rounded once more, by half a step.
  void CheckSpread(TestTensor& output) {
    const bool is_byte = case_.out == DType::kUInt8;
    const double step = is_byte ? case_.output_scale : 1e-6;
    double errors = 0, power = 0, worst = 0;
    size_t i = 0;
    output.ForEach([&](int n, int o, int y, int x) {
      const float value = reference_[i++];
      const double error = (output.Get(n, o, y, x) - Stored(value, o)) * (is_byte ? step : 1.0);
      errors += error * error;
      power += double(value) * value;
      worst = std::isfinite(error) ? std::max(worst, std::fabs(error)) : HUGE_VAL;
    });
    const double count = static_cast<double>(i), allowed = case_.relative_rms * std::sqrt(power / count);
    EXPECT_LE(std::sqrt(errors / count), allowed + step);
    EXPECT_LE(worst, 8 * allowed + step);
  }

  Int8Case case_;
  std::mt19937 random_;
  std::unique_ptr<TestTensor> input_, residual_;
  std::vector<float> weights_, bias_, weight_scales_, factors_, reference_;
  int64_t off_by_one_ = 0, count_ = 0;
};

/// Instruction sets with different kernels: this machine's, without VNNI, without AVX-512.
inline std::vector<CpuFeatures> Int8Features() {
  const CpuFeatures all = DetectCpuFeatures();
  std::vector<CpuFeatures> sets = {Avx2Only()};
  CpuFeatures no_vnni = all;
  no_vnni.avx512_vnni = false;
  if (all.avx512) sets.push_back(no_vnni);
  if (all.avx512_vnni) sets.push_back(all);
  return sets;
}

}  // namespace tenon::cpu
