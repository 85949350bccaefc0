// Images scaled and placed on the GPU at hand: the tensors of the CPU's letterbox, bit by bit, and what it takes. Exit
// status 1 where one differs.
#include <fmt/format.h>

#include <chrono>
#include <random>

#include "base/error.h"
#include "gpu/runtime_net.h"
#include "verify/detector.h"
#include "vision/letterbox.h"

namespace tenon::gpu_testing {
namespace {

Image RandomImage(int height, int width, uint32_t seed) {
  Image image(height, width);
  std::mt19937 random(seed);
  for (uint8_t& byte : image.bgr) byte = static_cast<uint8_t>(random());
  return image;
}

std::vector<float> OnCpu(const Image& image, const LetterboxPlan& plan, const Preprocess& preprocess) {
  std::vector<float> tensor(size_t{3} * plan.canvas_height * plan.canvas_width);
  CanvasToTensor(Letterbox(image, plan, preprocess), preprocess, tensor);
  return tensor;
}

class Lab {
 public:
  Lab()
      : device_(CudaDevice::Open(0)),
        engine_(MakeEngine(CompileNet(device_, 2), device_)),
        context_(engine_.CreateContext()),
        input_(internal::NewImageInput(*context_.handle(), FormatOf(preprocess_))) {
    TENON_CHECK(input_->scales(), "the plan has no letterbox kernel");
  }

  /// Two images at once, as a batch has them.
  bool Equal(const Image& first, const Image& second, LetterboxRule rule) {
    const Image* images[] = {&first, &second};
    LetterboxPlan plans[2];
    for (int64_t i = 0; i < 2; ++i) {
      plans[i] = PlanLetterbox(images[i]->height, images[i]->width, preprocess_, rule);
      Put(i, *images[i], plans[i]);
    }
    input_->Send();
    device_.gpu().driver().Check(device_.gpu().driver().api().context_synchronize(), "finish");
    const size_t elems = size_t{3} * 64 * 64;
    std::vector<float> tensor(2 * elems);
    device_.gpu().driver().Check(
        device_.gpu().driver().api().copy_to_host(tensor.data(), reinterpret_cast<cuda::DevicePtr>(input_->data()),
                                                  tensor.size() * sizeof(float)),
        "copy");
    for (size_t i = 0; i < 2; ++i) {
      const std::vector<float> expected = OnCpu(*images[i], plans[i], preprocess_);
      if (!std::equal(expected.begin(), expected.end(), tensor.begin() + static_cast<ptrdiff_t>(i * elems)))
        return false;
    }
    return true;
  }

  void PrintTime(int height, int width) {
    const Image image = RandomImage(height, width, 1);
    const LetterboxPlan plan = PlanLetterbox(height, width, preprocess_, LetterboxRule::kVal);
    const auto put = [&] {
      const auto start = std::chrono::steady_clock::now();
      Put(0, image, plan);
      input_->Send();
      const double host_us =
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
      return std::pair(host_us, input_->Microseconds());
    };
    for (int i = 0; i < 10; ++i) put();
    std::vector<double> host, gpu;
    for (int i = 0; i < 101; ++i) {
      const auto [host_us, gpu_us] = put();
      host.push_back(host_us);
      gpu.push_back(gpu_us);
    }
    std::sort(host.begin(), host.end());
    std::sort(gpu.begin(), gpu.end());
    fmt::print("{}x{} onto 64x64: {:.1f} us of the host, {:.1f} us with the copy on the GPU\n", height, width, host[50],
               gpu[50]);
  }

 private:
  void Put(int64_t place, const Image& image, const LetterboxPlan& plan) {
    input_->Prepare(place, image.bgr.data(), PlacementOf(plan));
  }

  const Preprocess preprocess_{.height = 64, .width = 64};
  CudaDevice device_;
  Engine engine_;
  Context context_;
  std::unique_ptr<internal::ImageInput> input_;
};

int Main() {
  Lab lab;
  std::mt19937 random(3);
  const auto draw = [&](int high) { return 1 + static_cast<int>(random() % static_cast<uint32_t>(high)); };
  int wrong = 0, pairs = 0;
  for (uint32_t i = 0; i < 60; ++i, ++pairs) {
    const int most = i < 20 ? 9 : i < 50 ? 300 : 1500;
    const Image first = RandomImage(draw(most), draw(most), i), second = RandomImage(draw(most), draw(most), 1000 + i);
    if (lab.Equal(first, second, i % 2 ? LetterboxRule::kVal : LetterboxRule::kPredict)) continue;
    ++wrong;
    fmt::print("FAILED  {}x{} and {}x{}\n", first.height, first.width, second.height, second.width);
  }
  lab.PrintTime(480, 640);
  lab.PrintTime(1080, 1920);
  fmt::print("images: {} pairs, {} wrong\n", pairs, wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tenon::gpu_testing

int main() {
  try {
    return tenon::gpu_testing::Main();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
