#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/conv_problem.h"
#include "guarded_buffer.h"
#include "ir/float16.h"

namespace tenon::cpu {

/// A convolution to test: the geometry, and how its tensors lie in memory.
struct ConvCase {
  ConvProblem p;  ///< views and their types are set by the harness; the output's type is taken from `out`
  DType in = DType::kFloat32, out = DType::kFloat32;
  DType compute = DType::kBFloat16;  ///< weights are of this type; inputs too where they are BF16
  bool planar_input = false;         ///< NCHW
  int in_gap = 0, out_gap = 0;       ///< further channels in the buffers, before and behind
  enum class Residual { kNone, kFloat32, kBFloat16 } residual = Residual::kNone;
  bool upsample = false;  ///< also stored to a view of twice the size
  /// Of algorithms whose roundings spread over a tile (Winograd): the most that the root mean square of all errors may
  /// be, by that of the results. A tap too many or too few is an error of the size of the results.
  double relative_rms = 0;
};

inline void StoreElem(DType dtype, std::byte* at, float value) {
  if (dtype == DType::kFloat32) {
    std::memcpy(at, &value, 4);
  } else if (dtype == DType::kUInt8) {
    *at = static_cast<std::byte>(value);
  } else {
    const BFloat16 rounded(value);
    std::memcpy(at, &rounded, 2);
  }
}

inline float LoadElem(DType dtype, const std::byte* at) {
  float value;
  BFloat16 half;
  if (dtype == DType::kFloat32) {
    std::memcpy(&value, at, 4);
    return value;
  }
  if (dtype == DType::kUInt8) return static_cast<float>(std::to_integer<int>(*at));
  std::memcpy(&half, at, 2);
  return static_cast<float>(half);
}

/// A tensor in guarded memory; what lies outside of its view keeps the fill pattern.
struct TestTensor {
  View view;
  int n, c, h, w;
  std::unique_ptr<GuardedBuffer> buffer;

  /// NHWC with `gap` channels before and behind, or NCHW.
  TestTensor(DType dtype, int n, int c, int h, int w, int gap, bool planar, int fill) : n(n), c(c), h(h), w(w) {
    const int64_t elem = SizeOf(dtype);
    view.dtype = dtype;
    if (planar) {
      view.c_stride = elem * h * w;
      view.w_stride = elem;
      view.h_stride = elem * w;
      view.n_stride = elem * c * h * w;
    } else {
      view.offset = gap * elem;
      view.c_stride = elem;
      view.w_stride = (c + 2 * gap) * elem;
      view.h_stride = view.w_stride * w;
      view.n_stride = view.h_stride * h;
    }
    buffer = std::make_unique<GuardedBuffer>(n * view.n_stride, fill);
  }
  std::byte* At(int in, int ic, int y, int x) { return buffer->data() + view.OffsetOf(in, ic, y, x); }
  float Get(int in, int ic, int y, int x) { return LoadElem(view.dtype, At(in, ic, y, x)); }
  template <class F>
  void ForEach(const F& f) {
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k < c; ++k) {
        for (int y = 0; y < h; ++y) {
          for (int x = 0; x < w; ++x) f(i, k, y, x);
        }
      }
    }
  }
  void FillRandom(std::mt19937& random) {
    std::uniform_real_distribution<float> uniform(-1, 1);
    ForEach([&](int i, int k, int y, int x) { StoreElem(view.dtype, At(i, k, y, x), uniform(random)); });
  }
  /// Bytes outside of the view that don't hold the pattern any more.
  int Trampled(int fill) const {
    std::vector<bool> inside(buffer->size(), false);
    const int64_t elem = SizeOf(view.dtype);
    const_cast<TestTensor*>(this)->ForEach([&](int i, int k, int y, int x) {
      for (int64_t b = 0; b < elem; ++b) inside[view.OffsetOf(i, k, y, x) + b] = true;
    });
    int count = 0;
    for (size_t i = 0; i < inside.size(); ++i) {
      count += !inside[i] && buffer->data()[i] != static_cast<std::byte>(fill);
    }
    return count;
  }
};

inline constexpr int kInputFill = 0xff;  // NaN in both types: whoever reads it shows
inline constexpr int kOutputFill = 0xa5;

