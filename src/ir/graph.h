#pragma once
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/op.h"

namespace tenon {

class Node;

/// One SSA value: a graph input, a constant, or an output of a node.
class Value {
 public:
  const std::string& name() const { return name_; }
  const TensorType& type() const { return type_; }
  void set_type(TensorType type) { type_ = std::move(type); }
  DType dtype() const { return type_.dtype; }
  bool has_shape() const { return type_.shape.has_value(); }
  /// The static shape; must have one.
  const Shape& shape() const;

  /// The node that makes it; null for inputs and constants.
  Node* producer() const { return producer_; }
  /// Which output of the producer it is.
  int producer_index() const { return producer_index_; }
  bool is_constant() const { return !constant_.is_null(); }
  const Tensor& constant() const { return constant_; }
  /// One entry per use: a node that reads it twice is listed twice. Graph outputs are not listed here.
  const std::vector<Node*>& users() const { return users_; }

 private:
  friend class Graph;
  std::string name_;
  TensorType type_;
  Node* producer_ = nullptr;
  int producer_index_ = 0;
  Tensor constant_;
  std::vector<Node*> users_;
  std::list<std::unique_ptr<Value>>::iterator position_;
};

/// One operation in a graph.
class Node {
 public:
  const Op& op() const { return *op_; }
  Op& mutable_op() { return *op_; }
  /// The op as its concrete type, null when it is another.
  template <class T>
  const T* As() const {
    return dynamic_cast<const T*>(op_.get());
  }
  template <class T>
  T* As() {
    return dynamic_cast<T*>(op_.get());
  }

  const std::string& name() const { return name_; }
  const std::vector<Value*>& inputs() const { return inputs_; }
  /// Input i, null when absent or beyond the last.
  Value* input(size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }
  /// Entries are null for optional outputs that nobody uses.
  const std::vector<Value*>& outputs() const { return outputs_; }
  Value* output(size_t i = 0) const { return outputs_[i]; }
  /// Names of the source model's nodes that this node covers; fusion unites them.
  const std::vector<std::string>& sources() const { return sources_; }
  void AddSources(const std::vector<std::string>& sources);

 private:
  friend class Graph;
  std::unique_ptr<Op> op_;
  std::string name_;
  std::vector<Value*> inputs_, outputs_;
  std::vector<std::string> sources_;
  std::list<std::unique_ptr<Node>>::iterator position_;
};

/// An SSA graph; nodes are kept in an order in which every value is made before it is used.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  /// Deep copy (constants are shared).
  std::unique_ptr<Graph> Clone() const;

  std::string name;
  /// The source model's metadata (ONNX metadata_props): names, task, stride, imgsz, ...
  std::map<std::string, std::string> metadata;

  Value* AddInput(std::string name, TensorType type);
  Value* AddConstant(Tensor tensor, std::string name = {});

  /// Adds a node before `before` (null: at the end), infers its output types and makes as many outputs as the op has.
  /// Inputs may hold nulls for absent operands; trailing nulls are dropped.
  Node* Add(std::unique_ptr<Op> op, std::vector<Value*> inputs, std::string name = {}, const Node* before = nullptr);
  template <class T>
  Node* AddOp(T op, std::vector<Value*> inputs, std::string name = {}, const Node* before = nullptr) {
    return Add(std::make_unique<T>(std::move(op)), std::move(inputs), std::move(name), before);
  }

  /// Gives a value another name; a taken one gets a number appended.
  void Rename(Value* value, std::string name);
  void SetInput(Node* node, size_t index, Value* value);
  /// Replaces the node's op and inputs; the outputs stay and get the types of the new op (same number of outputs).
  void Rewrite(Node* node, std::unique_ptr<Op> op, std::vector<Value*> inputs);
  /// Every use of `from`, graph outputs too, becomes a use of `to`.
  void ReplaceAllUses(Value* from, Value* to);
  /// Removes a node whose outputs have no uses, and the constants that only it used.
  void Erase(Node* node);
  /// Removes the constants that nobody reads.
  void EraseUnusedConstants();
  /// Drops an unused output (its entry in outputs() becomes null).
  void DropOutput(Node* node, size_t index);
  /// Puts the nodes in an order in which every value is made before it is used, keeping the present order where it
  /// may stay: after a rewrite that moved work. There must be no cycle.
  void SortNodes();
  /// Runs Infer again on every node, in order: after an input's type changed.
  void InferTypes();

  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  const std::vector<std::string>& output_names() const { return output_names_; }
  void AddOutput(Value* value, std::string name);
  void SetOutput(size_t index, Value* value) { outputs_[index] = value; }
  bool IsOutput(const Value* value) const;

  /// Nodes in order. Removing or adding while iterating: take a copy with NodeList().
  const std::list<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  std::vector<Node*> NodeList() const;
  std::vector<Value*> Constants() const;
  /// True when nobody reads the value.
  bool IsUnused(const Value* value) const { return value->users().empty() && !IsOutput(value); }

 private:
  Value* NewValue(std::string name, TensorType type);
  void RemoveUser(Value* value, Node* node);
  std::string UniqueName(std::string name);
  static std::vector<TensorType> InferOutputs(const Op& op, const std::vector<Value*>& inputs);

  std::list<std::unique_ptr<Value>> values_;
  std::list<std::unique_ptr<Node>> nodes_;
  std::vector<Value*> inputs_, outputs_;
  std::vector<std::string> output_names_;
  std::map<std::string, Value*, std::less<>> names_;
  int64_t next_name_ = 0;
};

/// Checks the graph's invariants: names unique, defined before used, user lists right, types as inferred, outputs
/// present. Throws Error(kInternal) naming the node: a failure is a bug of the pass that ran last.
void Verify(const Graph& graph);

}  // namespace tenon
