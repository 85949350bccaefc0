#include "quantize/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tenon {
namespace {

TEST(QuantizeWeightsTest, EachChannelHasItsOwnScale) {
  const Tensor weights = Tensor::Of<float>({2, 2, 1, 1}, {127, -63, 0.127f, 0.001f});
  const QuantizedWeights quantized = QuantizeWeights(weights, 1, {});
  EXPECT_NEAR(quantized.scales.data<float>()[0], 1, 0.01);
  EXPECT_NEAR(quantized.scales.data<float>()[1], 0.001, 1e-5);
  for (int i = 0; i < 4; ++i) {
    const float scale = quantized.scales.data<float>()[i / 2];
    EXPECT_NEAR(quantized.elements.data<int8_t>()[i] * scale, weights.data<float>()[i], scale);
  }
}

TEST(QuantizeWeightsTest, ZerosAreFine) {
  const QuantizedWeights quantized = QuantizeWeights(Tensor(DType::kFloat32, {1, 2, 1, 1}), 1, {});
  EXPECT_EQ(quantized.scales.data<float>()[0], 1);
  EXPECT_EQ(quantized.elements.data<int8_t>()[0], 0);
}

TEST(QuantizeWeightsTest, DeadInputsDoNotSetTheScale) {
  // The large weight meets a channel that is always 0.
  const Tensor weights = Tensor::Of<float>({1, 3, 1, 1}, {100, 1, -0.77f});
  const std::vector<double> energy = {0, 1, 1};
  const QuantizedWeights blind = QuantizeWeights(weights, 1, {}), seeing = QuantizeWeights(weights, 1, energy);
  EXPECT_LT(seeing.scales.data<float>()[0], 0.99f * blind.scales.data<float>()[0]);
}

TEST(WeightRoundingBiasTest, IsWhatRoundingAddsOnAverage) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, 1);
  Tensor weights(DType::kFloat32, {4, 2, 1, 1});  // two groups of two inputs
  for (int i = 0; i < 8; ++i) weights.data<float>()[i] = normal(generator);
  const QuantizedWeights quantized = QuantizeWeights(weights, 2, {});
  const std::vector<double> mean = {1, 10, 100, 1000};
  const std::vector<double> bias = WeightRoundingBias(weights, quantized, 2, mean);
  for (int oc = 0; oc < 4; ++oc) {
    double expected = 0;
    for (int i = 0; i < 2; ++i) {
      const double scale = quantized.scales.data<float>()[oc];
      const double rounded = quantized.elements.data<int8_t>()[2 * oc + i] * scale;
      expected += (rounded - weights.data<float>()[2 * oc + i]) * mean[oc / 2 * 2 + i];
    }
    EXPECT_NEAR(bias[oc], expected, 1e-9);
  }
}

}  // namespace
}  // namespace tenon
