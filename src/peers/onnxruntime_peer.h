#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tenon/tenon.hpp"

namespace tenon {

namespace internal {
class Executable;
}

struct OnnxRuntimeOptions {
  std::string python = "python3";  ///< an interpreter that has onnxruntime and numpy
  std::string model;               ///< ONNX file
  int threads = 1;
  std::vector<TensorInfo> inputs;               ///< with the shapes to run
  std::map<std::string, std::string> metadata;  ///< what the engine shall tell of the model
};

/// An ONNX model in ONNX Runtime (CPU), in a process of its own, as an engine: what is measured of engines can be
/// measured of it. Not for two threads at once, but for the runs of the engine's contexts.
class OnnxRuntimePeer {
 public:
  /// Loads the model and runs it once on zeros. Throws Error(kInvalidInput) with ONNX Runtime's own words when it
  /// can't, or when the interpreter or the modules are missing.
  explicit OnnxRuntimePeer(const OnnxRuntimeOptions& options);

  /// "1.32.0"
  const std::string& version() const;
  /// Runs the model on what it is given; device() is "onnxruntime". The way to the other process costs time.
  Engine engine() const;
  /// Sets the inputs that TimedRun runs on.
  void SetInputs(std::span<const void* const> inputs) const;
  /// Runs once; milliseconds as measured in the other process, around the run alone.
  double TimedRun() const;

 private:
  class Session;
  std::shared_ptr<Session> session_;
  std::shared_ptr<const internal::Executable> executable_;
};

}  // namespace tenon
