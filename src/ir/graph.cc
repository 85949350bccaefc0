#include "ir/graph.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "ir/limits.h"

namespace tenon {

const Shape& Value::shape() const {
  TENON_CHECK(type_.shape.has_value(), "value {} has no static shape", name_);
  return *type_.shape;
}

void Node::AddSources(const std::vector<std::string>& sources) {
  for (const std::string& source : sources) {
    if (std::find(sources_.begin(), sources_.end(), source) == sources_.end()) sources_.push_back(source);
  }
}

std::string Graph::UniqueName(std::string name) {
  if (!name.empty() && !names_.contains(name)) return name;
  std::string candidate;
  do {
    candidate = name.empty() ? fmt::format("{}", next_name_++) : fmt::format("{}.{}", name, next_name_++);
  } while (names_.contains(candidate));
  return candidate;
}

Value* Graph::NewValue(std::string name, TensorType type) {
  auto& value = values_.emplace_back(std::make_unique<Value>());
  value->position_ = std::prev(values_.end());
  value->name_ = UniqueName(std::move(name));
  value->type_ = std::move(type);
  names_[value->name_] = value.get();
  return value.get();
}

Value* Graph::AddInput(std::string name, TensorType type) {
  if (type.shape) CheckTensorSize("input " + name, type.dtype, *type.shape);
  inputs_.push_back(NewValue(std::move(name), std::move(type)));
  return inputs_.back();
}

Value* Graph::AddConstant(Tensor tensor, std::string name) {
  TENON_CHECK(!tensor.is_null());
  CheckTensorSize(name.empty() ? "constant" : "constant " + name, tensor.dtype(), tensor.shape());
  Value* value = NewValue(std::move(name), tensor.type());
  value->constant_ = std::move(tensor);
  return value;
}

std::vector<TensorType> Graph::InferOutputs(const Op& op, const std::vector<Value*>& inputs) {
  std::vector<InferInput> known(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    known[i].type = &inputs[i]->type_;
    if (inputs[i]->is_constant()) known[i].value = &inputs[i]->constant_;
  }
  std::vector<TensorType> types = op.Infer(known);
  for (const TensorType& type : types) {
    if (type.shape) CheckTensorSize(op.name(), type.dtype, *type.shape);
  }
  return types;
}

Node* Graph::Add(std::unique_ptr<Op> op, std::vector<Value*> inputs, std::string name, const Node* before) {
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  const std::vector<TensorType> types = InferOutputs(*op, inputs);
  const auto position = nodes_.insert(before ? before->position_ : nodes_.end(), std::make_unique<Node>());
  Node* node = position->get();
  node->position_ = position;
  node->op_ = std::move(op);
  node->name_ = std::move(name);
  node->inputs_ = std::move(inputs);
  for (Value* input : node->inputs_) {
    if (input) input->users_.push_back(node);
  }
  for (size_t i = 0; i < types.size(); ++i) {
    Value* output = NewValue({}, types[i]);
    output->producer_ = node;
    output->producer_index_ = static_cast<int>(i);
    node->outputs_.push_back(output);
  }
  return node;
}

void Graph::Rename(Value* value, std::string name) {
  names_.erase(value->name_);
  value->name_ = UniqueName(std::move(name));
  names_[value->name_] = value;
}

void Graph::RemoveUser(Value* value, Node* node) {
  // From the back: whole graphs are taken down last node first.
  const auto found = std::find(value->users_.rbegin(), value->users_.rend(), node);
  TENON_CHECK(found != value->users_.rend());
  value->users_.erase(std::next(found).base());
}

void Graph::SetInput(Node* node, size_t index, Value* value) {
  if (index >= node->inputs_.size()) node->inputs_.resize(index + 1, nullptr);
  if (Value* old = node->inputs_[index]) RemoveUser(old, node);
  node->inputs_[index] = value;
  if (value) value->users_.push_back(node);
}

void Graph::Rewrite(Node* node, std::unique_ptr<Op> op, std::vector<Value*> inputs) {
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  const std::vector<TensorType> types = InferOutputs(*op, inputs);
  TENON_CHECK(types.size() == node->outputs_.size(), "{} has {} outputs, not {}", op->name(), types.size(),
              node->outputs_.size());
  for (Value* old : node->inputs_) {
    if (old) RemoveUser(old, node);
  }
  node->op_ = std::move(op);
  node->inputs_ = std::move(inputs);
  for (Value* input : node->inputs_) {
    if (input) input->users_.push_back(node);
  }
  for (size_t i = 0; i < types.size(); ++i) {
    if (node->outputs_[i]) node->outputs_[i]->type_ = types[i];
  }
}

void Graph::ReplaceAllUses(Value* from, Value* to) {
  if (from == to) return;
  const std::vector<Node*> users = from->users_;
  for (Node* user : users) {
    for (size_t i = 0; i < user->inputs_.size(); ++i) {
      if (user->inputs_[i] == from) SetInput(user, i, to);
    }
  }
  std::replace(outputs_.begin(), outputs_.end(), from, to);
}

void Graph::Erase(Node* node) {
  for (Value* output : node->outputs_)
    TENON_CHECK(!output || IsUnused(output), "value {} is still used", output->name());
  const auto remove = [this](Value* value) {
    names_.erase(value->name_);
    values_.erase(value->position_);
  };
  for (Value* input : node->inputs_) {
    if (!input) continue;
    RemoveUser(input, node);
    if (input->is_constant() && IsUnused(input)) remove(input);
  }
  for (Value* output : node->outputs_) {
    if (output) remove(output);
  }
  nodes_.erase(node->position_);
}

void Graph::EraseUnusedConstants() {
  values_.remove_if([this](const auto& value) {
    const bool unused = value->is_constant() && IsUnused(value.get());
    if (unused) names_.erase(value->name_);
    return unused;
  });
}

void Graph::DropOutput(Node* node, size_t index) {
  Value* output = node->outputs_[index];
  TENON_CHECK(output && IsUnused(output));
  node->outputs_[index] = nullptr;
  names_.erase(output->name_);
  values_.erase(output->position_);
}

void Graph::SortNodes() {
  std::unordered_map<const Node*, size_t> place, waits_for;
  std::set<std::pair<size_t, Node*>> ready;
  for (const auto& node : nodes_) {
    place.emplace(node.get(), place.size());
    const auto made = [](const Value* input) { return input && input->producer(); };
    const auto waits = static_cast<size_t>(std::count_if(node->inputs_.begin(), node->inputs_.end(), made));
    waits_for[node.get()] = waits;
    if (waits == 0) ready.emplace(place.at(node.get()), node.get());
  }
  std::list<std::unique_ptr<Node>> sorted;
  while (!ready.empty()) {
    Node* node = ready.begin()->second;
    ready.erase(ready.begin());
    sorted.splice(sorted.end(), nodes_, node->position_);
    for (const Value* output : node->outputs_) {
      if (!output) continue;
      for (Node* user : output->users_) {
        if (--waits_for.at(user) == 0) ready.emplace(place.at(user), user);
      }
    }
  }
  TENON_CHECK(nodes_.empty(), "{} nodes form a cycle", nodes_.size());
  nodes_ = std::move(sorted);
}

void Graph::InferTypes() {
  for (const auto& node : nodes_) {
    const std::vector<TensorType> types = InferOutputs(node->op(), node->inputs_);
    for (size_t i = 0; i < types.size() && i < node->outputs_.size(); ++i) {
      if (node->outputs_[i]) node->outputs_[i]->type_ = types[i];
    }
  }
}

void Graph::AddOutput(Value* value, std::string name) {
  outputs_.push_back(value);
  output_names_.push_back(std::move(name));
}

bool Graph::IsOutput(const Value* value) const {
  return std::find(outputs_.begin(), outputs_.end(), value) != outputs_.end();
}

std::vector<Node*> Graph::NodeList() const {
  std::vector<Node*> list;
  for (const auto& node : nodes_) list.push_back(node.get());
  return list;
}

std::vector<Value*> Graph::Constants() const {
  std::vector<Value*> list;
  for (const auto& value : values_) {
    if (value->is_constant()) list.push_back(value.get());
  }
  return list;
}

std::unique_ptr<Graph> Graph::Clone() const {
  auto copy = std::make_unique<Graph>();
  copy->name = name;
  copy->metadata = metadata;
  copy->next_name_ = next_name_;
  std::unordered_map<const Value*, Value*> map;
  const auto copy_value = [&](const Value* value) {
    Value* made = copy->NewValue(value->name_, value->type_);
    made->constant_ = value->constant_;
    made->producer_index_ = value->producer_index_;
    return map[value] = made;
  };
  for (const auto& value : values_) copy_value(value.get());
  for (const Value* input : inputs_) copy->inputs_.push_back(map.at(input));
  for (const auto& node : nodes_) {
    const auto position = copy->nodes_.insert(copy->nodes_.end(), std::make_unique<Node>());
    Node* made = position->get();
    made->position_ = position;
    made->op_ = node->op_->Clone();
    made->name_ = node->name_;
    made->sources_ = node->sources_;
    for (const Value* input : node->inputs_) {
      made->inputs_.push_back(input ? map.at(input) : nullptr);
      if (input) map.at(input)->users_.push_back(made);
    }
    for (const Value* output : node->outputs_) {
      made->outputs_.push_back(output ? map.at(output) : nullptr);
      if (output) map.at(output)->producer_ = made;
    }
  }
  for (size_t i = 0; i < outputs_.size(); ++i) copy->AddOutput(map.at(outputs_[i]), output_names_[i]);
  return copy;
}

namespace {

void VerifyNode(const Node& node, const std::unordered_set<const Value*>& defined) {
  for (const Value* input : node.inputs()) {
    if (!input) continue;
    TENON_CHECK(defined.contains(input) || input->is_constant(), "{} {} reads {} before it is made", node.op().name(),
                node.name(), input->name());
    const auto uses = std::count(node.inputs().begin(), node.inputs().end(), input);
    TENON_CHECK(std::count(input->users().begin(), input->users().end(), &node) == uses, "users of {}", input->name());
  }
  std::vector<InferInput> known(node.inputs().size());
  for (size_t i = 0; i < known.size(); ++i) {
    if (const Value* input = node.inputs()[i])
      known[i] = {&input->type(), input->is_constant() ? &input->constant() : nullptr};
  }
  const std::vector<TensorType> types = node.op().Infer(known);
  TENON_CHECK(types.size() == node.outputs().size(), "{} {}: {} outputs", node.op().name(), node.name(), types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    const Value* output = node.outputs()[i];
    if (!output) continue;
    TENON_CHECK(output->producer() == &node && output->producer_index() == static_cast<int>(i), "producer of {}",
                output->name());
    TENON_CHECK(output->type() == types[i], "{} {}: output {} is {}, inferred {}", node.op().name(), node.name(),
                output->name(), ToString(output->type()), ToString(types[i]));
  }
}

}  // namespace

void Verify(const Graph& graph) {
  std::unordered_set<const Value*> defined(graph.inputs().begin(), graph.inputs().end());
  for (const auto& node : graph.nodes()) {
    VerifyNode(*node, defined);
    for (const Value* output : node->outputs()) {
      if (output) defined.insert(output);
    }
  }
  for (const Value* output : graph.outputs()) {
    TENON_CHECK(output && (defined.contains(output) || output->is_constant()), "graph output is never made");
  }
  TENON_CHECK(graph.outputs().size() == graph.output_names().size());
}

}  // namespace tenon
