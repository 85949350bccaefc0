#include "passes/rewrite.h"

#include <algorithm>

namespace tenon {

Node* SoleUser(const Graph& graph, const Value* value) {
  return value->users().size() == 1 && !graph.IsOutput(value) ? value->users().front() : nullptr;
}

Node* ProducerOf(const Value* value, UnaryKind kind) {
  Node* node = ProducerOf<Unary>(value);
  return node && node->As<Unary>()->kind == kind ? node : nullptr;
}

Node* ProducerOf(const Value* value, BinaryKind kind) {
  Node* node = ProducerOf<Binary>(value);
  return node && node->As<Binary>()->kind == kind ? node : nullptr;
}

Unary MakeUnary(UnaryKind kind, float alpha, float beta) {
  Unary unary;
  unary.kind = kind;
  unary.alpha = alpha;
  unary.beta = beta;
  return unary;
}

Binary MakeBinary(BinaryKind kind) {
  Binary binary;
  binary.kind = kind;
  return binary;
}

std::optional<double> SplatValue(const Value* value) {
  if (!value || !value->is_constant() || value->constant().elems() == 0) return {};
  const Tensor& tensor = value->constant();
  const std::span<const std::byte> bytes = tensor.bytes();
  const size_t size = static_cast<size_t>(SizeOf(tensor.dtype()));
  // All elements are equal when the bytes are equal to themselves moved by one element.
  if (!std::equal(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end(), bytes.begin())) return {};
  return tensor.AsDouble(0);
}

bool SameShape(const Value* a, const Value* b) { return a->has_shape() && b->has_shape() && a->shape() == b->shape(); }

Value* AddIntsConstant(Graph& graph, const std::vector<int64_t>& values) {
  return graph.AddConstant(Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

std::optional<std::vector<int64_t>> ConstantInts(const Value* value) {
  if (!value || !value->is_constant()) return {};
  return value->constant().AsInts();
}

void EraseDeadChain(Graph& graph, Node* node, Node* heir) {
  for (const Value* output : node->outputs()) {
    if (output && !graph.IsUnused(output)) return;
  }
  std::vector<Node*> producers;
  for (const Value* input : node->inputs()) {
    if (input && input->producer() &&
        std::find(producers.begin(), producers.end(), input->producer()) == producers.end()) {
      producers.push_back(input->producer());
    }
  }
  if (heir) heir->AddSources(node->sources());
  graph.Erase(node);
  for (Node* producer : producers) EraseDeadChain(graph, producer, heir);
}

bool MayForward(const Graph& graph, const Value* value, const Value* replacement) {
  return !graph.IsOutput(value) || (replacement->producer() && !graph.IsOutput(replacement));
}

void ReplaceValue(Graph& graph, Value* old, Value* replacement) {
  TENON_CHECK(old != replacement);
  Node* producer = old->producer();
  // Without a reader the replacement may be part of the dead chain itself.
  Node* heir = graph.IsUnused(old) ? nullptr : replacement->producer();
  graph.ReplaceAllUses(old, replacement);
  if (producer) EraseDeadChain(graph, producer, heir);
}

Value* ReplaceByNode(Graph& graph, Value* old, std::unique_ptr<Op> op, std::vector<Value*> inputs, const Node* origin) {
  Node* producer = old->producer();
  if (!origin) origin = producer;
  Node* node = graph.Add(std::move(op), std::move(inputs), origin->name(), producer);
  node->AddSources(origin->sources());
  const std::string name = old->name();
  ReplaceValue(graph, old, node->output());
  graph.Rename(node->output(), name);
  return node->output();
}

}  // namespace tenon
