#include "onnx/write_context.h"

#include <algorithm>

#include "onnx/tensor_proto.h"

namespace tenon {

onnx::AttributeProto& NodeAttrs::Add(std::string_view name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attr = *node_.add_attribute();
  attr.set_name(std::string(name));
  attr.set_type(type);
  return attr;
}

NodeAttrs& NodeAttrs::Int(std::string_view name, int64_t value) {
  Add(name, onnx::AttributeProto::INT).set_i(value);
  return *this;
}

NodeAttrs& NodeAttrs::Float(std::string_view name, float value) {
  Add(name, onnx::AttributeProto::FLOAT).set_f(value);
  return *this;
}

NodeAttrs& NodeAttrs::String(std::string_view name, std::string_view value) {
  Add(name, onnx::AttributeProto::STRING).set_s(std::string(value));
  return *this;
}

NodeAttrs& NodeAttrs::Ints(std::string_view name, const std::vector<int64_t>& values) {
  if (values.empty()) return *this;
  Add(name, onnx::AttributeProto::INTS).mutable_ints()->Add(values.begin(), values.end());
  return *this;
}

OnnxGraphMaker::OnnxGraphMaker(const Graph& graph, onnx::GraphProto& out) : graph_(graph), out_(out) {
  // The names that users know go first; a value that is an output twice keeps the first name.
  for (const Value* input : graph.inputs()) {
    names_[input] = input->name();
    taken_.insert(input->name());
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Value* value = graph.outputs()[i];
    taken_.insert(graph.output_names()[i]);
    if (value->producer()) names_.try_emplace(value, graph.output_names()[i]);
  }
}

std::string OnnxGraphMaker::FreshName(std::string_view hint) {
  std::string name(hint);
  while (name.empty() || !taken_.insert(name).second) name = fmt::format("{}_{}", hint, next_++);
  return name;
}

std::string OnnxGraphMaker::NameOf(const Value* value) {
  if (!value) return "";
  if (const auto found = names_.find(value); found != names_.end()) return found->second;
  return names_[value] =
             value->is_constant() ? AddInitializer(value->constant(), value->name()) : FreshName(value->name());
}

std::string OnnxGraphMaker::AddInitializer(const Tensor& tensor, std::string_view hint) {
  const std::string name = FreshName(hint);
  FillTensorProto(tensor, name, *out_.add_initializer());
  return name;
}

NodeAttrs OnnxGraphMaker::AddNode(std::string_view op_type, std::vector<std::string> inputs,
                                  std::vector<std::string> outputs, std::string_view name_hint) {
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  // Results that nobody reads need a name where ONNX doesn't call them optional.
  const bool are_optional = op_type != "Split" && op_type != "TopK";
  while (are_optional && !outputs.empty() && outputs.back().empty()) outputs.pop_back();
  for (std::string& output : outputs) {
    if (output.empty()) output = FreshName(fmt::format("{}.unused", name_hint));
  }
  onnx::NodeProto& node = *out_.add_node();
  node.set_op_type(std::string(op_type));
  std::string name(name_hint);
  while (!node_names_.insert(name).second) name = fmt::format("{}_{}_{}", name_hint, op_type, next_++);
  node.set_name(name);
  for (std::string& input : inputs) node.add_input(std::move(input));
  for (std::string& output : outputs) node.add_output(std::move(output));
  return NodeAttrs(node);
}

std::vector<std::string> WriteContext::inputs() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < node_.inputs().size(); ++i) names.push_back(in(i));
  return names;
}

std::vector<std::string> WriteContext::outputs() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < node_.outputs().size(); ++i) names.push_back(out(i));
  return names;
}

std::string WriteContext::Make(std::string_view op_type, std::vector<std::string> inputs) const {
  std::string result;
  Make(op_type, std::move(inputs), result);
  return result;
}

NodeAttrs WriteContext::Make(std::string_view op_type, std::vector<std::string> inputs, std::string& result) const {
  result = maker_.FreshName(fmt::format("{}.{}", node_.name(), op_type));
  return maker_.AddNode(op_type, std::move(inputs), {result}, fmt::format("{}.{}", node_.name(), op_type));
}

std::string WriteContext::Scalar(DType dtype, double value) const {
  return Constant(Tensor::Scalar<double>(value).CastTo(dtype));
}

std::string WriteContext::Ints(const std::vector<int64_t>& values) const {
  return Constant(Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

}  // namespace tenon
