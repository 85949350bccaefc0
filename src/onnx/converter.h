#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnx {
class AttributeProto;
class NodeProto;
}  // namespace onnx

namespace tenon {

class ExternalData;
class ConstantFolder;

/// What one import shares among its nodes.
struct ImportState {
  const ExternalData& external;
  ConstantFolder& folder;
};

/// A node, or the form in which it is used, that Tenon can't translate. The importer collects all of a model's.
class UnsupportedNode : public Error {
 public:
  explicit UnsupportedNode(const std::string& reason) : Error(ErrorCode::kInvalidInput, reason) {}
};

/// One ONNX node being translated: its attributes, its operands as graph values, and the graph to add to.
class ConvertContext {
 public:
  ConvertContext(Graph& graph, const onnx::NodeProto& node, std::string name, int64_t opset, std::vector<Value*> inputs,
                 ImportState& state)
      : graph(graph), opset(opset), inputs(std::move(inputs)), node_(node), name_(std::move(name)), state_(state) {}

  Graph& graph;
  const int64_t opset;               ///< of the node's domain
  const std::vector<Value*> inputs;  ///< null: absent
  Value* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  size_t output_count() const;
  std::string_view op_type() const;
  /// The node's name; unnamed nodes have got one.
  const std::string& name() const { return name_; }

  bool HasAttr(std::string_view name) const;
  /// The attribute, `fallback` when absent. Throws Error(kInvalidInput) when it has another type.
  int64_t Int(std::string_view name, int64_t fallback) const;
  float Float(std::string_view name, float fallback) const;
  std::string String(std::string_view name, std::string fallback) const;
  std::vector<int64_t> Ints(std::string_view name, std::vector<int64_t> fallback = {}) const;
  std::vector<float> Floats(std::string_view name, std::vector<float> fallback = {}) const;
  /// A tensor attribute; null tensor when absent.
  Tensor TensorAttr(std::string_view name) const;

  /// Adds a node named after the ONNX node and returns its first output; where all operands are constant, and the
  /// result isn't too large, the result as a constant.
  template <class T>
  Value* Emit(T op, std::vector<Value*> operands) {
    return Folded(EmitNode(std::make_unique<T>(std::move(op)), std::move(operands)), 0);
  }
  /// The same for ops with several outputs: the node itself. The importer folds it afterwards.
  Node* EmitNode(std::unique_ptr<Op> op, std::vector<Value*> operands);
  /// A 1-D i64 constant: axes, shapes, pads that older opsets keep in attributes.
  Value* IntsConstant(const std::vector<int64_t>& values);
  Value* Constant(Tensor tensor);
  /// The operand's elements where they are constant, else null.
  const Tensor* ConstantInput(size_t i) const;
  /// Throws Error(kInvalidInput): this form of the op is not supported, and why.
  [[noreturn]] void Unsupported(const std::string& reason) const;

 private:
  const onnx::AttributeProto* FindAttr(std::string_view name) const;
  Value* Folded(Node* node, size_t output);

  const onnx::NodeProto& node_;
  const std::string name_;
  ImportState& state_;
};

/// Translates one node; returns its outputs in ONNX order (may be fewer than the node names, when the rest is unused).
using Converter = std::vector<Value*> (*)(ConvertContext&);

struct ConverterEntry {
  std::string_view op_type;
  Converter convert;
  /// The operands that must be present: the importer checks it, so that converters may use input(i) below it.
  size_t min_inputs = 1;
};

/// Each file convert_*.cc has one such list; converter_list.cc joins them.
using ConverterList = std::vector<ConverterEntry>;

}  // namespace tenon
