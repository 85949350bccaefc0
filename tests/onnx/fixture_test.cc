#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "onnx/importer.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

fs::path FixtureModels() {
  const char* shared = std::getenv("TENON_SHARED");
  return (shared ? fs::path(shared) : fs::path(TENON_SOURCE_DIR) / ".." / "shared") / "fixtures" / "models";
}

/// Real exports: all nodes have static types after import, and no shape arithmetic is left.
TEST(FixtureTest, EveryModelImportsWithStaticShapes) {
  if (!fs::is_directory(FixtureModels())) GTEST_SKIP() << "no shared/fixtures/models";
  for (const auto& entry : fs::directory_iterator(FixtureModels())) {
    SCOPED_TRACE(entry.path().filename().string());
    if (entry.path().extension() != ".onnx") continue;
    const auto graph = ImportOnnx(entry.path().string());
    Verify(*graph);
    for (const auto& node : graph->nodes()) {
      EXPECT_FALSE(node->name().empty());
      EXPECT_FALSE(node->sources().empty()) << node->name();
      EXPECT_NE(node->op().name(), "Shape") << node->name();
      for (const Value* output : node->outputs()) EXPECT_TRUE(!output || output->has_shape()) << node->name();
    }
  }
}

TEST(FixtureTest, UltralyticsMetadataIsRead) {
  const fs::path path = FixtureModels() / "yolov8n.onnx";
  if (!fs::exists(path)) GTEST_SKIP() << "no shared/fixtures/models/yolov8n.onnx";
  const auto graph = ImportOnnx(path.string());
  EXPECT_EQ(graph->metadata.at("task"), "detect");
  EXPECT_EQ(graph->metadata.at("stride"), "32");
  EXPECT_EQ(graph->inputs().at(0)->shape(), (Shape{1, 3, 640, 640}));
  EXPECT_EQ(graph->outputs().at(0)->shape(), (Shape{1, 84, 8400}));
}

}  // namespace
}  // namespace tenon
