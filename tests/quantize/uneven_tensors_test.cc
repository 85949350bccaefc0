#include "quantize/uneven_tensors.h"

#include <gtest/gtest.h>

#include <random>

#include "backends/cpu/cpu_device.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "vision/image.h"

namespace tenon {
namespace {

struct Sizes {
  std::string channels, weights;
};

/// The first conv's channels are of these sizes; a depthwise conv reads them, and a dense one with weights of these.
std::unique_ptr<Graph> Model(const Sizes& sizes) {
  auto graph = Parse(R"(graph "g" {
    input %x: f32[1,3,16,16]
    const %w: f32[8,3,3,3] = random(1)
    const %d: f32[8,1,3,3] = random(2)
    const %u: f32[4,8,1,1] = random(3)
    const %channels: f32[8,1,1,1] = )" +
                         sizes.channels + R"(
    const %weights: f32[1,8,1,1] = )" +
                         sizes.weights + R"(
    %scaled = Binary(%w, %channels) {kind=mul}
    %weighed = Binary(%u, %weights) {kind=mul}
    %y = Conv(%x, %scaled) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu} name "first"
    %z = Conv(%y, %d) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], groups=8} name "depthwise"
    %o = Conv(%z, %weighed) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]} name "dense"
    output %o "o"
  })",
                     &MakeOp);
  RunPassGroups(*graph, {}, MakeFloatPassList());
  return graph;
}

CalibrationImages RandomImages(int count) {
  CalibrationImages images{.paths = {}, .preprocess = {}};
  images.preprocess.height = images.preprocess.width = 16;
  std::mt19937 generator(7);
  for (int i = 0; i < count; ++i) {
    Image image(16, 16);
    for (int64_t k = 0; k < 16 * 16 * 3; ++k) image.bgr[static_cast<size_t>(k)] = static_cast<uint8_t>(generator());
    images.paths.push_back(testing::TempDir() + "uneven" + std::to_string(i) + ".png");
    WritePng(image, images.paths.back());
  }
  return images;
}

std::set<std::string> Chosen(const Sizes& sizes, double quiet) {
  const CalibrationImages images = RandomImages(2);
  return ChooseUnevenTensors(*Model(sizes), images, images, CpuDevice::Detect(), quiet, Progress::Mode::kQuiet).convs;
}

// Small channels count as much as the large one.
const Sizes kUneven{"[100, 1, 0.5, 0.7, 2, 1, 3, 0.2]", "[0.01, 1, 2, 1.4, 0.5, 1, 0.3, 5]"},
    kEven{"[1, 1, 1, 1, 1, 1, 1, 1]", "[1, 1, 1, 1, 1, 1, 1, 1]"};

TEST(ChooseUnevenTensorsTest, FindsWhatMakesTheNoise) { EXPECT_TRUE(Chosen(kUneven, 1e-7).contains("first")); }

TEST(ChooseUnevenTensorsTest, AQuietModelStaysAsItIs) { EXPECT_EQ(Chosen(kUneven, 1).size(), 0u); }

TEST(ChooseUnevenTensorsTest, EvenChannelsNeedNoFactors) { EXPECT_FALSE(Chosen(kEven, 1e-7).contains("first")); }

}  // namespace
}  // namespace tenon
