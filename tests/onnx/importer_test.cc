#include "onnx/importer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx/model_builder.h"

namespace tenon {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Graph> Import(const std::string& bytes, const ImportOptions& options = {}) {
  auto graph = ImportOnnx(std::as_bytes(std::span(bytes)), options);
  Verify(*graph);
  return graph;
}

/// The message of the Error(kInvalidInput) that the import throws.
std::string ImportError(const std::string& bytes, const ImportOptions& options = {}) {
  try {
    Import(bytes, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

ModelBuilder PassThrough(const std::vector<TestDim>& dims) {
  ModelBuilder builder;
  builder.Input("images", dims).Output("images");
  return builder;
}

std::string AddOfOpset(int64_t opset) {
  ModelBuilder builder(opset);
  builder.Input("x", {1}).Output("y").Node("Add", {"x", "x"}, {"y"});
  return builder.Bytes();
}

TEST(ImporterTest, KeepsNameAndMetadata) {
  ModelBuilder builder = PassThrough({1, 3});
  auto* entry = builder.model.add_metadata_props();
  entry->set_key("task");
  entry->set_value("detect");
  const auto graph = Import(builder.Bytes());
  EXPECT_EQ(graph->name, "test");
  EXPECT_EQ(graph->metadata.at("task"), "detect");
  EXPECT_EQ(graph->outputs().at(0), graph->inputs().at(0));
}

TEST(ImporterTest, InitializerCanBeAnOutput) {
  ModelBuilder builder;
  const auto graph = Import(builder.Floats("w", {2}, {1, 2}).Output("w").Bytes());
  EXPECT_EQ(graph->outputs().at(0)->constant().AsDouble(1), 2.0);
}

TEST(ImporterTest, FixesSymbolicDims) {
  const std::string bytes = PassThrough({"batch", 3, "height", "width"}).Bytes();
  EXPECT_EQ(Import(bytes, {.height = 320, .width = 640})->inputs()[0]->shape(), (Shape{1, 3, 320, 640}));
  EXPECT_EQ(Import(bytes, {.batch = 4, .height = 32, .width = 32})->inputs()[0]->shape(), (Shape{4, 3, 32, 32}));
  EXPECT_EQ(Import(bytes, {.input_shapes = {{"images", {2, 3, 8, 9}}}})->inputs()[0]->shape(), (Shape{2, 3, 8, 9}));
}

TEST(ImporterTest, TakesImgszFromMetadata) {
  ModelBuilder builder = PassThrough({"batch", 3, "height", "width"});
  auto* entry = builder.model.add_metadata_props();
  entry->set_key("imgsz");
  entry->set_value("[480, 640]");
  EXPECT_EQ(Import(builder.Bytes())->inputs()[0]->shape(), (Shape{1, 3, 480, 640}));
  EXPECT_EQ(Import(builder.Bytes(), {.height = 64, .width = 32})->inputs()[0]->shape(), (Shape{1, 3, 64, 32}));
}

TEST(ImporterTest, OpenDimNamesTheFlag) {
  const std::string message = ImportError(PassThrough({1, 3, "height", "width"}).Bytes());
  EXPECT_THAT(message, HasSubstr("dimension 2 ('height')"));
  EXPECT_THAT(message, HasSubstr("--imgsz"));
  EXPECT_THAT(message, HasSubstr("images"));
}

TEST(ImporterTest, RefusesSizeThatContradictsTheModel) {
  EXPECT_THAT(ImportError(PassThrough({1, 3, 640, 640}).Bytes(), {.height = 320, .width = 320}), HasSubstr("fixed"));
  EXPECT_THAT(ImportError(PassThrough({1, 3, 640, 640}).Bytes(), {.batch = 2}), HasSubstr("--batch"));
  EXPECT_THAT(ImportError(PassThrough({1, 3}).Bytes(), {.input_shapes = {{"images", {1, 4}}}}), HasSubstr("1x4"));
}

TEST(ImporterTest, NamesAllUnsupportedNodesAtOnce) {
  ModelBuilder builder;
  builder.Opset("com.acme", 3).Input("x", {1, 3}).Output("z");
  builder.Node("Frobnicate", {"x"}, {"y"}, "/first")->set_domain("com.acme");
  builder.Node("Loop", {"y"}, {"z"}, "/second");
  builder.Node("Frobnicate", {"x"}, {"unused"})->set_domain("com.acme");
  const std::string message = ImportError(builder.Bytes());
  EXPECT_THAT(message, HasSubstr("3 of the model's nodes"));
  EXPECT_THAT(message, HasSubstr("com.acme.Frobnicate 3 x2 (/first, Frobnicate_2)"));
  EXPECT_THAT(message, HasSubstr("ai.onnx.Loop 20 x1 (/second)"));
}

TEST(ImporterTest, RefusesWhatIsNoModel) {
  EXPECT_THAT(ImportError(""), HasSubstr("no graph"));
  EXPECT_THAT(ImportError("hello"), HasSubstr("not an ONNX model"));
  EXPECT_THAT(ImportError(AddOfOpset(6)), HasSubstr("older than opset 7"));
  EXPECT_THAT(ImportError(ModelBuilder().Bytes()), HasSubstr("no outputs"));
}

}  // namespace
}  // namespace tenon