/// The operands of a case and what a naive convolution in double precision makes of them.
class ConvHarness {
 public:
  explicit ConvHarness(ConvCase c, unsigned seed = 1) : case_(std::move(c)), random_(seed) {
    ConvProblem& p = case_.p;
    input_ =
        std::make_unique<TestTensor>(case_.in, p.n, p.ic, p.ih, p.iw, case_.in_gap, case_.planar_input, kInputFill);
    input_->FillRandom(random_);
    p.input = input_->view;
    p.compute = case_.compute;
    p.output = TestTensor(case_.out, p.n, p.oc, p.oh, p.ow, case_.out_gap, false, 0).view;
    if (case_.residual != ConvCase::Residual::kNone) {
      const DType dtype = case_.residual == ConvCase::Residual::kFloat32 ? DType::kFloat32 : DType::kBFloat16;
      residual_ = std::make_unique<TestTensor>(dtype, p.n, p.oc, p.oh, p.ow, case_.in_gap, false, kInputFill);
      residual_->FillRandom(random_);
      p.epilogue.residual = residual_->view;
    }
    if (case_.upsample) {
      p.epilogue.extra_stores = {
          {TestTensor(case_.out, p.n, p.oc, 2 * p.oh, 2 * p.ow, case_.out_gap + 3, false, 0).view, 2}};
    }
    std::uniform_real_distribution<float> uniform(-1, 1);
    weights_.resize(p.WeightCount());
    for (float& w : weights_)
      w = case_.compute == DType::kBFloat16 ? static_cast<float>(BFloat16(uniform(random_))) : uniform(random_);
    bias_.resize(p.oc);
    for (float& b : bias_) b = uniform(random_);
    ComputeReference();
  }

  const ConvProblem& problem() const { return case_.p; }
  const std::vector<float>& weights() const { return weights_; }
  const std::vector<float>& bias() const { return bias_; }

