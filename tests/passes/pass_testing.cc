#include "passes/pass_testing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <unordered_map>

#include "ir/text.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "ops/region.h"

namespace tenon {
namespace {

std::string ConstantText(const Tensor& tensor) {
  std::string text = ToString(tensor.type()) + "(";
  for (int64_t i = 0; i < tensor.elems(); ++i) text += fmt::format("{:.6g} ", tensor.AsDouble(i));
  return text + ")";
}

Tensor RandomInput(const TensorType& type, std::mt19937_64& generator) {
  Tensor values(DType::kFloat32, *type.shape);
  const bool is_stored = type.dtype == DType::kUInt8;
  std::uniform_real_distribution<float> uniform(is_stored ? 0 : -2, is_stored ? 255 : 2);
  for (int64_t i = 0; i < values.elems(); ++i) values.data<float>()[i] = uniform(generator);
  return values.CastTo(type.dtype);
}

void ExpectClose(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(ToString(a.type()), ToString(b.type()));
  for (int64_t i = 0; i < a.elems(); ++i) {
    const double x = a.AsDouble(i), y = b.AsDouble(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    ASSERT_LE(std::abs(x - y), tolerance * (1 + std::abs(x))) << "element " << i << ": " << x << " became " << y;
  }
}

}  // namespace

std::unique_ptr<Graph> ParseGraph(const std::string& text) { return Parse(text, MakeOp); }

std::string Canonical(const Graph& graph) {
  std::unordered_map<const Value*, std::string> names;
  std::string text;
  for (const Value* input : graph.inputs()) {
    names[input] = fmt::format("in{}", names.size());
    text += fmt::format("{}: {}\n", names[input], ToString(input->type()));
  }
  const auto refer = [&](const Value* value) {
    return !value ? "_" : value->is_constant() ? ConstantText(value->constant()) : names.at(value);
  };
  size_t index = 0;
  for (const auto& node : graph.nodes()) {
    const auto* region = node->As<Region>();
    std::string line = fmt::format("{} = {} {}(", index, node->op().name(),
                                   region ? "{\n" + Canonical(*region->body) + "}" : PrintAttrs(node->op()));
    for (const Value* input : node->inputs()) line += refer(input) + ", ";
    for (const Value* output : node->outputs()) {
      if (output) names[output] = fmt::format("n{}.{}", index, output->producer_index());
      line += output ? " -> " + ToString(output->type()) : " -> _";
    }
    text += line + "\n";
    ++index;
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    text += fmt::format("out {} {}\n", graph.output_names()[i], refer(graph.outputs()[i]));
  return text;
}

void ExpectSameResults(const Graph& before, const Graph& after, double tolerance) {
  std::mt19937_64 generator(7);
  std::vector<Tensor> inputs;
  for (const Value* input : before.inputs()) inputs.push_back(RandomInput(input->type(), generator));
  const std::vector<Tensor> expected = EvaluateGraph(before, inputs);
  const std::vector<Tensor> actual = EvaluateGraph(after, inputs);
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < expected.size(); ++i) ExpectClose(expected[i], actual[i], tolerance);
}

void ExpectRewrite(PassFunction pass, const std::string& before, const std::string& after, double tolerance,
                   const PassContext& context) {
  const auto graph = ParseGraph(before);
  const auto original = graph->Clone();
  EXPECT_TRUE(pass(*graph, context)) << "the pass says that it changed nothing";
  Verify(*graph);
  EXPECT_EQ(Canonical(*graph), Canonical(*ParseGraph(after)));
  EXPECT_FALSE(pass(*graph, context)) << "a second run changes the graph again:\n" << Print(*graph);
  ExpectSameResults(*original, *graph, tolerance);
}

void ExpectUnchanged(PassFunction pass, const std::string& text, const PassContext& context) {
  const auto graph = ParseGraph(text);
  const std::string before = Print(*graph);
  EXPECT_FALSE(pass(*graph, context));
  EXPECT_EQ(Print(*graph), before);
}

}  // namespace tenon
