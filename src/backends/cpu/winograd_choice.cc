#include "backends/cpu/winograd_choice.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "ir/float16.h"

namespace tenon::cpu {
namespace {

constexpr double kGemmShare = 0.88, kDirectShare = 0.93;  // of the peak, measured on the layers of YOLOv8
/// Layers that gain less stay direct, whose rounding is that of the reference.
constexpr double kLeastGain = 1.1;

double CeilDiv(int a, int b) { return static_cast<double>((a + b - 1) / b); }

/// Cycles for one image on one core, a multiply-add of a whole vector taking one.
double DirectCycles(const ConvProblem& p, const CpuFeatures& features) {
  const int lanes = LanesOf(BestIsa(features)), per_step = ChannelsPerStep(DotOf(p, features));
  const double dots = kWinogradKernel * kWinogradKernel * CeilDiv(p.ic, per_step) * CeilDiv(p.oc, lanes);
  return p.oh * p.ow * dots / kDirectShare;
}

double WinogradCycles(const ConvProblem& p, WinogradForm form, const CpuFeatures& features) {
  const int lanes = LanesOf(BestIsa(features)), per_step = ChannelsPerStep(WinogradDotOf(p, features));
  const int outputs = WinogradOutputs(form);
  const double tiles = CeilDiv(p.oh, outputs) * CeilDiv(p.ow, outputs), vectors = CeilDiv(p.oc, lanes);
  const double dots = WinogradPoints(form) * CeilDiv(p.ic, per_step) * vectors;
  // What the direct convolution's epilogue takes too isn't counted.
  return tiles * (dots / kGemmShare + WinogradInputCycles(p, form, lanes) + vectors * WinogradOutputCycles(form));
}

/// The larger gain first. All forms are judged by the same rule, so that one of them is preferred at most.
std::optional<WinogradForm> BestForm(const ConvProblem& p, const CpuFeatures& features,
                                     std::span<const float> weights) {
  constexpr double kMostError = 0.02;
  std::optional<WinogradForm> best;
  double least = DirectCycles(p, features) / kLeastGain;
  for (const WinogradForm form :
       {WinogradForm::kF4, WinogradForm::kF2, WinogradForm::kF4Words, WinogradForm::kF4Stride2}) {
    if (!WhyNotWinograd(p, form, features).empty()) continue;
    const double cycles = WinogradCycles(p, form, features);
    if (cycles >= least) continue;
    if (DotOf(p, features) == Dot::kBFloat16 && WinogradError(p, form, weights) > kMostError) continue;
    best = form;
    least = cycles;
  }
  return best;
}

double RoundToHalf(double value) { return static_cast<float>(BFloat16(static_cast<float>(value))); }

/// C = A B, [m][k] by [k][n].
std::vector<double> Product(std::span<const double> a, std::span<const double> b, int m, int k, int n) {
  std::vector<double> c(static_cast<size_t>(m) * n, 0.0);
  for (int i = 0; i < m; ++i) {
    for (int l = 0; l < k; ++l) {
      for (int j = 0; j < n; ++j) c[i * n + j] += a[i * k + l] * b[l * n + j];
    }
  }
  return c;
}

std::vector<double> Transposed(std::span<const double> a, int rows, int columns) {
  std::vector<double> t(a.size());
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) t[j * rows + i] = a[i * columns + j];
  }
  return t;
}

/// T x T^T for a square x of `size`.
std::vector<double> Sandwich(std::span<const double> t, std::span<const double> x, int rows, int size) {
  return Product(Product(t, x, rows, size, size), Transposed(t, rows, size), rows, size, rows);
}

}  // namespace

// Measured on the layers of YOLOv8 (bench/conv_bench): 6 where a layer's maps stay in the L2, 11 on maps of 320x320.
constexpr double kCyclesPerPoint = 8;

double WinogradInputCycles(const ConvProblem& p, WinogradForm form, int lanes) {
  const int per_vector = form == WinogradForm::kF4Words ? 2 * lanes : lanes;
  return WinogradPoints(form) * kCyclesPerPoint * CeilDiv(p.ic, per_vector);
}

double WinogradOutputCycles(WinogradForm form) { return WinogradPoints(form) * kCyclesPerPoint; }

double WinogradError(const ConvProblem& p, WinogradForm form, std::span<const float> weights) {
  constexpr int kTiles = 4, kMostChannels = 8;
  const int outputs = WinogradOutputs(form), size = WinogradInputs(form), points = size * size;
  const int pixels = outputs * outputs;
  const WinogradMatrices matrices = MatricesOfWinograd(form);
  std::mt19937 random(1);
  std::normal_distribution<double> normal(0, 1.2);
  std::vector<std::vector<double>> inputs, transformed;  // [tile][channel]
  for (int i = 0; i < kTiles * p.ic; ++i) {
    std::vector<double> d(points);
    for (double& x : d) {
      const double sum = normal(random);
      x = RoundToHalf(sum / (1 + std::exp(-sum)));
    }
    transformed.push_back(Sandwich(matrices.b_transposed, d, size, size));
    for (double& v : transformed.back()) v = RoundToHalf(v);
    inputs.push_back(std::move(d));
  }
  double error = 0, power = 0;
  const int oc_step = std::max(1, p.oc / kMostChannels);
  for (int o = 0; o < p.oc; o += oc_step) {
    std::vector<double> sums(kTiles * points, 0.0), exact(kTiles * pixels, 0.0);
    for (int c = 0; c < p.ic; ++c) {
      const float* filter = &weights[(int64_t{o} * p.ic + c) * kWinogradTaps];
      std::vector<double> g(filter, filter + kWinogradTaps);
      for (double& w : g) w = RoundToHalf(w);
      std::vector<double> u = Sandwich(matrices.g, g, size, kWinogradKernel);
      for (double& w : u) w = RoundToHalf(w);
      for (int t = 0; t < kTiles; ++t) {
        const std::vector<double>&v = transformed[t * p.ic + c], &d = inputs[t * p.ic + c];
        for (int i = 0; i < points; ++i) sums[t * points + i] += u[i] * v[i];
        for (int i = 0; i < pixels; ++i) {
          const double* first = &d[(i / outputs * size + i % outputs) * WinogradStride(form)];
          for (int k = 0; k < kWinogradTaps; ++k)
            exact[t * pixels + i] += g[k] * first[k / kWinogradKernel * size + k % kWinogradKernel];
        }
      }
    }
    for (int t = 0; t < kTiles; ++t) {
      const std::vector<double> got =
          Sandwich(matrices.a_transposed, std::span(sums).subspan(t * points, points), outputs, size);
      for (int i = 0; i < pixels; ++i) {
        const double expected = exact[t * pixels + i];
        error += (got[i] - expected) * (got[i] - expected);
        power += expected * expected;
      }
    }
  }
  return power > 0 ? std::sqrt(error / power) : 0;
}

bool PrefersWinograd(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features,
                     std::span<const float> weights) {
  return BestForm(problem, features, weights) == form;
}

}  // namespace tenon::cpu
