#include "quantize/weight_rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/error.h"

namespace tenon {
namespace {

constexpr int64_t kChannels = 6, kOutputs = 4, kSize = 9;

/// x whose channels go together: errors of their weights can make up for each other.
Tensor Correlated(unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 1);
  Tensor x(DType::kFloat32, {1, kChannels, kSize, kSize});
  for (int64_t i = 0; i < kSize * kSize; ++i) {
    const float common = normal(generator);
    for (int64_t c = 0; c < kChannels; ++c)
      x.data<float>()[c * kSize * kSize + i] = 1 + common + 0.3f * normal(generator);
  }
  return x;
}

Tensor RandomWeights(int64_t groups) {
  std::mt19937 generator(5);
  std::normal_distribution<float> normal(0, 1);
  Tensor weights(DType::kFloat32, {kOutputs * (groups > 1 ? groups / 2 : 1), kChannels / groups, 3, 3});
  for (int64_t i = 0; i < weights.elems(); ++i) weights.data<float>()[i] = normal(generator);
  return weights;
}

Conv Window(int64_t groups) {
  Conv conv;
  conv.strides = {1, 1};
  conv.dilations = {1, 1};
  conv.pads = {1, 1, 1, 1};
  conv.groups = groups;
  return conv;
}

Tensor Real(const QuantizedWeights& quantized) {
  Tensor real(DType::kFloat32, quantized.elements.shape());
  const int64_t row = real.elems() / real.shape()[0];
  for (int64_t i = 0; i < real.elems(); ++i)
    real.data<float>()[i] = quantized.elements.data<int8_t>()[i] * quantized.scales.data<float>()[i / row];
  return real;
}

/// Variance of the error of the conv's results, summed over output channels.
double ErrorOf(const Conv& conv, const Tensor& weights, const QuantizedWeights& quantized, const Tensor& x) {
  const std::vector<Tensor> real = {x, weights}, rounded = {x, Real(quantized)};
  const Tensor a = conv.Evaluate(real)[0], b = conv.Evaluate(rounded)[0];
  const int64_t pixels = kSize * kSize;
  double total = 0;
  for (int64_t c = 0; c < a.shape()[1]; ++c) {
    double sum = 0, squares = 0;
    for (int64_t i = c * pixels; i < (c + 1) * pixels; ++i) {
      const double e = b.AsDouble(i) - a.AsDouble(i);
      sum += e;
      squares += e * e;
    }
    total += squares / pixels - sum / pixels * (sum / pixels);
  }
  return total;
}

PatchMoments MomentsOf(const Conv& conv, const Tensor& weights, int images) {
  const Shape x = {1, kChannels, kSize, kSize}, y = {1, weights.shape()[0], kSize, kSize};
  PatchMoments moments(conv, x, weights.shape(), y);
  for (int i = 0; i < images; ++i) moments.Add(Correlated(static_cast<unsigned>(i)).values<float>(), kSize * kSize);
  return moments;
}

TEST(PatchMomentsTest, ErrorsOfWeightsHaveThisVariance) {
  const Conv conv = Window(1);
  const Tensor weights = RandomWeights(1);
  const QuantizedWeights nearest = QuantizeWeights(weights, 1, {});
  const PatchMoments moments = MomentsOf(conv, weights, 1);
  const std::vector<float> covariance = moments.Covariance(0);
  const Tensor real = Real(nearest);
  const auto size = static_cast<size_t>(moments.patch_size());
  double variance = 0;
  for (int64_t oc = 0; oc < kOutputs; ++oc) {
    for (size_t i = 0; i < size; ++i) {
      for (size_t j = 0; j < size; ++j) {
        const auto difference = [&](size_t k) {
          const int64_t at = oc * moments.patch_size() + static_cast<int64_t>(k);
          return static_cast<double>(real.data<float>()[at]) - weights.data<float>()[at];
        };
        variance += difference(i) * static_cast<double>(covariance[i * size + j]) * difference(j);
      }
    }
  }
  const double error = ErrorOf(conv, weights, nearest, Correlated(0));
  EXPECT_NEAR(variance, error, 1e-4 * error);
}

TEST(PatchMomentsTest, TakesEvenlySpreadPixels) {
  std::vector<float> x(16);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  Conv pointwise = Window(1);
  pointwise.pads = {0, 0, 0, 0};
  PatchMoments some(pointwise, {1, 1, 4, 4}, {1, 1, 1, 1}, {1, 1, 4, 4});
  some.Add(x, 4);  // 0, 4, 8, 12
  EXPECT_DOUBLE_EQ(some.Mean(0)[0], 6);
  EXPECT_FLOAT_EQ(some.Covariance(0)[0], 20);
}

TEST(RoundTogetherTest, ErrorsOfCorrelatedInputsCancel) {
  for (const int64_t groups : {1, 2}) {
    const Conv conv = Window(groups);
    const Tensor weights = RandomWeights(groups);
    const QuantizedWeights nearest = QuantizeWeights(weights, groups, {});
    const QuantizedWeights together = RoundTogether(weights, nearest, MomentsOf(conv, weights, 8));
    const Tensor unseen = Correlated(99);
    EXPECT_LT(ErrorOf(conv, weights, together, unseen), 0.7 * ErrorOf(conv, weights, nearest, unseen)) << groups;
  }
}

TEST(RoundTogetherTest, StaysWithinOneLevel) {
  const Tensor weights = RandomWeights(1);
  const QuantizedWeights nearest = QuantizeWeights(weights, 1, {});
  const QuantizedWeights together = RoundTogether(weights, nearest, MomentsOf(Window(1), weights, 4));
  const int64_t row = weights.elems() / kOutputs;
  int moved = 0;
  for (int64_t i = 0; i < weights.elems(); ++i) {
    const float exact = std::clamp(weights.data<float>()[i] / nearest.scales.data<float>()[i / row], -127.0f, 127.0f);
    EXPECT_GE(together.elements.data<int8_t>()[i], std::floor(exact));
    EXPECT_LE(together.elements.data<int8_t>()[i], std::ceil(exact));
    moved += together.elements.data<int8_t>()[i] != nearest.elements.data<int8_t>()[i];
  }
  EXPECT_GT(moved, 0);
}

TEST(RoundTogetherTest, DeadInputsAreRoundedToNearest) {
  const Tensor weights = RandomWeights(1);
  const QuantizedWeights nearest = QuantizeWeights(weights, 1, {});
  PatchMoments moments(Window(1), {1, kChannels, kSize, kSize}, weights.shape(), {1, kOutputs, kSize, kSize});
  const std::vector<float> zeros(static_cast<size_t>(kChannels * kSize * kSize), 0.0f);
  moments.Add(zeros, 16);
  EXPECT_TRUE(Identical(RoundTogether(weights, nearest, moments).elements, nearest.elements));
}

TEST(ParseWeightRoundingTest, ListsWhatThereIs) {
  EXPECT_EQ(ParseWeightRounding("adaround"), WeightRounding::kAdaRound);
  try {
    ParseWeightRounding("up");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("nearest, adaround"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tenon
