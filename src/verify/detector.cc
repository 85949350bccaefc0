#include "verify/detector.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

#include "base/error.h"

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::vector<OutputShape> OutputShapes(const Context& context) {
  std::vector<OutputShape> shapes;
  for (const TensorInfo& output : context.outputs()) shapes.push_back({output.name, output.shape});
  return shapes;
}

int64_t Elems(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  return count;
}

/// The only input, an image batch in FP32.
const TensorInfo& ImageInput(const Context& context) {
  const auto& inputs = context.inputs();
  if (inputs.size() == 1 && inputs[0].shape.size() == 4 && inputs[0].shape[1] == 3 &&
      inputs[0].dtype == DType::kFloat32)
    return inputs[0];
  std::string got;
  for (const auto& input : inputs)
    got += fmt::format("{}{} of {} dimensions", got.empty() ? "" : ", ", input.name, input.shape.size());
  ThrowInvalid({.what = "the model is no image detector",
                .where = "its inputs",
                .got = got.empty() ? "none" : got,
                .expected = "one float32 input N x 3 x H x W"});
}

}  // namespace

ImageFormat FormatOf(const Preprocess& preprocess) {
  ImageFormat format{.values = ValueTables(preprocess), .border = preprocess.pad_value};
  if (preprocess.order == ColorOrder::kRgb) format.order = {2, 1, 0};
  return format;
}

ImagePlacement PlacementOf(const LetterboxPlan& plan) {
  return {.image_height = plan.image_height,
          .image_width = plan.image_width,
          .first_height = plan.first_height,
          .first_width = plan.first_width,
          .scaled_height = plan.scaled_height,
          .scaled_width = plan.scaled_width,
          .top = plan.top,
          .left = plan.left};
}

RunTimes& RunTimes::operator+=(const RunTimes& other) {
  preprocess_ms += other.preprocess_ms;
  inference_ms += other.inference_ms;
  postprocess_ms += other.postprocess_ms;
  letterbox_ms += other.letterbox_ms;
  engine_ms += other.engine_ms;
  return *this;
}

RunTimes RunTimes::operator/(double by) const {
  return {.preprocess_ms = preprocess_ms / by,
          .inference_ms = inference_ms / by,
          .postprocess_ms = postprocess_ms / by,
          .letterbox_ms = letterbox_ms / by,
          .engine_ms = engine_ms / by};
}

Detector::Detector(const Engine& engine, const std::string& head_flag, int threads, int batch)
    : engine_(engine),
      threads_(threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))),
      context_(engine_.CreateContext({.threads = threads_, .batch = batch})) {
  const TensorInfo& input = ImageInput(context_);
  batch_ = input.shape[0];
  const auto forced = head_flag.empty() ? std::nullopt : std::optional(ParseHeadFlag(head_flag));
  head_ = RecogniseHead(engine_.metadata(), OutputShapes(context_), static_cast<int>(input.shape[2]),
                        static_cast<int>(input.shape[3]), forced);
  preprocess_ = DefaultPreprocess(head_);
  for (const TensorInfo& output : context_.outputs()) {
    if (output.dtype != DType::kFloat32)
      ThrowInvalid({.what = "the model is no detector that Tenon knows",
                    .where = "output " + output.name,
                    .expected = "float32 outputs"});
    outputs_.push_back(engine_.AllocateHost(static_cast<size_t>(Elems(output.shape)) * sizeof(float)));
  }
  images_ = internal::NewImageInput(*context_.handle(), FormatOf(preprocess_));
  if (is_on_own_device()) pool_ = std::make_unique<ThreadPool>(threads_);
}

std::unique_ptr<Detector> Detector::Twin(int threads) const {
  return std::make_unique<Detector>(engine_, std::string(HeadFlag(head_.kind)), threads, static_cast<int>(batch_));
}

void Detector::ForEach(size_t count, const std::function<void(size_t)>& work) {
  if (!pool_) {
    for (size_t i = 0; i < count; ++i) work(i);
    return;
  }
  std::vector<std::exception_ptr> errors(count);
  pool_->Run(static_cast<int64_t>(count), [&](int64_t item, int) {
    const auto i = static_cast<size_t>(item);
    try {
      work(i);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

void Detector::Prepare(int64_t place, const LoadedImage& image) {
  TENON_CHECK(!image.image.bgr.empty(), "{} was not loaded as pixels", image.path);
  if (images_->scales()) {
    images_->Prepare(place, image.image.bgr.data(), PlacementOf(image.plan));
    return;
  }
  const Image& scaled = scaler_.Scale(image.image, image.plan);
  images_->Prepare(place, scaled.bgr.data(), PlacementOf(image.plan));
}

DetectedBatch Detector::Run(std::span<const LoadedImage* const> images, const DetectOptions& options) {
  TENON_CHECK(!images.empty() && static_cast<int64_t>(images.size()) <= batch_, "{} images", images.size());
  std::vector<void*> output_pointers;
  for (const HostMemory& output : outputs_) output_pointers.push_back(output.data());
  DetectedBatch batch;
  const auto start = Clock::now();
  ForEach(images.size(), [&](size_t i) { Prepare(static_cast<int64_t>(i), *images[i]); });
  batch.times.preprocess_ms = MillisecondsSince(start);

  const auto run_start = Clock::now();
  images_->Send();
  const void* input = images_->data();
  context_.RunAsync(std::span(&input, 1), output_pointers, images_->stream());
  context_.Synchronize();
  batch.times.inference_ms = MillisecondsSince(run_start);
  batch.times.letterbox_ms = images_->Microseconds() / 1e3;
  batch.times.engine_ms = context_.device_us() / 1e3;

  const auto decode_start = Clock::now();
  std::vector<TensorView> views;
  for (size_t i = 0; i < outputs_.size(); ++i)
    views.push_back({static_cast<const float*>(outputs_[i].data()), context_.outputs()[i].shape});
  batch.detections.resize(images.size());
  ForEach(images.size(),
          [&](size_t i) { batch.detections[i] = Detect(head_, views, static_cast<int64_t>(i), options); });
  batch.times.postprocess_ms = MillisecondsSince(decode_start);
  return batch;
}

}  // namespace tenon
