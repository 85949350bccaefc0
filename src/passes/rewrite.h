#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "ops/pointwise.h"

namespace tenon {

// What passes share: questions about values, and replacing them. All replacing functions keep names and sources, so
// that the compiled layers still show which source nodes they cover.

/// The one node that reads the value, null when several do, none does, or the value is a graph output.
Node* SoleUser(const Graph& graph, const Value* value);

/// The value's producer when its op is a T, else null.
template <class T>
Node* ProducerOf(const Value* value) {
  return value && value->producer() && value->producer()->As<T>() ? value->producer() : nullptr;
}

/// The value's producer when it is this function, else null.
Node* ProducerOf(const Value* value, UnaryKind kind);
Node* ProducerOf(const Value* value, BinaryKind kind);

Unary MakeUnary(UnaryKind kind, float alpha = 0, float beta = 0);
Binary MakeBinary(BinaryKind kind);

/// The number in a constant that holds the same number everywhere (of any shape), else nothing.
std::optional<double> SplatValue(const Value* value);

/// `a` and `b` are static and equal.
bool SameShape(const Value* a, const Value* b);

/// A 1-D i64 constant.
Value* AddIntsConstant(Graph& graph, const std::vector<int64_t>& values);

/// The elements of a constant operand as integers; nothing when it is absent or no constant.
std::optional<std::vector<int64_t>> ConstantInts(const Value* value);

/// Erases the node if nobody reads its outputs, then the producers that only it kept alive. `heir` (may be null) takes
/// over their sources. Everything erased stands at or before `node`: a pass that walks a copy of the node list forward
/// and erases only chains that end at the current node never meets an erased one.
void EraseDeadChain(Graph& graph, Node* node, Node* heir);

/// Whether `value` may be replaced by `replacement`, an earlier value. A graph output must stay a node's output of its
/// own, as every output has a buffer of the caller.
bool MayForward(const Graph& graph, const Value* value, const Value* replacement);

/// Every use of `old` becomes a use of `replacement`, whose producer takes over the sources; what is then unused is
/// erased. `replacement` must be defined before the users of `old`.
void ReplaceValue(Graph& graph, Value* old, Value* replacement);

/// Adds a one-output node just before the producer of `old` and replaces `old` by its output, which takes its name.
/// The new node has the name of `origin` (null: of the producer of `old`) and the sources of both.
Value* ReplaceByNode(Graph& graph, Value* old, std::unique_ptr<Op> op, std::vector<Value*> inputs,
                     const Node* origin = nullptr);

}  // namespace tenon