  /// Runs `run(args)` and checks every output, and that nothing else was written. Returns the output's bytes.
  std::vector<std::byte> RunAndCheck(const std::vector<std::byte>& packed,
                                     const std::function<void(const ConvArgs&)>& run) {
    const ConvProblem& p = case_.p;
    TestTensor output(case_.out, p.n, p.oc, p.oh, p.ow, case_.out_gap, false, kOutputFill);
    TestTensor large(case_.out, p.n, p.oc, 2 * p.oh, 2 * p.ow, case_.out_gap + 3, false, kOutputFill);
    GuardedBuffer weights(packed.size(), 0);
    std::copy(packed.begin(), packed.end(), weights.data());
    ConvArgs args{.input = input_->buffer->data(),
                  .packed = weights.data(),
                  .residual = residual_ ? residual_->buffer->data() : nullptr,
                  .outputs = {output.buffer->data(), case_.upsample ? large.buffer->data() : nullptr}};
    run(args);
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

 private:
  static double Activate(const ActivationSpec& spec, double x) {
    return ApplyActivation(spec.kind, x, spec.alpha, spec.beta);
  }

  void ComputeReference() {
    const ConvProblem& p = case_.p;
    const int group_oc = p.group_oc(), group_ic = p.group_ic();
    TestTensor shape(case_.out, p.n, p.oc, p.oh, p.ow, 0, false, 0);
    shape.ForEach([&](int n, int o, int y, int x) {
      double sum = bias_[o], magnitude = std::fabs(bias_[o]);
      for (int c = 0; c < group_ic; ++c) {
        for (int kh = 0; kh < p.kh; ++kh) {
          for (int kw = 0; kw < p.kw; ++kw) {
            const int iy = y * p.stride_h - p.pad_top + kh * p.dilation_h,
                      ix = x * p.stride_w - p.pad_left + kw * p.dilation_w;
            if (iy < 0 || iy >= p.ih || ix < 0 || ix >= p.iw) continue;
            const double w = weights_[((int64_t{o} * group_ic + c) * p.kh + kh) * p.kw + kw];
            const double term = w * input_->Get(n, o / group_oc * group_ic + c, iy, ix);
            sum += term;
            magnitude += std::fabs(term);
          }
        }
      }
      double value = Activate(p.epilogue.activation, sum);
      if (residual_) value += residual_->Get(n, o, y, x);
      reference_.push_back(Activate(p.epilogue.post_activation, value));
      magnitudes_.push_back(magnitude);
    });
  }

  // A sum of K terms in FP32 is off by at most (K + 2) u times the sum of magnitudes; no activation here is steeper
  // than 1.2 (twice over with a second one); activations are within 4e-7; storing BF16 rounds by 2^-8 relative, and its
  // shorter exp adds 2^-12.
  void CheckOutput(TestTensor& output) {
    if (case_.relative_rms > 0) return CheckSpread(output);
    const ConvProblem& p = case_.p;
    const double k = double(p.group_ic()) * p.kh * p.kw, unit = std::ldexp(1.0, -24);
    size_t i = 0;
    int wrong = 0;
    output.ForEach([&](int n, int o, int y, int x) {
      const double expected = reference_[i], got = output.Get(n, o, y, x);
      double tolerance = 1.5 * (k + 4) * unit * magnitudes_[i] + 1e-6 * (1 + std::fabs(expected));
      if (case_.out == DType::kBFloat16)
        tolerance += (std::ldexp(1.0, -8) + std::ldexp(1.0, -12)) * (std::fabs(expected) + 0.1);
      ++i;
      if (std::fabs(got - expected) <= tolerance) return;
      if (++wrong <= 3) {
        ADD_FAILURE() << "n " << n << " c " << o << " y " << y << " x " << x << ": got " << got << ", expected "
                      << expected << " +- " << tolerance;
      }
    });
    EXPECT_EQ(wrong, 0) << "of " << i << " outputs";
  }

  /// Errors of this kind are sums of many small ones: hardly one in 10^14 is beyond eight times their root mean square.
  void CheckSpread(TestTensor& output) {
    double errors = 0, power = 0, worst = 0;
    size_t i = 0;
    output.ForEach([&](int n, int o, int y, int x) {
      const double expected = reference_[i++], error = output.Get(n, o, y, x) - expected;
      errors += error * error;
      power += expected * expected;
      worst = std::isfinite(error) ? std::max(worst, std::fabs(error)) : HUGE_VAL;
    });
    const double allowed = case_.relative_rms * std::sqrt(power / static_cast<double>(i));
    EXPECT_LE(std::sqrt(errors / static_cast<double>(i)), allowed);
    EXPECT_LE(worst, 8 * allowed + 1e-6);
  }

  ConvCase case_;
  std::mt19937 random_;
  std::unique_ptr<TestTensor> input_, residual_;
  std::vector<float> weights_, bias_;
  std::vector<double> reference_, magnitudes_;
};

/// Sets oh and ow for symmetric pads.
inline ConvProblem WithPads(ConvProblem p, int top, int left, int bottom, int right) {
  p.pad_top = top;
  p.pad_left = left;
  p.oh = (p.ih + top + bottom - (p.kh - 1) * p.dilation_h - 1) / p.stride_h + 1;
  p.ow = (p.iw + left + right - (p.kw - 1) * p.dilation_w - 1) / p.stride_w + 1;
  return p;
}

inline std::string Describe(const ConvCase& c) {
  const ConvProblem& p = c.p;
  return fmt::format(
      "n{} {}x{}x{} -> {}x{}x{} k{}x{} s{}x{} d{}x{} p{},{} g{} {}{} -> {} gaps {},{} act {} res {} up {}", p.n, p.ic,
      p.ih, p.iw, p.oc, p.oh, p.ow, p.kh, p.kw, p.stride_h, p.stride_w, p.dilation_h, p.dilation_w, p.pad_top,
      p.pad_left, p.groups, ToString(c.in), c.planar_input ? " planar" : "", ToString(c.out), c.in_gap, c.out_gap,
      kActivationNames[static_cast<int>(p.epilogue.activation.kind)], static_cast<int>(c.residual), c.upsample);
}

/// The features of this machine, or those with AVX-512 masked away.
inline CpuFeatures Avx2Only() {
  CpuFeatures features = DetectCpuFeatures();
  features.avx512 = features.avx512_bf16 = features.avx512_vnni = features.amx_bf16 = false;
  return features;
}

}  // namespace tenon::cpu
