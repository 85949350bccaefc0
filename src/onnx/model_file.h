#pragma once
#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace onnx {
class ModelProto;
}

namespace tenon {

/// Fills `model` from the bytes of an ONNX file and checks what the rest relies on: there is a graph, and the versions
/// are ones that we know (newer ones are tried, with a warning). Throws Error(kInvalidInput).
void ParseModel(std::span<const std::byte> bytes, onnx::ModelProto& model);

/// The opset of each domain that the model imports; ONNX's own domain is "".
std::map<std::string, int64_t> OpsetsOf(const onnx::ModelProto& model);

}  // namespace tenon
