#pragma once
#include <memory>

#include "cli/model_source.h"
#include "ir/graph.h"

namespace tenon::cli {

/// The graph of an ONNX file, of the size that the flags say.
std::unique_ptr<Graph> ImportModel(const ModelOptions& options);

}  // namespace tenon::cli
