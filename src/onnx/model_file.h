#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace onnx {
class ModelProto;
}
namespace google::protobuf {
class Arena;
}

namespace tenon {

/// The bytes of an ONNX file as objects, checked for what the rest relies on: there is a graph, and the versions are
/// ones that we know (newer ones are tried, with a warning).
class ParsedModel {
 public:
  /// Throws Error(kInvalidInput), also for files that ask for far more objects than models have: two bytes can stand
  /// for an object of 200.
  explicit ParsedModel(std::span<const std::byte> bytes);
  ~ParsedModel();
  ParsedModel(const ParsedModel&) = delete;
  ParsedModel& operator=(const ParsedModel&) = delete;

  onnx::ModelProto& operator*() const { return *model_; }

 private:
  std::unique_ptr<google::protobuf::Arena> arena_;
  onnx::ModelProto* model_;
};

/// The opset of each domain that the model imports; ONNX's own domain is "".
std::map<std::string, int64_t> OpsetsOf(const onnx::ModelProto& model);

}  // namespace tenon
