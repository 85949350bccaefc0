#include <fmt/format.h>

#include <map>
#include <set>
#include <vector>

#include "onnx/node_case.h"
#include "onnx/tensor_proto.h"

namespace tenon {
namespace {

/// Ops that no detector, segmenter, pose model or classifier is exported with, by what they are for.
struct RefusedGroup {
  std::string_view reason;
  std::set<std::string_view> ops;
};
const std::vector<RefusedGroup>& RefusedOps() {
  static const std::vector<RefusedGroup> groups = {
      {"random numbers", {"Bernoulli", "RandomUniformLike"}},
      {"recurrent", {"GRU", "LSTM", "RNN"}},
      {"control flow that depends on data", {"Loop", "Scan"}},
      {"language models",
       {"Attention", "CausalConvWithState", "LinearAttention", "RotaryEmbedding", "TensorScatter", "TfIdfVectorizer"}},
      {"training", {"MaxUnpool", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}},
      {"audio", {"BlackmanWindow", "DFT", "HammingWindow", "HannWindow", "MelWeightMatrix", "STFT"}},
      {"strings, sequences, optionals",
       {"OptionalGetElement", "OptionalHasElement", "RegexFullMatch", "SequenceInsert", "SequenceMap",
        "SplitToSequence", "StringConcat", "StringNormalizer", "StringSplit"}},
      {"image files", {"ImageDecoder"}},
      {"not used by the models in scope", {"BitCast", "BitShift", "Col2Im", "CumProd", "DeformConv", "Det", "Shrink"}},
  };
  return groups;
}

std::optional<std::string> RefusedOp(const std::string& op) {
  for (const RefusedGroup& group : RefusedOps()) {
    if (group.ops.contains(op)) return fmt::format("op {} ({})", op, group.reason);
  }
  return std::nullopt;
}

/// Cases of supported ops that are refused all the same, each with its reason.
const std::map<std::string, std::string>& RefusedCases() {
  static const std::string training = "training mode";
  static const std::map<std::string, std::string> cases = {
      {"test_batchnorm_epsilon_training_mode", training},
      {"test_batchnorm_example_training_mode", training},
      {"test_if", "If whose condition is not constant"},
      {"test_affine_grid_3d_align_corners_expanded", "If whose condition is not constant"},
      {"test_training_dropout", training},
      {"test_training_dropout_default", training},
      {"test_training_dropout_default_mask", training},
      {"test_training_dropout_mask", training},
      {"test_training_dropout_zero_ratio", training},
      {"test_training_dropout_zero_ratio_mask", training},
  };
  return cases;
}

std::optional<std::string> LackedType(int data_type) {
  // Optional, absent: the type is inferred.
  if (data_type == onnx::TensorProto::UNDEFINED || DTypeFromOnnx(data_type)) return std::nullopt;
  return "type " + OnnxTypeName(data_type);
}

std::optional<std::string> LackedType(const onnx::ValueInfoProto& value) {
  const auto& type = value.type();
  if (type.has_tensor_type()) return LackedType(type.tensor_type().elem_type());
  if (type.has_sequence_type()) return "sequences";
  if (type.has_optional_type()) return "optionals";
  return std::nullopt;
}

std::optional<std::string> LackedType(const onnx::GraphProto& graph) {
  for (const auto* values : {&graph.input(), &graph.output()}) {
    for (const auto& value : *values) {
      if (auto reason = LackedType(value)) return reason;
    }
  }
  for (const auto& node : graph.node()) {
    for (const auto& attr : node.attribute()) {
      const bool names_type = attr.name() == "to" || attr.name() == "dtype" || attr.name() == "output_dtype";
      if (names_type && attr.type() == onnx::AttributeProto::INT) {
        if (auto reason = LackedType(static_cast<int>(attr.i()))) return reason;
      }
      if (attr.type() != onnx::AttributeProto::TENSOR) continue;
      if (auto reason = LackedType(attr.t().data_type())) return reason;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ExpectedRefusal(const NodeCase& test) {
  if (const auto found = RefusedCases().find(test.name); found != RefusedCases().end()) return found->second;
  for (const auto& node : test.model.graph().node()) {
    if (!node.domain().empty() && node.domain() != "ai.onnx") return "domain " + node.domain();
    if (auto reason = RefusedOp(node.op_type())) return reason;
  }
  return LackedType(test.model.graph());
}

}  // namespace tenon
