#include "onnx/importer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "onnx/model_builder.h"
#include "ops/op_list.h"

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

/// x -> Relu -> Reshape(initializer) -> y, with everything that a model file may hold.
ModelBuilder SmallModel() {
  ModelBuilder builder;
  builder.Input("x", {"batch", 4}).Ints("shape", {2, 2}).Output("y");
  builder.Node("Relu", {"x"}, {"r"}, "/relu");
  builder.Node("Reshape", {"r", "shape"}, {"y"}, "/reshape");
  return builder;
}

TEST(ImporterTest, KeepsNodeAndValueNames) {
  const auto graph = Import(SmallModel().Bytes());
  const Node* reshape = graph->outputs().at(0)->producer();
  EXPECT_EQ(reshape->name(), "/reshape");
  EXPECT_EQ(reshape->sources(), std::vector<std::string>{"/reshape"});
  EXPECT_EQ(reshape->input(0)->name(), "r");
  EXPECT_EQ(reshape->input(0)->producer()->name(), "/relu");
  EXPECT_EQ(graph->outputs()[0]->name(), "y");
  EXPECT_EQ(graph->output_names().at(0), "y");
}

TEST(ImporterTest, NamesNodesThatHaveNone) {
  ModelBuilder builder;
  builder.Input("0", {1, 4}).Output("2");
  builder.Node("Relu", {"0"}, {"1"});
  builder.Node("Sigmoid", {"1"}, {"2"});
  const auto graph = Import(builder.Bytes());
  const Node* sigmoid = graph->outputs().at(0)->producer();
  EXPECT_EQ(sigmoid->name(), "Sigmoid_1");
  EXPECT_EQ(sigmoid->output()->name(), "2");
  EXPECT_EQ(sigmoid->input(0)->name(), "1");
}

TEST(ImporterTest, WeirdNamesSurviveTheTextForm) {
  ModelBuilder builder;
  const std::string odd = "a b\"\\\n\t,%(){}#\xc3\xa9:0";
  builder.Input(odd, {1, 4}).Output(odd + "/y");
  builder.Node("Relu", {odd}, {odd + "/y"}, odd);
  const auto graph = Import(builder.Bytes());
  const auto again = Parse(Print(*graph), MakeOp);
  EXPECT_EQ(Print(*again), Print(*graph));
  EXPECT_EQ(again->inputs().at(0)->name(), odd);
  EXPECT_EQ(again->output_names().at(0), odd + "/y");
}

/// What exporters write for x.view(x.shape[0], -1, x.shape[2] * x.shape[3]).
TEST(ImporterTest, ShapeArithmeticFoldsAway) {
  ModelBuilder builder;
  builder.Input("x", {"batch", 3, "height", "width"}).Output("y");
  builder.Ints("zero", {0}).Ints("two", {2}).Ints("three", {3}).Ints("rest", {-1});
  builder.Node("Shape", {"x"}, {"dims"});
  ModelBuilder::IntAttr(builder.Node("Gather", {"dims", "zero"}, {"n"}), "axis", 0);
  ModelBuilder::IntAttr(builder.Node("Gather", {"dims", "two"}, {"h"}), "axis", 0);
  ModelBuilder::IntAttr(builder.Node("Gather", {"dims", "three"}, {"w"}), "axis", 0);
  builder.Node("Mul", {"h", "w"}, {"pixels"});
  ModelBuilder::IntAttr(builder.Node("Concat", {"n", "rest", "pixels"}, {"shape"}), "axis", 0);
  builder.Node("Reshape", {"x", "shape"}, {"y"});
  const auto graph = Import(builder.Bytes(), {.batch = 2, .height = 4, .width = 5});
  EXPECT_EQ(graph->nodes().size(), 1u);
  EXPECT_EQ(graph->outputs().at(0)->shape(), (Shape{2, 3, 20}));
  EXPECT_EQ(graph->Constants().size(), 1u) << "constants that folding used are gone";
}

TEST(ImporterTest, ConstantsThatAreTooLargeStayNodes) {
  ModelBuilder builder;
  builder.Floats("one", {1}, {1}).Ints("shape", {1 << 14, 1 << 14}).Output("y");
  builder.Node("Expand", {"one", "shape"}, {"y"});
  const auto graph = Import(builder.Bytes());
  EXPECT_EQ(graph->nodes().size(), 1u);
}

TEST(ImporterTest, TensorsBeyondTheLimitAreRefused) {
  ModelBuilder builder;
  builder.Floats("one", {1}, {1}).Ints("shape", {1 << 15, 1 << 15}).Output("y");
  builder.Node("Expand", {"one", "shape"}, {"y"});
  EXPECT_THROW(Import(builder.Bytes()), Error);
}

