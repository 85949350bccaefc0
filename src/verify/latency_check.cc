#include <fmt/format.h>

#include "base/error.h"
#include "verify/checks.h"
#include "verify/json.h"

namespace tenon {
namespace {

/// The whole way from files to boxes, a batch at a time, going round the images.
class EndToEnd {
 public:
  EndToEnd(Detector& detector, std::span<const std::string> images)
      : detector_(detector),
        images_(images),
        options_{.preprocess = detector.preprocess(), .rule = LetterboxRule::kPredict, .as = LoadAs::kPixels} {}

  void Run() {
    std::vector<LoadedImage> batch;
    for (int64_t i = 0; i < detector_.batch(); ++i) batch.push_back(Load(options_));
    std::vector<const LoadedImage*> pointers;
    for (const LoadedImage& image : batch) pointers.push_back(&image);
    detector_.Run(pointers, DetectOptions::Predict());
  }

  /// The next image as the model's input.
  LoadedImage LoadTensor() {
    LoaderOptions options = options_;
    options.as = LoadAs::kTensor;
    return Load(options);
  }

 private:
  LoadedImage Load(const LoaderOptions& options) {
    LoadedImage image = LoadForModel(images_[next_++ % images_.size()], options);
    if (!image.error.empty()) ThrowInvalid("{}", image.error);
    return image;
  }

  Detector& detector_;
  std::span<const std::string> images_;
  LoaderOptions options_;
  size_t next_ = 0;
};

/// One run of an engine on given pixels.
class EngineOnly {
 public:
  EngineOnly(const Engine& engine, Tensor input, int threads)
      : context_(engine.CreateContext({.threads = threads})), input_(std::move(input)), pointer_(input_.raw()) {
    for (const TensorInfo& info : engine.outputs()) outputs_.emplace_back(info.dtype, info.shape);
    for (Tensor& output : outputs_) pointers_.push_back(output.raw());
  }
  Runnable ToRunnable(std::string name) {
    return ContextRunnable(std::move(name), context_, std::span(&pointer_, 1), pointers_);
  }

 private:
  Context context_;
  Tensor input_;
  const void* pointer_;
  std::vector<Tensor> outputs_;
  std::vector<void*> pointers_;
};

}  // namespace

Tensor BatchOf(const LoadedImage& image, const TensorInfo& input) {
  Tensor tensor(DType::kFloat32, input.shape);
  const int64_t count = static_cast<int64_t>(image.tensor.size());
  TENON_CHECK(count > 0 && tensor.elems() % count == 0, "{} values for {}", count, tensor.elems());
  for (int64_t at = 0; at < tensor.elems(); at += count)
    std::copy(image.tensor.begin(), image.tensor.end(), tensor.data<float>() + at);
  return tensor;
}

Check CheckLatency(Detector& detector, std::span<const std::string> images, const LatencyCheckOptions& options) {
  TENON_CHECK(!images.empty());
  EndToEnd end_to_end(detector, images);
  EngineOnly engine_only(detector.engine(), BatchOf(end_to_end.LoadTensor(), detector.engine().inputs()[0]),
                         options.threads);
  const std::vector<Runnable> runnables = {engine_only.ToRunnable("engine"), {"end to end", [&] { end_to_end.Run(); }}};
  const LatencyMeasurement measured = MeasureLatency(runnables, options.latency);
  const LatencyStats &engine = measured.rows[0].stats, &whole = measured.rows[1].stats;
  Check check{.name = "p95_latency", .value = engine.p95, .threshold = options.p95_ms};
  if (options.p95_ms) check.status = PassIf(engine.p95 <= *options.p95_ms);
  check.detail = fmt::format(
      "engine only: p95 {:.2f} ms, median {:.2f}{}; end to end (file, letterbox, run, NMS): p95 {:.2f} ms, median "
      "{:.2f}; {}",
      engine.p95, engine.median, options.p95_ms ? fmt::format(", budget {:g}", *options.p95_ms) : ", no budget given",
      whole.p95, whole.median, measured.Note());
  check.more = {{"engine_ms", ToJson(engine)},   {"end_to_end_ms", ToJson(whole)},
                {"batch", detector.batch()},     {"warmup_ms", options.latency.warmup_ms},
                {"wall_s", measured.wall_s},     {"runs", engine.runs},
                {"load", ToJson(measured.load)}, {"histogram", TimesHistogram(measured.rows[0].times_ms)}};
  return check;
}

Check CheckNotSlower(const Engine& engine, const Engine* half, const LatencyCheckOptions& options) {
  constexpr double kNoise = 1.02;
  Check check{.name = "not_slower_than_half"};
  if (engine.precision() != "int8" || half == nullptr) {
    check.detail = engine.precision() == "int8" ? "this device has no half" : "only INT8 engines are judged by it";
    return check;
  }
  const Tensor input(engine.inputs()[0].dtype, engine.inputs()[0].shape);
  EngineOnly own(engine, input, options.threads), other(*half, input, options.threads);
  const std::vector<Runnable> runnables = {own.ToRunnable("int8"), other.ToRunnable("half")};
  const LatencyMeasurement measured = MeasureLatency(runnables, options.latency);
  const double median = measured.rows[0].stats.median, half_median = measured.rows[1].stats.median;
  check.value = median / half_median;
  check.threshold = kNoise;
  check.status = PassIf(*check.value <= kNoise);
  check.detail = fmt::format("median {:.2f} ms, half {:.2f} ms; {}", median, half_median, measured.Note());
  check.more = {{"int8_ms", ToJson(measured.rows[0].stats)}, {"half_ms", ToJson(measured.rows[1].stats)}};
  return check;
}

}  // namespace tenon
