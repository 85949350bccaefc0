// Images on their way into an engine: the bits of the tensor of floats that the letterbox defines.
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "verify/detector.h"
#include "verify/pipeline_nets.h"

namespace tenon {
namespace {

std::vector<float> TensorOf(const Image& image, const LetterboxPlan& plan, const Preprocess& preprocess) {
  std::vector<float> tensor(size_t{3} * plan.canvas_height * plan.canvas_width);
  CanvasToTensor(Letterbox(image, plan, preprocess), preprocess, tensor);
  return tensor;
}

class Lab {
 public:
  explicit Lab(const std::string& net, const Preprocess& preprocess)
      : preprocess_(preprocess), engine_(EngineOf(net)), context_(engine_.CreateContext({.threads = 2})) {
    for (const TensorInfo& output : engine_.outputs()) output_ = Tensor(output.dtype, output.shape);
    images_ = internal::NewImageInput(*context_.handle(), FormatOf(preprocess));
  }

  /// Outputs of a batch of the images by the tensor of floats, then as pixels; the same two batches again.
  void ExpectSameBits(const std::vector<Image>& images, LetterboxRule rule) {
    for (int round = 0; round < 2; ++round) {
      std::vector<float> tensors;
      for (size_t i = 0; i < images.size(); ++i) {
        const LetterboxPlan plan = PlanLetterbox(images[i].height, images[i].width, preprocess_, rule);
        const std::vector<float> one = TensorOf(images[i], plan, preprocess_);
        tensors.insert(tensors.end(), one.begin(), one.end());
      }
      const std::vector<float> expected = Run(tensors.data());
      for (size_t i = 0; i < images.size(); ++i) {
        const LetterboxPlan plan = PlanLetterbox(images[i].height, images[i].width, preprocess_, rule);
        images_->Prepare(static_cast<int64_t>(i), scaler_.Scale(images[i], plan).bgr.data(), PlacementOf(plan));
      }
      images_->Send();
      const std::vector<float> got = Run(images_->data());
      ASSERT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0);
    }
  }

 private:
  std::vector<float> Run(const void* input) {
    context_.Run({input}, {output_.raw()});
    return {output_.data<float>(), output_.data<float>() + output_.elems()};
  }

  Preprocess preprocess_;
  Engine engine_;
  Context context_;
  Tensor output_;
  ImageScaler scaler_;
  std::unique_ptr<internal::ImageInput> images_;
};

const std::vector<std::pair<int, int>> kSizes = {{32, 32}, {1, 1}, {20, 32}, {32, 7}, {64, 64}, {97, 41}, {13, 200}};

void ExpectSameBitsAtEverySize(const std::string& net, const Preprocess& preprocess) {
  Lab lab(net, preprocess);
  uint32_t seed = 0;
  for (const auto& [height, width] : kSizes) {
    for (const LetterboxRule rule : {LetterboxRule::kVal, LetterboxRule::kPredict})
      lab.ExpectSameBits({RandomImage(height, width, ++seed), RandomImage(width, height, ++seed)}, rule);
  }
}

const Preprocess kUltralytics{.height = 32, .width = 32};
const Preprocess kYolox{.height = 32,
                        .width = 32,
                        .placement = Placement::kTopLeft,
                        .order = ColorOrder::kBgr,
                        .mean = {1, 2, 3},
                        .divisor = {57, 58, 59}};
const Preprocess kStretched{.height = 32, .width = 32, .placement = Placement::kStretch, .pad_value = 0};

TEST(ImageInputTest, AFloatEngineReadsTheLetterboxesTensor) {
  for (const Preprocess& preprocess : {kUltralytics, kYolox, kStretched})
    ExpectSameBitsAtEverySize(FloatNet(2), preprocess);
}

TEST(ImageInputTest, AnInt8EngineReadsWhatQuantisingThatTensorGives) {
  for (const Preprocess& preprocess : {kUltralytics, kYolox, kStretched}) {
    ExpectSameBitsAtEverySize(QuantizedNet(2, "0.003921569", ""), preprocess);     // a byte is itself
    ExpectSameBitsAtEverySize(QuantizedNet(2, "0.0117", "31"), preprocess);        // it isn't
    ExpectSameBitsAtEverySize(QuantizedNet(2, "0.003921569", "200"), preprocess);  // most are cut
  }
}

/// Where the image is quantised first and read nowhere else no floats are made of it.
TEST(ImageInputTest, TheQuantisedImageIsFilledItself) {
  if (!CpuDevice::Detect().features.avx512) GTEST_SKIP() << "quantize_image needs AVX-512";
  const auto bytes_apart = [](const std::string& net) {
    const Engine engine = EngineOf(net);
    Context context = engine.CreateContext({.threads = 1});
    const auto first = internal::NewImageInput(*context.handle(), FormatOf(kUltralytics));
    const auto second = internal::NewImageInput(*context.handle(), FormatOf(kUltralytics));
    return first->data() != second->data();
  };
  EXPECT_FALSE(bytes_apart(QuantizedNet(1, "0.004", "3")));  // both fill the context's own memory
  EXPECT_TRUE(bytes_apart(FloatNet(1)));
  std::string twice = QuantizedNet(1, "0.004", "3");
  twice.replace(twice.find("output %r"), 0, "%n = Unary(%images) {kind=neg}\noutput %n \"image\"\n");
  EXPECT_TRUE(bytes_apart(twice));
}

TEST(ImageInputTest, RefusesWhatIsNotOnTheCanvas) {
  const Engine engine = EngineOf(FloatNet(1));
  Context context = engine.CreateContext({.threads = 1});
  const auto images = internal::NewImageInput(*context.handle(), FormatOf(kUltralytics));
  const Image image(40, 40);
  const auto prepare = [&](int64_t place, const ImagePlacement& placement) {
    images->Prepare(place, image.bgr.data(), placement);
  };
  EXPECT_THROW(prepare(1, {.scaled_height = 32, .scaled_width = 32}), Error);
  EXPECT_THROW(prepare(0, {.scaled_height = 33, .scaled_width = 32}), Error);
  EXPECT_THROW(prepare(0, {.scaled_height = 32, .scaled_width = 32, .left = 1}), Error);
  EXPECT_THROW(prepare(0, {.scaled_height = 0, .scaled_width = 32}), Error);
  EXPECT_NO_THROW(prepare(0, {.scaled_height = 32, .scaled_width = 32}));
}

}  // namespace
}  // namespace tenon