TEST(ImporterTest, InlinesTheBranchOfAConstantIf) {
  for (const bool condition : {true, false}) {
    ModelBuilder builder;
    builder.Input("x", {1, 4}).Output("y");
    builder.Tensor("condition", {}, onnx::TensorProto::BOOL)->add_int32_data(condition);
    auto* node = builder.Node("If", {"condition"}, {"y"}, "/if");
    for (const std::string branch : {"then_branch", "else_branch"}) {
      auto* attr = node->add_attribute();
      attr->set_name(branch);
      attr->set_type(onnx::AttributeProto::GRAPH);
      ModelBuilder::AddNode(*attr->mutable_g(), branch == "then_branch" ? "Relu" : "Sigmoid", {"x"}, {"inner"}, branch);
      attr->mutable_g()->add_output()->set_name("inner");
    }
    const auto graph = Import(builder.Bytes());
    EXPECT_EQ(graph->nodes().size(), 1u);
    EXPECT_EQ(graph->outputs().at(0)->producer()->name(), condition ? "then_branch" : "else_branch");
    EXPECT_EQ(graph->output_names().at(0), "y");
  }
}

TEST(ImporterTest, RefusesAnIfWhoseConditionIsNotConstant) {
  ModelBuilder builder;
  builder.Input("c", {}, onnx::TensorProto::BOOL).Output("y").Node("If", {"c"}, {"y"}, "/if");
  EXPECT_THAT(ImportError(builder.Bytes()), HasSubstr("not constant"));
}

/// As float16 converters write it: the casts of inputs come last.
TEST(ImporterTest, SortsNodes) {
  ModelBuilder builder;
  builder.Input("x", {1}).Output("d");
  builder.Node("Add", {"b", "c"}, {"d"});
  builder.Node("Relu", {"a"}, {"b"});
  builder.Node("Sigmoid", {"a"}, {"c"});
  builder.Node("Tanh", {"x"}, {"a"});
  const auto graph = Import(builder.Bytes());
  EXPECT_EQ(graph->nodes().size(), 4u);
  EXPECT_EQ(graph->nodes().front()->output()->name(), "a");
}

TEST(ImporterTest, RefusesBrokenGraphs) {
  ModelBuilder cycle;
  cycle.Input("x", {1}).Output("b");
  cycle.Node("Add", {"x", "b"}, {"a"});
  cycle.Node("Relu", {"a"}, {"b"});
  EXPECT_THAT(ImportError(cycle.Bytes()), HasSubstr("form a cycle"));

  ModelBuilder dangling;
  dangling.Input("x", {1}).Output("y").Node("Add", {"x", "nobody"}, {"y"}, "/add");
  EXPECT_THAT(ImportError(dangling.Bytes()), HasSubstr("nothing makes value 'nobody'"));

  ModelBuilder twice;
  twice.Input("x", {1}).Output("y");
  twice.Node("Relu", {"x"}, {"y"});
  twice.Node("Relu", {"x"}, {"y"});
  EXPECT_THAT(ImportError(twice.Bytes()), HasSubstr("two values"));

  ModelBuilder no_output;
  no_output.Input("x", {1}).Output("y");
  EXPECT_THAT(ImportError(no_output.Bytes()), HasSubstr("'y'"));

  ModelBuilder no_operand;
  no_operand.Input("x", {1}).Output("y").Node("Relu", {}, {"y"}, "/relu");
  EXPECT_THAT(ImportError(no_operand.Bytes()), HasSubstr("operand 0 is missing"));
}

TEST(ImporterTest, ErrorsOfAnOpNameNodeOpAndOpset) {
  ModelBuilder builder(17);
  builder.Input("x", {1, 3}).Input("y", {1, 4}).Output("z").Node("Add", {"x", "y"}, {"z"}, "/add");
  EXPECT_THAT(ImportError(builder.Bytes()), HasSubstr("(node /add, op Add, opset 17)"));

  ModelBuilder types;
  types.Input("x", {1}).Input("y", {1}, onnx::TensorProto::INT64).Output("z").Node("Add", {"x", "y"}, {"z"}, "/add");
  EXPECT_THAT(ImportError(types.Bytes()), HasSubstr("/add"));

  ModelBuilder attr;
  attr.Input("x", {1, 3}).Output("z");
  auto* axis = attr.Node("Softmax", {"x"}, {"z"}, "/softmax")->add_attribute();
  axis->set_name("axis");
  axis->set_type(onnx::AttributeProto::STRING);
  EXPECT_THAT(ImportError(attr.Bytes()), HasSubstr("attribute axis has the wrong type"));
}

TEST(ImporterTest, DamagedModelsThrow) {
  const std::string bytes = SmallModel().Bytes();
  const auto attempt = [](const std::string& damaged) {
    try {
      Import(damaged);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << error.what();
    }
  };
  for (size_t size = 0; size < bytes.size(); ++size) attempt(bytes.substr(0, size));
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {0x01, 0x08, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      attempt(damaged);
    }
  }
}

}  // namespace
}  // namespace tenon
