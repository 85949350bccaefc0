#include "onnx/model_file.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "onnx/proto.h"

namespace tenon {
namespace {

constexpr int64_t kNewestOpset = 27;
constexpr int64_t kNewestIrVersion = 13;

void CheckVersions(const onnx::ModelProto& model) {
  if (model.ir_version() > kNewestIrVersion) {
    Log().warn("ONNX IR version {} is newer than {}, the newest that Tenon knows; trying it", model.ir_version(),
               kNewestIrVersion);
  }
  const auto opsets = OpsetsOf(model);
  const auto found = opsets.find("");
  if (found == opsets.end()) ThrowInvalid({.what = "the model names no ONNX opset", .hint = "Export the model again"});
  if (found->second > kNewestOpset) {
    Log().warn("ONNX opset {} is newer than {}, the newest that Tenon knows; trying it", found->second, kNewestOpset);
  }
}

}  // namespace

std::map<std::string, int64_t> OpsetsOf(const onnx::ModelProto& model) {
  std::map<std::string, int64_t> opsets;
  for (const auto& entry : model.opset_import()) {
    int64_t& opset = opsets[entry.domain() == "ai.onnx" ? "" : entry.domain()];
    opset = std::max<int64_t>(opset, entry.version());
  }
  return opsets;
}

void ParseModel(std::span<const std::byte> bytes, onnx::ModelProto& model) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    ThrowInvalid({.what = "ONNX file too large",
                  .got = fmt::format("{} bytes", bytes.size()),
                  .expected = "less than 2 GiB",
                  .hint = "Store the weights as external data"});
  }
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    ThrowInvalid({.what = "not an ONNX model, or a damaged one",
                  .got = "bytes that are no protobuf message",
                  .hint = "Download or export the file again"});
  }
  if (!model.has_graph())
    ThrowInvalid({.what = "not an ONNX model, or a damaged one",
                  .got = "no graph",
                  .hint = "Download or export the file again"});
  CheckVersions(model);
}

}  // namespace tenon
