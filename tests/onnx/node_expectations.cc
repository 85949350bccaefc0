#include <array>
#include <map>
#include <set>

#include "onnx/node_case.h"
#include "onnx/tensor_proto.h"

namespace tenon {
namespace {

/// Ops that no detector, segmenter, pose model or classifier is exported with.
const std::map<std::string, std::string>& RefusedOps() {
  static const std::map<std::string, std::string> ops = {
      {"Bernoulli", "random"},
  };
  return ops;
}

/// Cases of supported ops that are refused all the same, each with its reason.
const std::map<std::string, std::string>& RefusedCases() {
  static const std::map<std::string, std::string> cases = {};
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
    if (const auto found = RefusedOps().find(node.op_type()); found != RefusedOps().end()) {
      return fmt::format("op {}: {}", found->first, found->second);
    }
  }
  return LackedType(test.model.graph());
}

}  // namespace tenon
