#pragma once
#include <map>
#include <string>

#include "onnx/importer.h"

namespace onnx {
class ValueInfoProto;
}

namespace tenon {

/// Gives every model input its static type: sizes that the model leaves open come from the options and the metadata.
class InputResolver {
 public:
  InputResolver(const ImportOptions& options, const std::map<std::string, std::string>& metadata);

  /// Throws Error(kInvalidInput) when a size stays open (naming the flag that gives it), when a given size contradicts
  /// the model's, when the input is no tensor of a type that Tenon has.
  TensorType Resolve(const onnx::ValueInfoProto& input);

 private:
  const ImportOptions& options_;
  std::optional<int64_t> height_, width_;
  /// A symbol means the same size wherever it stands.
  std::map<std::string, int64_t> symbols_;
};

/// The `imgsz` of Ultralytics' metadata, "[640, 480]" or "640": height, width.
std::optional<std::pair<int64_t, int64_t>> ParseImgsz(const std::string& text);

}  // namespace tenon
