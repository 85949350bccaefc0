#include "onnx/importer.h"

#include <new>

#include "base/file.h"
#include "base/one_line.h"
#include "onnx/graph_importer.h"
#include "onnx/model_file.h"
#include "onnx/proto.h"

namespace tenon {
namespace {

std::unique_ptr<Graph> Import(std::span<const std::byte> bytes, const ExternalData& external,
                              const ImportOptions& options) {
  try {
    const ParsedModel model(bytes);
    auto graph = std::make_unique<Graph>();
    GraphImporter(*model, external, *graph).Run(options);
    return graph;
  } catch (const Error& error) {
    throw Error(error.code(), OneLine(error.what()));
  } catch (const std::bad_alloc&) {
    ThrowInvalid("out of memory while reading the model");
  }
}

}  // namespace

std::unique_ptr<Graph> ImportOnnx(const std::string& path, const ImportOptions& options) {
  const MappedFile file(path);
  const ExternalData external(path);
  try {
    return Import(file.bytes(), external, options);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", path, error.what()));
  }
}

std::unique_ptr<Graph> ImportOnnx(std::span<const std::byte> bytes, const ImportOptions& options) {
  return Import(bytes, ExternalData(), options);
}

}  // namespace tenon
