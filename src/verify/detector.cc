#include "verify/detector.h"

#include <algorithm>
#include <chrono>

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

Detector::Detector(const Engine& engine, const std::string& head_flag, int threads, int batch)
    : engine_(engine), context_(engine_.CreateContext({.threads = threads, .batch = batch})) {
  const TensorInfo& input = ImageInput(context_);
  batch_ = input.shape[0];
  const auto forced = head_flag.empty() ? std::nullopt : std::optional(ParseHeadFlag(head_flag));
  head_ = RecogniseHead(engine_.metadata(), OutputShapes(context_), static_cast<int>(input.shape[2]),
                        static_cast<int>(input.shape[3]), forced);
  preprocess_ = DefaultPreprocess(head_);
  image_elems_ = Elems(input.shape) / std::max<int64_t>(batch_, 1);
  input_.resize(static_cast<size_t>(Elems(input.shape)));
  for (const TensorInfo& output : context_.outputs()) {
    if (output.dtype != DType::kFloat32)
      ThrowInvalid({.what = "the model is no detector that Tenon knows",
                    .where = "output " + output.name,
                    .expected = "float32 outputs"});
    outputs_.emplace_back(static_cast<size_t>(Elems(output.shape)));
  }
}

std::vector<std::vector<Detection>> Detector::Run(std::span<const LoadedImage* const> images,
                                                  const DetectOptions& options) {
  TENON_CHECK(static_cast<int64_t>(images.size()) <= batch_, "{} images", images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    std::copy(images[i]->tensor.begin(), images[i]->tensor.end(),
              input_.begin() + static_cast<ptrdiff_t>(i) * image_elems_);
  }
  std::vector<void*> output_pointers;
  for (auto& output : outputs_) output_pointers.push_back(output.data());
  const void* input_pointer = batch_ == 1 ? images[0]->tensor.data() : input_.data();
  const auto start = Clock::now();
  context_.Run(std::span(&input_pointer, 1), output_pointers);
  inference_ms += MillisecondsSince(start);

  const auto decode_start = Clock::now();
  std::vector<TensorView> views;
  for (size_t i = 0; i < outputs_.size(); ++i) views.push_back({outputs_[i].data(), context_.outputs()[i].shape});
  std::vector<std::vector<Detection>> detections;
  for (size_t i = 0; i < images.size(); ++i)
    detections.push_back(Detect(head_, views, static_cast<int64_t>(i), options));
  postprocess_ms += MillisecondsSince(decode_start);
  return detections;
}

}  // namespace tenon
