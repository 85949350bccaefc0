#include "passes/simplify_concats.h"

#include "ops/index.h"
#include "ops/operands.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// Elements [begin, end) of `source` along one axis.
struct Piece {
  Value* source = nullptr;
  int64_t begin = 0, end = 0;
};

int64_t Axis(std::string_view op, int64_t axis, const Value* value) {
  return NormalizeAxis(op, axis, static_cast<int64_t>(value->shape().size()));
}

std::optional<Piece> AsSplitPiece(const Value* value, int64_t axis) {
  const Node* split = ProducerOf<Split>(value);
  if (!split || Axis("Split", split->As<Split>()->axis, split->input(0)) != axis) return {};
  int64_t begin = 0;
  const auto sizes = ConstantInts(split->input(1));
  for (int i = 0; i < value->producer_index(); ++i) {
    // Equal parts: all but the last have the size of the first.
    begin += sizes ? sizes->at(i)
                   : (split->input(0)->shape()[axis] + split->As<Split>()->num_outputs - 1) /
                         split->As<Split>()->num_outputs;
  }
  return Piece{split->input(0), begin, begin + value->shape()[axis]};
}

std::optional<Piece> AsSlicePiece(const Value* value, int64_t axis) {
  const Node* slice = ProducerOf<Slice>(value);
  if (!slice || !slice->input(0)->has_shape()) return {};
  for (size_t i = 1; i < slice->inputs().size(); ++i) {
    if (slice->input(i) && !slice->input(i)->is_constant()) return {};
  }
  const auto tensor = [&](size_t i) { return slice->input(i) ? slice->input(i)->constant() : Tensor(); };
  const Shape& shape = slice->input(0)->shape();
  const std::vector<SliceRange> ranges = ResolveSlice(shape, tensor(1), tensor(2), tensor(3), tensor(4));
  for (int64_t i = 0; i < static_cast<int64_t>(ranges.size()); ++i) {
    const SliceRange& range = ranges[i];
    if (i == axis ? range.step != 1 : range.start != 0 || range.step != 1 || range.count != shape[i]) return {};
  }
  return Piece{slice->input(0), ranges[axis].start, ranges[axis].start + ranges[axis].count};
}

std::optional<Piece> AsPiece(const Value* value, int64_t axis) {
  const auto piece = AsSplitPiece(value, axis);
  return piece ? piece : AsSlicePiece(value, axis);
}

/// How many operands from `first` on are, in order, all of one value; 0 when they are not. Sets `whole`.
size_t CountPiecesOfWhole(const std::vector<Value*>& operands, size_t first, int64_t axis, Value*& whole) {
  int64_t covered = 0;
  for (size_t i = first; i < operands.size(); ++i) {
    const auto piece = AsPiece(operands[i], axis);
    if (!piece || piece->begin != covered || (i > first && piece->source != whole)) return 0;
    whole = piece->source;
    covered = piece->end;
    if (covered == whole->shape()[axis]) return i - first + 1;
  }
  return 0;
}

/// The Concat's operands with whole values for their pieces, and those of nested Concats in place.
std::vector<Value*> SimplifiedOperands(const Graph& graph, const Node& concat, int64_t axis) {
  std::vector<Value*> result;
  const std::vector<Value*>& operands = concat.inputs();
  for (size_t i = 0; i < operands.size();) {
    Value* whole = nullptr;
    const Node* nested = ProducerOf<Concat>(operands[i]);
    if (const size_t count = CountPiecesOfWhole(operands, i, axis, whole)) {
      result.push_back(whole);
      i += count;
    } else if (nested && SoleUser(graph, operands[i]) &&
               Axis("Concat", nested->As<Concat>()->axis, operands[i]) == axis) {
      result.insert(result.end(), nested->inputs().begin(), nested->inputs().end());
      ++i;
    } else {
      result.push_back(operands[i++]);
    }
  }
  return result;
}

bool SimplifyConcat(Graph& graph, Node* node) {
  const int64_t axis = Axis("Concat", node->As<Concat>()->axis, node->output());
  const std::vector<Value*> operands = SimplifiedOperands(graph, *node, axis);
  if (operands == node->inputs()) return false;
  ReplaceByNode(graph, node->output(), node->op().Clone(), operands);
  return true;
}

/// Split(Concat(a, b, ...)) at the Concat's seams: each output is then an operand.
bool SimplifySplit(Graph& graph, Node* node) {
  const Node* concat = ProducerOf<Concat>(node->input(0));
  if (!concat || concat->inputs().size() != node->outputs().size()) return false;
  const int64_t axis = Axis("Split", node->As<Split>()->axis, node->input(0));
  if (Axis("Concat", concat->As<Concat>()->axis, node->input(0)) != axis) return false;
  const std::vector<Value*> operands = concat->inputs();
  const std::vector<Value*> outputs = node->outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i] || !SameShape(outputs[i], operands[i]) || !MayForward(graph, outputs[i], operands[i])) return false;
  }
  for (size_t i = 0; i < outputs.size(); ++i) graph.ReplaceAllUses(outputs[i], operands[i]);
  EraseDeadChain(graph, node, nullptr);
  return true;
}

}  // namespace

bool SimplifyConcats(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    const bool is_static =
        node->input(0) && node->input(0)->has_shape() && node->output(0) && node->output(0)->has_shape();
    if (!is_static) continue;
    if (node->As<Concat>())
      changed |= SimplifyConcat(graph, node);
    else if (node->As<Split>())
      changed |= SimplifySplit(graph, node);
  }
  return changed;
}

}  // namespace tenon
