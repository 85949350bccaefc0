#include "onnx/writer.h"

#include <gtest/gtest.h>

#include <random>

#include "base/log.h"
#include "ir/text.h"
#include "onnx/importer.h"
#include "onnx/node_case.h"
#include "onnx/proto.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"

namespace tenon {
namespace {

std::unique_ptr<Graph> Reread(const Graph& graph) {
  const std::string bytes = PrintOnnx(graph);
  return ImportOnnx(std::as_bytes(std::span(bytes)));
}

std::vector<Tensor> RandomInputs(const Graph& graph) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<double> uniform(-2, 2);
  std::vector<Tensor> inputs;
  for (const Value* input : graph.inputs()) {
    Tensor tensor(DType::kFloat64, input->shape());
    for (int64_t i = 0; i < tensor.elems(); ++i) tensor.data<double>()[i] = uniform(generator);
    inputs.push_back(tensor.CastTo(input->dtype()));
  }
  return inputs;
}

/// Written and read again, the graph computes the same, to what rounding after each node adds.
void ExpectSameAfterRoundTrip(const std::string& text, double tolerance = 1e-5) {
  const auto graph = Parse(text, &MakeOp);
  const auto again = Reread(*graph);
  Verify(*again);
  ASSERT_EQ(again->output_names(), graph->output_names());
  const std::vector<Tensor> inputs = RandomInputs(*graph);
  const auto expected = EvaluateGraph(*graph, inputs), got = EvaluateGraph(*again, inputs);
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(got[i].type(), expected[i].type());
    for (int64_t at = 0; at < got[i].elems(); ++at)
      ASSERT_NEAR(got[i].AsDouble(at), expected[i].AsDouble(at), tolerance * (1 + std::abs(expected[i].AsDouble(at))));
  }
}

TEST(OnnxWriterTest, WritesOutWhatFusionJoined) {
  ExpectSameAfterRoundTrip(R"(graph "conv" {
    input %x: f32[1,4,5,5]
    const %w: f32[4,2,3,3] = random(1)
    const %b: f32[4] = [0.5, -1, 0, 2]
    %a = Conv(%x, %w, %b, %x) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], groups=2, activation=silu, post=relu}
    %c = Conv(%a, %w) {strides=[2,2], dilations=[1,1], pads=[1,1,1,1], groups=2, activation=leaky_relu, alpha=0.1}
    %d = Conv(%a, %w, %b) {strides=[2,2], dilations=[1,1], pads=[1,1,1,1], groups=2, activation=clip, alpha=-1, beta=1}
    %e = Binary(%c, %d) {kind=mul}
    output %e "e"
  })");
  ExpectSameAfterRoundTrip(R"(graph "transposed" {
    input %x: f32[1,2,3,3]
    const %w: f32[2,3,2,2] = random(2)
    const %b: f32[3] = [0.5, -1, 0]
    %a = ConvTranspose(%x, %w, %b) {strides=[2,2], dilations=[1,1], pads=[0,0,0,0], output_padding=[0,0], activation=hard_swish}
    output %a "a"
  })");
  ExpectSameAfterRoundTrip(R"(graph "products" {
    input %q: f32[2,3,4]
    input %m: f32[3,3]
    const %w: f32[4,4] = random(3)
    const %b: f32[4] = [0.5, -1, 0, 2]
    const %k: f32[2,4,3] = random(4)
    %a = MatMul(%q, %w, %b, %q) {activation=gelu_erf}
    %y = Attention(%a, %k, %q, %m) {scale=0.5}
    %z = Attention(%a, %k, %q)
    %s = Binary(%y, %z) {kind=add}
    output %s "s"
  })");
}

TEST(OnnxWriterTest, WritesWhatTheImporterMakes) {
  ExpectSameAfterRoundTrip(R"(graph "norms" {
    input %x: f32[2,4,3,3]
    const %s: f32[4] = [1, 2, 0.5, 1]
    const %b: f32[4] = [0, 1, -1, 0.5]
    %a = GroupNorm(%x, %s, %b) {groups=2}
    %c = Pool(%a) {kind=average, kernel=[2,2], strides=[1,1]}
    %d = Unary(%c) {kind=mish}
    %e = Unary(%d) {kind=hard_sigmoid, alpha=0.3, beta=0.4}
    %f = Softmax(%e) {axis=1}
    output %f "f"
  })");
}

