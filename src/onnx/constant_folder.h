#pragma once
#include <unordered_map>

#include "ir/graph.h"
#include "ops/evaluate.h"

namespace tenon {

/// Evaluates nodes with constant operands while a model is imported, so that shape arithmetic is gone before the
/// nodes that need its results are translated. Folded nodes stay in the graph, unused, until the import ends: their
/// operands may still be asked for by name.
class ConstantFolder {
 public:
  /// Evaluates the node where that is possible and cheap enough, and makes a constant of each output. All uses of the
  /// outputs become uses of the constants. False: the node stays as it is. Errors are those of Op::Evaluate.
  bool Fold(Graph& graph, const Node& node);
  /// The constant that took the place of a value, or the value itself.
  Value* Replacement(Value* value) const;

 private:
  std::unordered_map<const Value*, Value*> replacements_;
  FoldingBudget budget_;
};

}  // namespace tenon
