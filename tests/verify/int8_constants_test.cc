#include "verify/int8_constants.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tenon {
namespace {

struct Channel {
  Tensor weights{DType::kFloat32, {2, 3, 3, 3}}, bias = Tensor::Of<float>({2}, {0.5f, -1});
  Int8Constants held;

  Channel() {
    std::mt19937 random(3);
    std::normal_distribution<float> normal(0, 0.1f);
    for (int64_t i = 0; i < weights.elems(); ++i) weights.data<float>()[i] = normal(random);
    Quantise(weights);
  }
  void Quantise(const Tensor& from, float range = 1) {
    held = {.weights = Tensor(DType::kInt8, weights.shape()),
            .scales = Tensor(DType::kFloat32, {2}),
            .bias = bias,
            .x = {0.02f, 10}};
    for (int64_t oc = 0; oc < 2; ++oc) {
      const float* row = from.data<float>() + oc * 27;
      float largest = 0;
      for (int i = 0; i < 27; ++i) largest = std::max(largest, std::abs(row[i]));
      const float scale = held.scales.data<float>()[oc] = range * largest / 127;
      for (int i = 0; i < 27; ++i)
        held.weights.data<int8_t>()[oc * 27 + i] =
            static_cast<int8_t>(std::clamp(std::nearbyint(row[i] / scale), -127.f, 127.f));
    }
  }
  Tensor Times(float factor) const {
    Tensor scaled(DType::kFloat32, weights.shape());
    for (int64_t i = 0; i < scaled.elems(); ++i) scaled.data<float>()[i] = weights.data<float>()[i] * factor;
    return scaled;
  }
  double Deviation() const { return Int8Deviation(held, weights, bias); }
};

TEST(Int8Deviation, RoundingIsExplained) {
  Channel channel;
  EXPECT_LE(channel.Deviation(), 0.5 + 1e-3);  // the nearest level
  channel.Quantise(channel.weights, 0.6f);     // clipped
  EXPECT_LE(channel.Deviation(), 1);
  // The farther neighbour, as adaptive rounding chooses it now and then.
  channel.Quantise(channel.weights);
  const float exact = channel.weights.data<float>()[5] / channel.held.scales.data<float>()[0];
  int8_t& level = channel.held.weights.data<int8_t>()[5];
  level = static_cast<int8_t>(level > exact ? level - 1 : level + 1);
  EXPECT_GT(channel.Deviation(), 0.5 + 1e-3);
  EXPECT_LE(channel.Deviation(), 1);
}

TEST(Int8Deviation, ScalingByOneTwentiethIsNot) {
  for (const float factor : {1.05f, 1 / 1.05f, 1.02f, 2.f, -1.f}) {
    for (const float range : {1.f, 0.6f}) {
      Channel channel;
      channel.Quantise(channel.Times(factor), range);
      EXPECT_GT(channel.Deviation(), 1) << factor << " clipped to " << range;
    }
  }
}

TEST(Int8Deviation, OneWrongLevelIsNot) {
  Channel channel;
  channel.held.weights.data<int8_t>()[7] ^= 8;
  EXPECT_GT(channel.Deviation(), 1);
}

TEST(Int8Deviation, BiasesTakeUpWhatRoundingAdds) {
  Channel channel;
  channel.held.bias = Tensor::Of<float>({2}, {0.505f, -1});
  EXPECT_LE(channel.Deviation(), 1);
  channel.held.bias = Tensor::Of<float>({2}, {0.5f, -2});
  EXPECT_GT(channel.Deviation(), 1);
  channel.held.bias = Tensor();
  EXPECT_GT(channel.Deviation(), 1);
}

// The interval is that of one mean for all taps of an input channel: what single taps could add counts no more.
TEST(Int8Deviation, BiasesTakeUpNoMoreThanOneMeanExplains) {
  Channel channel;
  double least = 0, most = 0, of_single_taps = 0;
  const double low = -10 * 0.02, high = 245 * 0.02;
  for (int ic = 0; ic < 3; ++ic) {
    double moved = 0;
    for (int i = ic * 9; i < ic * 9 + 9; ++i) {
      const double d = channel.held.weights.data<int8_t>()[i] * double{channel.held.scales.data<float>()[0]} -
                       channel.weights.data<float>()[i];
      moved += d;
      of_single_taps += std::abs(d) * high;
    }
    least += std::min(moved * low, moved * high);
    most += std::max(moved * low, moved * high);
  }
  ASSERT_LT(1.01 * most, of_single_taps);
  ASSERT_LT(-1.01 * least, of_single_taps);
  const auto with_bias = [&](double bias) {
    channel.held.bias = Tensor::Of<float>({2}, {static_cast<float>(bias), -1});
    return channel.Deviation();
  };
  EXPECT_LE(with_bias(0.5 - 0.99 * most), 1);
  EXPECT_GT(with_bias(0.5 - 1.01 * most), 1);
  EXPECT_LE(with_bias(0.5 - 0.99 * least), 1);
  EXPECT_GT(with_bias(0.5 - 1.01 * least), 1);
}

TEST(Int8Deviation, WhatDoesNotFitIsInfinitelyFar) {
  Channel channel;
  EXPECT_EQ(Int8Deviation(channel.held, Tensor(DType::kFloat32, {2, 27}), channel.bias), INFINITY);
  channel.held.scales.data<float>()[1] = 0;
  EXPECT_EQ(channel.Deviation(), INFINITY);
  channel.held.scales = Tensor();
  EXPECT_EQ(channel.Deviation(), INFINITY);
}

}  // namespace
}  // namespace tenon
