// Older forms of the compute ops: what ONNX's node tests, all of the newest opset, don't reach.
#include <gtest/gtest.h>

#include <cmath>

#include "onnx/importer.h"
#include "onnx/model_builder.h"
#include "ops/evaluate.h"

namespace tenon {
namespace {

void IntsAttr(onnx::NodeProto* node, const std::string& name, const std::vector<int64_t>& values) {
  auto* attr = node->add_attribute();
  attr->set_name(name);
  attr->set_type(onnx::AttributeProto::INTS);
  attr->mutable_ints()->Add(values.begin(), values.end());
}

void FloatAttr(onnx::NodeProto* node, const std::string& name, float value) {
  auto* attr = node->add_attribute();
  attr->set_name(name);
  attr->set_type(onnx::AttributeProto::FLOAT);
  attr->set_f(value);
}

void StringAttr(onnx::NodeProto* node, const std::string& name, const std::string& value) {
  auto* attr = node->add_attribute();
  attr->set_name(name);
  attr->set_type(onnx::AttributeProto::STRING);
  attr->set_s(value);
}

/// Imports, verifies and evaluates a model of one input `x` for 0, 1, 2, ...; returns its first output.
Tensor RunOnIota(const ModelBuilder& builder) {
  const std::string bytes = builder.Bytes();
  const auto graph = ImportOnnx(std::as_bytes(std::span(bytes)));
  Verify(*graph);
  Tensor x(DType::kFloat32, graph->inputs().at(0)->shape());
  for (int64_t i = 0; i < x.elems(); ++i) x.data<float>()[i] = static_cast<float>(i);
  return EvaluateGraph(*graph, std::vector<Tensor>{x}).at(0);
}

void ExpectFloats(const Tensor& actual, const Shape& shape, const std::vector<double>& values) {
  ASSERT_EQ(actual.shape(), shape);
  for (int64_t i = 0; i < actual.elems(); ++i)
    EXPECT_NEAR(actual.AsDouble(i), values[static_cast<size_t>(i)], 1e-5) << i;
}

/// A model of one node that reads x and the named initializers and makes y.
onnx::NodeProto* OneNode(ModelBuilder& builder, const std::string& op, const std::vector<TestDim>& dims,
                         const std::vector<std::string>& more_inputs = {}) {
  builder.Input("x", dims).Output("y");
  std::vector<std::string> inputs = {"x"};
  inputs.insert(inputs.end(), more_inputs.begin(), more_inputs.end());
  return builder.Node(op, inputs, {"y"});
}

TEST(ConvertComputeTest, SoftmaxBelow13FlattensAtItsAxis) {
  ModelBuilder builder(11);
  OneNode(builder, "Softmax", {1, 2, 2});
  const double sum = 1 + std::exp(1) + std::exp(2) + std::exp(3);
  ExpectFloats(RunOnIota(builder), {1, 2, 2}, {1 / sum, std::exp(1) / sum, std::exp(2) / sum, std::exp(3) / sum});
}

TEST(ConvertComputeTest, HardmaxBelow13FlattensAtItsAxis) {
  ModelBuilder builder(11);
  OneNode(builder, "Hardmax", {1, 2, 2});
  ExpectFloats(RunOnIota(builder), {1, 2, 2}, {0, 0, 0, 1});
}

TEST(ConvertComputeTest, ClipBoundsAreAttributesBelow11) {
  ModelBuilder builder(10);
  FloatAttr(OneNode(builder, "Clip", {4}), "max", 2);
  ExpectFloats(RunOnIota(builder), {4}, {0, 1, 2, 2});
}

TEST(ConvertComputeTest, ClipBoundsThatAreComputedBecomeMinAndMax) {
  ModelBuilder builder(13);
  builder.Input("x", {3}).Output("y");
  IntsAttr(builder.Node("ReduceMean", {"x"}, {"mean"}), "axes", {0});
  builder.Node("Clip", {"x", "mean"}, {"y"});
  ExpectFloats(RunOnIota(builder), {3}, {1, 1, 2});
}

TEST(ConvertComputeTest, ReduceAxesAreAttributesInOlderOpsets) {
  ModelBuilder builder(11);
  auto* node = OneNode(builder, "ReduceSum", {2, 2});
  IntsAttr(node, "axes", {-1});
  ModelBuilder::IntAttr(node, "keepdims", 0);
  ExpectFloats(RunOnIota(builder), {2}, {1, 5});
}

TEST(ConvertComputeTest, GroupNormBelow21ScalesPerGroup) {
  ModelBuilder builder(18);
  builder.Floats("scale", {2}, {1, 2}).Floats("bias", {2}, {0, 10});
  auto* node = OneNode(builder, "GroupNormalization", {1, 4, 1}, {"scale", "bias"});
  ModelBuilder::IntAttr(node, "num_groups", 2);
  FloatAttr(node, "epsilon", 0);
  ExpectFloats(RunOnIota(builder), {1, 4, 1}, {-1, 1, 8, 12});
}

TEST(ConvertComputeTest, DropoutPassesAndRefusesTraining) {
  ModelBuilder builder(7);
  OneNode(builder, "Dropout", {2});
  ExpectFloats(RunOnIota(builder), {2}, {0, 1});
  ModelBuilder training(13);
  training.Floats("ratio", {}, {0.5f});
  training.Tensor("training", {}, onnx::TensorProto::BOOL)->add_int32_data(1);
  OneNode(training, "Dropout", {2}, {"ratio", "training"});
  EXPECT_THROW(RunOnIota(training), Error);
}

TEST(ConvertComputeTest, GemmTakesFactorsAndTransposes) {
  ModelBuilder builder(13);
  builder.Floats("b", {1, 2}, {1, 10}).Floats("c", {1}, {4});
  auto* node = OneNode(builder, "Gemm", {2, 3}, {"b", "c"});
  for (const char* name : {"transA", "transB"}) ModelBuilder::IntAttr(node, name, 1);
  FloatAttr(node, "alpha", 2);
  FloatAttr(node, "beta", 0.5f);
  ExpectFloats(RunOnIota(builder), {3, 1}, {62, 84, 106});
}

TEST(ConvertComputeTest, AutoPadSplitsTheOddElement) {
  const auto run = [](const std::string& auto_pad) {
    ModelBuilder builder(13);
    builder.Floats("w", {1, 1, 2}, {1, 10});
    StringAttr(OneNode(builder, "Conv", {1, 1, 3}, {"w"}), "auto_pad", auto_pad);
    return RunOnIota(builder);
  };
  ExpectFloats(run("SAME_UPPER"), {1, 1, 3}, {10, 21, 2});
  ExpectFloats(run("SAME_LOWER"), {1, 1, 3}, {0, 10, 21});
  ExpectFloats(run("VALID"), {1, 1, 2}, {10, 21});
  EXPECT_THROW(run("SAME"), Error);
}

TEST(ConvertComputeTest, ConvTransposeReachesAnOutputShapeBeyondItsWindows) {
  ModelBuilder builder(13);
  builder.Floats("w", {1, 1, 1}, {1});
  auto* node = OneNode(builder, "ConvTranspose", {1, 1, 3}, {"w"});
  IntsAttr(node, "strides", {2});
  IntsAttr(node, "output_shape", {6});
  ExpectFloats(RunOnIota(builder), {1, 1, 6}, {0, 0, 1, 0, 2, 0});
}

TEST(ConvertComputeTest, GlobalLpPoolOfAnyPower) {
  ModelBuilder builder(13);
  ModelBuilder::IntAttr(OneNode(builder, "GlobalLpPool", {1, 1, 3}), "p", 3);
  ExpectFloats(RunOnIota(builder), {1, 1, 1}, {std::cbrt(9.0)});
}

TEST(ConvertComputeTest, BatchNormRefusesTraining) {
  ModelBuilder builder(15);
  for (const char* name : {"s", "b", "m", "v"}) builder.Floats(name, {1}, {1});
  ModelBuilder::IntAttr(OneNode(builder, "BatchNormalization", {1, 1, 2}, {"s", "b", "m", "v"}), "training_mode", 1);
  EXPECT_THROW(RunOnIota(builder), Error);
}

TEST(ConvertComputeTest, SwishWithAlpha) {
  ModelBuilder builder(24);
  FloatAttr(OneNode(builder, "Swish", {2}), "alpha", 2);
  ExpectFloats(RunOnIota(builder), {2}, {0, 1 / (1 + std::exp(-2.0))});
}

TEST(ConvertComputeTest, WrongAttributesAreTheUsersFault) {
  ModelBuilder builder(13);
  builder.Floats("w", {1, 1, 2}, {1, 10});
  IntsAttr(OneNode(builder, "Conv", {1, 1, 3}, {"w"}), "strides", {0});
  EXPECT_THROW(RunOnIota(builder), Error);
  ModelBuilder pool(13);
  OneNode(pool, "MaxPool", {1, 1, 3});
  EXPECT_THROW(RunOnIota(pool), Error);
}

}  // namespace
}  // namespace tenon
