#include "backends/cpu/quantize_image_family.h"
#include "ops/quantize.h"
#include "strided_harness.h"

namespace tenon::strided {
namespace {

const QuantizeImageFamily kFamily;

class QuantizeImageTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!device_.features.avx512) GTEST_SKIP() << "this CPU lacks AVX-512";
    quantize_.to = DType::kUInt8;
  }

  FamilyCase Case(const Tensor& x, float scale, int zero_point, Layout in, Layout out) {
    return {&quantize_,
            {x, Tensor::Of<float>({}, {scale}), Tensor::Scalar<int64_t>(zero_point).CastTo(DType::kUInt8)},
            {in, Layout::kRowMajor},
            {out},
            device_};
  }

  const CpuDevice device_ = CpuDevice::Detect();
  QuantizeLinear quantize_;
};

TEST_F(QuantizeImageTest, EveryWidthAndChannelCountGivesTheReferencesBytes) {
  for (const int channels : {1, 2, 3, 4}) {
    for (const int width : {1, 5, 16, 19, 48, 67}) {
      const Tensor x = RandomOperand(DType::kFloat32, {2, channels, 5, width}, 1, -1, 2);
      ExpectFamilyMatches(kFamily, Case(x, 1 / 255.0f, 0, Layout::kRowMajor, Layout::kChannelsLast), {});
      ExpectFamilyMatches(kFamily, Case(x, 0.0117f, 31, Layout::kRowMajor, Layout::kChannelsLast), {});
    }
  }
}

TEST_F(QuantizeImageTest, PixelsOfAnImageAreThemselves) {
  std::vector<float> values;
  for (int i = 0; i < 3 * 256; ++i) values.push_back(static_cast<float>(i % 256) / 255.0f);
  const Tensor x = Tensor::Of<float>({1, 3, 16, 16}, values);
  ExpectFamilyMatches(kFamily, Case(x, 1 / 255.0f, 0, Layout::kRowMajor, Layout::kChannelsLast), {});
}

TEST_F(QuantizeImageTest, TiesAndSpecialFloats) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {NAN, infinity, -infinity, 1e30f, -1e30f, 0.0f, -0.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f};
  for (float v = -300; v < 300; v += 0.25f) values.push_back(v);
  const auto width = static_cast<int64_t>(values.size()) / 3;
  values.resize(static_cast<size_t>(3 * width));
  const Tensor x = Tensor::Of<float>({1, 3, 1, width}, values);
  ExpectFamilyMatches(kFamily, Case(x, 1, 1, Layout::kRowMajor, Layout::kChannelsLast), {});
}

TEST_F(QuantizeImageTest, RefusesWhatItDoesNotDo) {
  const auto reason = [&](const Shape& shape, Layout in, Layout out, const CpuDevice& device) {
    const FamilyCase test = Case(RandomOperand(DType::kFloat32, shape, 1), 1, 0, in, out);
    return kFamily.Supports(MakeRun(test, {{DType::kUInt8, shape}})->problem, device);
  };
  EXPECT_EQ(reason({1, 3, 4, 9}, Layout::kRowMajor, Layout::kChannelsLast, device_), "");
  EXPECT_NE(reason({1, 3, 4, 9}, Layout::kChannelsLast, Layout::kChannelsLast, device_), "");
  EXPECT_NE(reason({1, 3, 4, 9}, Layout::kRowMajor, Layout::kPitched, device_), "");
  EXPECT_NE(reason({1, 5, 4, 9}, Layout::kRowMajor, Layout::kChannelsLast, device_), "");
  EXPECT_NE(reason({3, 4, 9}, Layout::kRowMajor, Layout::kChannelsLast, device_), "");
  EXPECT_NE(reason({1, 3, 4, 9}, Layout::kRowMajor, Layout::kChannelsLast, TestDevices().back()), "");
}

}  // namespace
}  // namespace tenon::strided
