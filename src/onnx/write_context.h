#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "onnx/proto.h"

namespace tenon {

/// Sets attributes of an ONNX node. Empty lists are left out: ONNX's defaults are meant.
class NodeAttrs {
 public:
  explicit NodeAttrs(onnx::NodeProto& node) : node_(node) {}
  NodeAttrs& Int(std::string_view name, int64_t value);
  NodeAttrs& Float(std::string_view name, float value);
  NodeAttrs& String(std::string_view name, std::string_view value);
  NodeAttrs& Ints(std::string_view name, const std::vector<int64_t>& values);

 private:
  onnx::AttributeProto& Add(std::string_view name, onnx::AttributeProto::AttributeType type);
  onnx::NodeProto& node_;
};

/// The ONNX graph being made and the names in it.
class OnnxGraphMaker {
 public:
  OnnxGraphMaker(const Graph& graph, onnx::GraphProto& out);

  /// The value's name in the file, "" for null; constants become initializers when they are first asked for.
  std::string NameOf(const Value* value);
  /// An initializer; equal ones are not merged.
  std::string AddInitializer(const Tensor& tensor, std::string_view hint);
  /// Trailing empty inputs are dropped.
  NodeAttrs AddNode(std::string_view op_type, std::vector<std::string> inputs, std::vector<std::string> outputs,
                    std::string_view name_hint);
  std::string FreshName(std::string_view hint);

 private:
  const Graph& graph_;
  onnx::GraphProto& out_;
  std::map<const Value*, std::string> names_;
  std::set<std::string, std::less<>> taken_, node_names_;
  int64_t next_ = 0;
};

/// One node of the graph on its way into the file.
class WriteContext {
 public:
  WriteContext(const Node& node, OnnxGraphMaker& maker) : node_(node), maker_(maker) {}

  const Node& node() const { return node_; }
  DType dtype() const { return node_.input(0)->dtype(); }
  /// Names of operands and results, "" for absent ones.
  std::string in(size_t i) const { return maker_.NameOf(node_.input(i)); }
  std::vector<std::string> inputs() const;
  std::string out(size_t i = 0) const { return i < node_.outputs().size() ? maker_.NameOf(node_.output(i)) : ""; }
  std::vector<std::string> outputs() const;

  /// A node that makes this node's results.
  NodeAttrs Emit(std::string_view op_type, std::vector<std::string> inputs) const {
    return maker_.AddNode(op_type, std::move(inputs), outputs(), node_.name());
  }
  /// A node in between; gives the name of its result.
  std::string Make(std::string_view op_type, std::vector<std::string> inputs) const;
  /// The same, with attributes to be set on it.
  NodeAttrs Make(std::string_view op_type, std::vector<std::string> inputs, std::string& result) const;
  std::string Scalar(DType dtype, double value) const;
  std::string Ints(const std::vector<int64_t>& values) const;
  std::string Constant(const Tensor& tensor) const { return maker_.AddInitializer(tensor, node_.name() + ".constant"); }
  /// Makes the name stand for this node's first result.
  void Forward(const std::string& name) const { Emit("Identity", {name}); }

 private:
  const Node& node_;
  OnnxGraphMaker& maker_;
};

}  // namespace tenon
