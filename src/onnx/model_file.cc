#include "onnx/model_file.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <limits>
#include <new>

#include "base/error.h"
#include "base/log.h"
#include "onnx/proto.h"

namespace tenon {
namespace {

constexpr int64_t kNewestOpset = 27;
constexpr int64_t kNewestIrVersion = 13;

// What the objects of a model may take: this and four times the file, as weights may be lists of numbers, which grow by
// doubling. Models of 10,000 nodes take some 20 MB.
constexpr size_t kObjectBytes = size_t{256} << 20;
constexpr size_t kBlockBytes = size_t{1} << 20;
thread_local size_t object_bytes_left = 0;  // an arena's functions have no place for a state of their own

void* TakeBlock(size_t size) {
  if (size > object_bytes_left) {
    ThrowInvalid({.what = "not an ONNX model, or a hostile one",
                  .got = "more nodes, attributes or tensors than fit in memory of four times the file and 256 MiB"});
  }
  object_bytes_left -= size;
  return ::operator new(size);
}

google::protobuf::ArenaOptions LimitedBlocks(size_t file_bytes) {
  object_bytes_left = kObjectBytes + 4 * file_bytes;
  google::protobuf::ArenaOptions options;
  options.max_block_size = kBlockBytes;
  options.block_alloc = TakeBlock;
  options.block_dealloc = [](void* block, size_t) { ::operator delete(block); };
  return options;
}

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

ParsedModel::ParsedModel(std::span<const std::byte> bytes)
    : arena_(std::make_unique<google::protobuf::Arena>(LimitedBlocks(bytes.size()))) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    ThrowInvalid({.what = "ONNX file too large",
                  .got = fmt::format("{} bytes", bytes.size()),
                  .expected = "less than 2 GiB",
                  .hint = "Store the weights as external data"});
  }
  model_ = google::protobuf::Arena::CreateMessage<onnx::ModelProto>(arena_.get());
  if (!model_->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    ThrowInvalid({.what = "not an ONNX model, or a damaged one",
                  .got = "bytes that are no protobuf message",
                  .hint = "Download or export the file again"});
  }
  if (!model_->has_graph())
    ThrowInvalid({.what = "not an ONNX model, or a damaged one",
                  .got = "no graph",
                  .hint = "Download or export the file again"});
  CheckVersions(*model_);
}

ParsedModel::~ParsedModel() = default;

}  // namespace tenon
