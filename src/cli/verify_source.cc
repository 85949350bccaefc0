#include "cli/verify_source.h"

#include <filesystem>

#include "base/log.h"
#include "compile/compiler.h"
#include "passes/pass_runner.h"
#include "runtime/load.h"
#include "verify/source_cache.h"

namespace tenon::cli {
namespace {

/// Everything of this program that a result may depend on.
std::string ProgramKey(const Device& device) {
  std::string key = TENON_VERSION + std::string(" ") + device.Fingerprint();
  for (const KernelFamily* family : device.families())
    key += fmt::format(" {}:{}", family->name(), family->version());
  return key;
}

std::string DecodingKey(const std::string& head, const AccuracyOptions& options, const Dataset& dataset) {
  return fmt::format("{} {} {} {} {} {} {}", head, options.conf, options.nms.iou, options.nms.max_detections,
                     options.nms.max_candidates, static_cast<int>(options.nms.classes),
                     dataset.most_truths_in_an_image);
}

/// The report of detections that were kept.
ValReport ReportOf(const Dataset& dataset, const std::vector<ImageDetections>& images, MetricKind kind) {
  DetectionEvaluator evaluator(dataset);
  for (const ImageDetections& image : images) evaluator.Add(image.sample, image.detections, image.plan);
  return evaluator.Finish(kind);
}

void Keep(const SourceCache& cache, const Digest& digest, const std::vector<ImageDetections>& images) {
  try {
    cache.Put(digest, images);
  } catch (const Error& error) {
    Log().warn("the source's detections are not kept and will be computed again: {}", error.what());
  }
}

}  // namespace

VerifySource::VerifySource(const std::string& path, const ModelOptions& model, const GlobalOptions& global)
    : options_(model), global_(global), digest_(HashFile(path)) {
  options_.model = path;
}

void VerifySource::Fit(const EngineModel& engine) {
  if (digest_ != engine.source_digest) {
    ThrowInvalid({.what = "the source is not the model that the engine was made of",
                  .where = options_.model,
                  .got = "digest " + digest_.ToString(),
                  .expected = engine.source_digest.ToString(),
                  .hint = "Give the very ONNX file, or export the engine again."});
  }
  const Shape& shape = engine.inputs.at(0).shape;
  options_.batch = std::to_string(shape.at(0));
  options_.imgsz = fmt::format("{},{}", shape.at(2), shape.at(3));
}

Engine VerifySource::Compile(bool half, int effort) const {
  ModelOptions options = options_;
  options.half = half;
  options.int8 = false;
  options.effort = effort;
  options.exact = options.exact || !half;  // what the engine is held against
  return MakeEngine(CompileOnnx(options, global_, {}).engine, *ChosenDevice(global_));
}

Accuracy VerifySource::MeasureSource(const Dataset& dataset, const HeadOptions& head,
                                     const AccuracyOptions& options) const {
  const SourceCache cache((std::filesystem::path(CacheFolder()) / "verify").string());
  const Digest digest = DigestOf({.source = digest_,
                                  .tenon = ProgramKey(*ChosenDevice(global_)),
                                  .input = fmt::format("{}x{}", options_.batch, options_.imgsz),
                                  .decoding = DecodingKey(head.head, options, dataset)},
                                 dataset);
  if (auto images = cache.Find(digest)) {
    ValReport report = ReportOf(dataset, *images, options.metrics);
    return {std::move(*images), std::move(report)};
  }
  // Results don't depend on the tactics: nothing is gained by timing them.
  Detector detector(Compile(false, 0), head.head, global_.threads);
  Accuracy accuracy = MeasureAccuracy(detector, dataset, options);
  Keep(cache, digest, accuracy.images);
  return accuracy;
}

std::unique_ptr<Graph> VerifySource::FusedGraph(Precision precision) const {
  auto graph = ImportOnnx(options_.model, ToImportOptions(options_));
  const auto device = ChosenDevice(global_);
  RunPasses(*graph, PassContextFor(*device, precision));
  return graph;
}

std::optional<Engine> VerifySource::CompileHalf() const {
  try {
    return Compile(true, options_.effort);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupportedDevice) throw;
    return std::nullopt;
  }
}

}  // namespace tenon::cli