TEST(OnnxWriterTest, QuantisationStaysAsItIs) {
  const std::string text = R"(graph "quantised" {
    input %x: f32[1,4,3,3]
    const %s: f32[] = [0.02]
    const %z: u8[] = [100]
    const %w: i8[4,4,1,1] = random(5)
    const %ws: f32[4] = [0.01, 0.02, 0.03, 0.04]
    const %b: f32[4] = [0.5, -1, 0, 2]
    %q = QuantizeLinear(%x, %s, %z) {to=u8}
    %d = DequantizeLinear(%q, %s, %z)
    %r = DequantizeLinear(%w, %ws) {axis=0}
    %y = Conv(%d, %r, %b) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=silu}
    %i = QuantizeLinear(%y, %s)
    %o = DequantizeLinear(%i, %s)
    output %o "o"
  })";
  ExpectSameAfterRoundTrip(text, 0.02);  // a step where the SiLU in two nodes meets a tie
  const auto again = Reread(*Parse(text, &MakeOp));
  std::vector<DType> types;
  for (const auto& node : again->nodes()) {
    if (node->op().name() == "QuantizeLinear") types.push_back(node->output()->dtype());
  }
  EXPECT_EQ(types, (std::vector<DType>{DType::kUInt8, DType::kInt8}));
}

TEST(OnnxWriterTest, NamesAndMetadataStay) {
  const auto graph = Parse(R"(graph "g" {
    meta "stride" "32"
    meta "names" "{0: 'cat'}"
    input %images: f32[1,2]
    const %output0: f32[2] = [1, 2]
    %y = Binary(%images, %output0) {kind=add} name "/add"
    output %y "output0"
    output %y "again"
    output %images "copy"
    output %output0 "constant"
  })",
                           &MakeOp);
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(PrintOnnx(*graph)));
  EXPECT_EQ(model.graph().node(0).name(), "/add");
  EXPECT_EQ(model.graph().output(0).type().tensor_type().shape().dim(1).dim_value(), 2);
  const auto again = Reread(*graph);
  EXPECT_EQ(again->metadata, graph->metadata);
  EXPECT_EQ(again->output_names(), graph->output_names());
  const std::vector<Tensor> inputs = {Tensor::Of<float>({1, 2}, {3, 4})};
  const auto results = EvaluateGraph(*again, inputs);
  EXPECT_EQ(results[1].AsDouble(1), 6);
  EXPECT_EQ(results[2].AsDouble(0), 3);
  EXPECT_EQ(results[3].AsDouble(1), 2);
}

TEST(OnnxWriterTest, ResultsThatNobodyReadsHaveNames) {
  const auto graph = Parse(R"(graph "g" {
    input %x: f32[1,4]
    const %k: i64[1] = [2]
    %a, _ = Split(%x) {axis=1, num_outputs=2}
    %v, _ = TopK(%a, %k)
    output %v "v"
  })",
                           &MakeOp);
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(PrintOnnx(*graph)));
  for (const auto& node : model.graph().node()) {
    ASSERT_EQ(node.output_size(), 2) << node.op_type();
    EXPECT_FALSE(node.output(1).empty()) << node.op_type();
  }
}

TEST(OnnxWriterTest, RefusesWhatStandardOnnxCannotSay) {
  const auto refused = [](const std::string& text, const std::string& what) {
    try {
      PrintOnnx(*Parse(text, &MakeOp));
      ADD_FAILURE() << what << " was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  refused(R"(graph "int8" {
    input %x: u8[1,4,3,3]
    const %w: i8[4,4,1,1] = random(5)
    const %ws: f32[4] = [0.01, 0.02, 0.03, 0.04]
    %y = Conv(%x, %w, _, _, %ws) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], compute=i8} name "quantised"
    output %y "y"
  })",
          "quantised");
  refused(R"(graph "blocks" {
    input %x: i8[4]
    const %s: f32[2] = [0.01, 0.02]
    %y = DequantizeLinear(%x, %s) {axis=0, block_size=2} name "blocks"
    output %y "y"
  })",
          "blocks");
}

/// The ONNX project's node tests, whose models are read, written and read again: between them they hold every op.
TEST(OnnxWriterTest, NodeTestsPassWrittenAndReadAgain) {
  const auto folder = NodeTestFolder();
  if (!folder) GTEST_SKIP() << "no onnx-node-tests-1.22.0 in the cache: run scripts/fetch_onnx_node_tests.sh";
  Log().set_level(spdlog::level::err);
  int written = 0;
  for (const NodeCase& test : LoadNodeCases(*folder)) {
    if (ExpectedRefusal(test) || test.name.find("_blocked") != std::string::npos) continue;  // blocks: opset 21
    const NodeResult result = RunNodeCase(test, [](std::unique_ptr<Graph> graph) { return Reread(*graph); });
    if (result.outcome == NodeOutcome::kPassed) {
      ++written;
    } else {
      ADD_FAILURE() << test.name << ": " << result.reason;
    }
  }
  EXPECT_GT(written, 1000);
}

}  // namespace
}  // namespace tenon
