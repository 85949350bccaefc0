#pragma once
#include <memory>
#include <optional>
#include <string>

#include "cli/head_options.h"
#include "cli/model_source.h"
#include "verify/accuracy.h"

namespace tenon::cli {

/// The ONNX file that an engine came from, as `verify` needs it: compiled for the engine's input size.
class VerifySource {
 public:
  VerifySource(const std::string& path, const ModelOptions& model, const GlobalOptions& global);

  /// From here on the source is compiled for this engine's input size. Throws Error(kInvalidInput) when the file is not
  /// the one that the engine was made of.
  void Fit(const EngineModel& engine);
  const Digest& digest() const { return digest_; }
  /// Detections of the source in FP32, and their report. From the cache under CacheFolder() where it has them.
  Accuracy MeasureSource(const Dataset& dataset, const HeadOptions& head, const AccuracyOptions& options) const;
  /// The graph after all passes.
  std::unique_ptr<Graph> FusedGraph(Precision precision) const;
  /// The source in half; nothing when this device has none.
  std::optional<Engine> CompileHalf() const;

 private:
  Engine Compile(bool half, int effort) const;

  ModelOptions options_;
  const GlobalOptions& global_;
  Digest digest_;
};

}  // namespace tenon::cli
