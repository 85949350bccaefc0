// The letterbox kernel's own text, compiled for the host: the tensor of the CPU's letterbox, which is OpenCV's, bit by
// bit.
#include <gtest/gtest.h>

#include <random>

#include "backends/cuda/resize_taps.h"
#include "vision/letterbox.h"

namespace {
struct Dim {
  unsigned x = 0, y = 0;
};
Dim blockIdx, blockDim, threadIdx;
}  // namespace
#define __device__
#define __global__
#include "backends/cuda/kernels/letterbox.cu"
#undef __device__
#undef __global__

namespace tenon {
namespace {

static_assert(sizeof(letterbox::Tap) == sizeof(cuda::ImageTap));

Image RandomImage(int height, int width, uint32_t seed) {
  Image image(height, width);
  std::mt19937 random(seed);
  for (uint8_t& byte : image.bgr) byte = static_cast<uint8_t>(random());
  return image;
}

struct Taps {
  Taps(int from_height, int from_width, int height, int width)
      : columns(cuda::ResizeTaps(from_width, width, false)), rows(cuda::ResizeTaps(from_height, height, true)) {}
  std::vector<cuda::ImageTap> columns, rows;
  const letterbox::Tap* column_taps() const { return reinterpret_cast<const letterbox::Tap*>(columns.data()); }
  const letterbox::Tap* row_taps() const { return reinterpret_cast<const letterbox::Tap*>(rows.data()); }
};

/// All threads of a launch, one after another.
void Launch(const letterbox::Args& args) {
  blockDim = {64, 1};
  for (blockIdx.y = 0; blockIdx.y < static_cast<unsigned>(args.canvas_height); ++blockIdx.y) {
    for (blockIdx.x = 0; 64 * blockIdx.x < static_cast<unsigned>(args.canvas_width); ++blockIdx.x) {
      for (threadIdx.x = 0; threadIdx.x < 64; ++threadIdx.x) letterbox_kernel(args);
    }
  }
}

std::vector<float> KernelTensor(const Image& image, const LetterboxPlan& plan, const Preprocess& preprocess) {
  const auto values = ValueTables(preprocess);
  const uint8_t* pixels = image.bgr.data();
  Image first(plan.first_height, plan.first_width);
  if (plan.first_height != image.height || plan.first_width != image.width) {
    const Taps taps(image.height, image.width, plan.first_height, plan.first_width);
    Launch({.image = pixels,
            .columns = taps.column_taps(),
            .rows = taps.row_taps(),
            .values = nullptr,
            .out = first.bgr.data(),
            .image_width = image.width,
            .scaled_height = plan.first_height,
            .scaled_width = plan.first_width,
            .top = 0,
            .left = 0,
            .canvas_height = plan.first_height,
            .canvas_width = plan.first_width,
            .order = {0, 1, 2},
            .border = 0});
    pixels = first.bgr.data();
  }
  const Taps taps(plan.first_height, plan.first_width, plan.scaled_height, plan.scaled_width);
  std::vector<float> tensor(size_t{3} * plan.canvas_height * plan.canvas_width, -1.0f);
  const bool is_rgb = preprocess.order == ColorOrder::kRgb;
  Launch({.image = pixels,
          .columns = taps.column_taps(),
          .rows = taps.row_taps(),
          .values = values[0].data(),
          .out = tensor.data(),
          .image_width = plan.first_width,
          .scaled_height = plan.scaled_height,
          .scaled_width = plan.scaled_width,
          .top = plan.top,
          .left = plan.left,
          .canvas_height = plan.canvas_height,
          .canvas_width = plan.canvas_width,
          .order = {is_rgb ? 2 : 0, 1, is_rgb ? 0 : 2},
          .border = preprocess.pad_value});
  return tensor;
}

TEST(LetterboxKernel, GivesTheTensorOfTheCpuBitByBit) {
  std::mt19937 random(5);
  const auto draw = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<uint32_t>(high - low + 1));
  };
  for (uint32_t i = 0; i < 120; ++i) {
    const int height = i < 20 ? draw(1, 8) : draw(1, 700), width = i < 20 ? draw(1, 8) : draw(1, 700);
    Preprocess preprocess{.height = 32 * draw(1, 8), .width = 32 * draw(1, 8)};
    preprocess.placement = static_cast<Placement>(i % 3);
    if (i % 2) preprocess.width = preprocess.height;
    if (i % 5 == 0)
      preprocess = {.height = preprocess.height,
                    .width = preprocess.width,
                    .order = ColorOrder::kBgr,
                    .mean = {1, 2.5f, 3},
                    .divisor = {3, 0.7f, 255}};
    const auto rule = i % 4 ? LetterboxRule::kVal : LetterboxRule::kPredict;
    const Image image = RandomImage(height, width, i);
    const LetterboxPlan plan = PlanLetterbox(height, width, preprocess, rule);
    std::vector<float> expected(size_t{3} * plan.canvas_height * plan.canvas_width);
    CanvasToTensor(Letterbox(image, plan, preprocess), preprocess, expected);
    ASSERT_EQ(KernelTensor(image, plan, preprocess), expected)
        << height << "x" << width << " to " << plan.first_height << "x" << plan.first_width << " to "
        << plan.scaled_height << "x" << plan.scaled_width;
  }
}

TEST(LetterboxKernel, HalvesAndWholesAreExact) {
  for (const auto& [height, width] : {std::pair(640, 640), {1280, 1280}, {480, 640}, {960, 1280}, {320, 320}, {1, 1}}) {
    const Image image = RandomImage(height, width, 9);
    const Preprocess preprocess;
    const LetterboxPlan plan = PlanLetterbox(height, width, preprocess, LetterboxRule::kVal);
    std::vector<float> expected(size_t{3} * 640 * 640);
    CanvasToTensor(Letterbox(image, plan, preprocess), preprocess, expected);
    EXPECT_EQ(KernelTensor(image, plan, preprocess), expected) << height << "x" << width;
  }
}

}  // namespace
}  // namespace tenon
