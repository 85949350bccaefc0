#include "onnx/constant_folder.h"
#include "onnx/converter.h"
#include "onnx/proto.h"
#include "onnx/tensor_proto.h"

namespace tenon {
namespace {

/// Files of IR version 1 may leave the type out; the content then speaks for itself.
void CheckType(const onnx::AttributeProto& attr, onnx::AttributeProto::AttributeType expected) {
  if (attr.type() == expected || attr.type() == onnx::AttributeProto::UNDEFINED) return;
  ThrowInvalid({.what = fmt::format("attribute {} has the wrong type", attr.name()),
                .got = onnx::AttributeProto::AttributeType_Name(attr.type()),
                .expected = onnx::AttributeProto::AttributeType_Name(expected)});
}

}  // namespace

size_t ConvertContext::output_count() const { return static_cast<size_t>(node_.output_size()); }
std::string_view ConvertContext::op_type() const { return node_.op_type(); }

const onnx::AttributeProto* ConvertContext::FindAttr(std::string_view name) const {
  for (const auto& attr : node_.attribute()) {
    if (attr.name() != name) continue;
    if (!attr.ref_attr_name().empty()) Unsupported(fmt::format("attribute {} refers to a function's attribute", name));
    return &attr;
  }
  return nullptr;
}

bool ConvertContext::HasAttr(std::string_view name) const { return FindAttr(name) != nullptr; }

int64_t ConvertContext::Int(std::string_view name, int64_t fallback) const {
  const auto* attr = FindAttr(name);
  if (!attr) return fallback;
  CheckType(*attr, onnx::AttributeProto::INT);
  return attr->i();
}

float ConvertContext::Float(std::string_view name, float fallback) const {
  const auto* attr = FindAttr(name);
  if (!attr) return fallback;
  CheckType(*attr, onnx::AttributeProto::FLOAT);
  return attr->f();
}

std::string ConvertContext::String(std::string_view name, std::string fallback) const {
  const auto* attr = FindAttr(name);
  if (!attr) return fallback;
  CheckType(*attr, onnx::AttributeProto::STRING);
  return attr->s();
}

std::vector<int64_t> ConvertContext::Ints(std::string_view name, std::vector<int64_t> fallback) const {
  const auto* attr = FindAttr(name);
  if (!attr) return fallback;
  CheckType(*attr, onnx::AttributeProto::INTS);
  return {attr->ints().begin(), attr->ints().end()};
}

std::vector<float> ConvertContext::Floats(std::string_view name, std::vector<float> fallback) const {
  const auto* attr = FindAttr(name);
  if (!attr) return fallback;
  CheckType(*attr, onnx::AttributeProto::FLOATS);
  return {attr->floats().begin(), attr->floats().end()};
}

Tensor ConvertContext::TensorAttr(std::string_view name) const {
  const auto* attr = FindAttr(name);
  if (!attr) return {};
  CheckType(*attr, onnx::AttributeProto::TENSOR);
  if (!attr->has_t()) ThrowInvalid("attribute {} holds no tensor", name);
  return ReadTensor(attr->t(), state_.external);
}

Node* ConvertContext::EmitNode(std::unique_ptr<Op> op, std::vector<Value*> operands) {
  Node* node = graph.Add(std::move(op), std::move(operands), name_);
  node->AddSources({name_});
  // Numbers, the default names of values, are what some exporters name their values.
  for (size_t i = 0; i < node->outputs().size(); ++i) graph.Rename(node->output(i), fmt::format("{}:{}", name_, i));
  return node;
}

Value* ConvertContext::Folded(Node* node, size_t output) {
  if (state_.folder.Fold(graph, *node)) return state_.folder.Replacement(node->output(output));
  return node->output(output);
}

Value* ConvertContext::Constant(Tensor tensor) { return graph.AddConstant(std::move(tensor), name_ + ":constant"); }

Value* ConvertContext::IntsConstant(const std::vector<int64_t>& values) {
  return Constant(Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

const Tensor* ConvertContext::ConstantInput(size_t i) const {
  const Value* value = input(i);
  return value && value->is_constant() ? &value->constant() : nullptr;
}

void ConvertContext::Unsupported(const std::string& reason) const { throw UnsupportedNode(reason); }

}  // namespace tenon
