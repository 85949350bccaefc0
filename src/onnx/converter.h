#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnx {
class NodeProto;
}

namespace tenon {

/// One ONNX node being translated: its attributes, its operands as graph values, and the graph to add to.
class ConvertContext {
 public:
  ConvertContext(Graph& graph, const onnx::NodeProto& node, int64_t opset, std::vector<Value*> inputs)
      : graph(graph), opset(opset), inputs(std::move(inputs)), node_(node) {}

  Graph& graph;
  const int64_t opset;                ///< of the node's domain
  const std::vector<Value*> inputs;   ///< null: absent
  Value* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  size_t output_count() const;
  std::string_view op_type() const;
  const std::string& name() const;

  bool HasAttr(std::string_view name) const;
  int64_t Int(std::string_view name, int64_t fallback) const;
  float Float(std::string_view name, float fallback) const;
  std::string String(std::string_view name, std::string fallback) const;
  std::vector<int64_t> Ints(std::string_view name, std::vector<int64_t> fallback = {}) const;
  std::vector<float> Floats(std::string_view name, std::vector<float> fallback = {}) const;
  /// A tensor attribute; null tensor when absent.
  Tensor TensorAttr(std::string_view name) const;

  /// Adds a node named after the ONNX node and returns its first output.
  template <class T>
  Value* Emit(T op, std::vector<Value*> operands) {
    return EmitNode(std::make_unique<T>(std::move(op)), std::move(operands))->output(0);
  }
  Node* EmitNode(std::unique_ptr<Op> op, std::vector<Value*> operands);
  /// A 1-D i64 constant: axes, shapes, pads that older opsets keep in attributes.
  Value* IntsConstant(const std::vector<int64_t>& values);
  /// The operand's elements where they are constant, else null.
  const Tensor* ConstantInput(size_t i) const;
  /// Throws Error(kInvalidInput): this form of the op is not supported, and why.
  [[noreturn]] void Unsupported(const std::string& reason) const;

 private:
  const onnx::NodeProto& node_;
};

/// Translates one node; returns its outputs in ONNX order (may be fewer than the node names, when the rest is unused).
using Converter = std::vector<Value*> (*)(ConvertContext&);

struct ConverterEntry {
  std::string_view op_type;
  Converter convert;
};

/// Each file convert_*.cc has one such list; converter_list.cc joins them.
using ConverterList = std::vector<ConverterEntry>;

}  // namespace tenon
