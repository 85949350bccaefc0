#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ir/graph.h"

namespace tenon {

/// Sizes for the dimensions that a model leaves open (symbolic).
struct ImportOptions {
  std::optional<int64_t> batch;          ///< dimension 0; default 1
  std::optional<int64_t> height, width;  ///< dimensions 2 and 3 of 4-D inputs; default: the model's metadata `imgsz`
  std::map<std::string, Shape> input_shapes;  ///< whole shapes by input name; go before the others
};

/// Reads an ONNX model (opset 7 and newer) as a graph with static shapes: constants folded, older forms of ops
/// translated to Tenon's, value and node names kept. Initializers become constants, not inputs.
/// Throws Error(kInvalidInput) for files that are damaged or no ONNX, sizes that don't fit, and for what Tenon doesn't
/// support: then one message names all such nodes.
std::unique_ptr<Graph> ImportOnnx(const std::string& path, const ImportOptions& options = {});

/// The same from memory; such a model can't have external data files.
std::unique_ptr<Graph> ImportOnnx(std::span<const std::byte> bytes, const ImportOptions& options = {});

}  // namespace tenon
