#include "verify/matrix.h"

#include <algorithm>

#include "base/error.h"

namespace tenon {
namespace {

/// Files of the images that could be read; both sides have the same.
std::vector<std::string> ReadableImages(const AccuracyPair& pair) {
  std::vector<std::string> paths;
  for (const ImageDetections& image : pair.engine.images)
    paths.push_back(pair.dataset.samples.at(image.sample).image_path);
  return paths;
}

Tensor FirstImage(const Detector& detector, const std::vector<std::string>& images) {
  const LoadedImage image = LoadForModel(images.at(0), {.preprocess = detector.preprocess()});
  if (!image.error.empty()) ThrowInvalid("{}", image.error);
  return BatchOf(image, detector.engine().inputs()[0]);
}

}  // namespace

bool MatrixResult::passed() const {
  return std::all_of(checks.begin(), checks.end(), [](const Check& check) {
    if (check.name == "map" || check.name == "determinism") return check.status == CheckStatus::kPass;
    return check.status != CheckStatus::kFail;
  });
}

std::vector<std::string> MatrixResult::Named(CheckStatus status) const {
  std::vector<std::string> names;
  for (const Check& check : checks) {
    if (check.status == status) names.push_back(check.name);
  }
  return names;
}

MatrixResult RunMatrix(const MatrixSubject& subject, const MatrixOptions& options) {
  const std::vector<std::string> images = ReadableImages(subject.accuracy);
  const Engine& engine = subject.engine->engine();
  const std::string& asked = options.precision.empty() ? subject.plan->precision : options.precision;
  MatrixResult result;
  const auto add = [&](Check check) { result.checks.push_back(std::move(check)); };
  add(CheckMap(subject.accuracy, options.map_drop));
  add(CheckTopClass(subject.accuracy, options.top_class, options.top_class_drop));
  add(CheckLatency(*subject.engine, images, options.latency));
  add(CheckDeterminism(engine, FirstImage(*subject.engine, images), options.latency.threads, subject.other_process));
  add(CheckPrecision(*subject.plan, asked, subject.build_warnings));
  add(CheckConfidence(subject.accuracy));
  add(CheckWeights(*subject.plan, *subject.device, subject.source));
  add(CheckNotSlower(engine, subject.half, options.latency));
  return result;
}

}  // namespace tenon
