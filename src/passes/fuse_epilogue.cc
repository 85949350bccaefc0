#include "passes/fuse_epilogue.h"

#include <unordered_map>

#include "ops/matmul.h"
#include "ops/operands.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// Unary's first kinds are Activation's, without kNone.
std::optional<Activation> AsActivation(const Node& node) {
  const auto* unary = node.As<Unary>();
  if (!unary || unary->kind > UnaryKind::kElu) return {};
  return static_cast<Activation>(static_cast<int>(unary->kind) + 1);
}

bool HasParameters(Activation activation) {
  return activation == Activation::kLeakyRelu || activation == Activation::kClip ||
         activation == Activation::kHardSigmoid || activation == Activation::kElu;
}

class EpilogueFuser {
 public:
  explicit EpilogueFuser(Graph& graph) : graph_(graph) {
    for (const auto& node : graph.nodes()) order_[node->output(0)] = order_.size();
  }

  bool Fuse(Node* node) {
    if (AsActivation(*node)) return FuseActivation(node);
    const auto* binary = node->As<Binary>();
    return binary && binary->kind == BinaryKind::kAdd && (FuseBias(node) || FuseResidual(node));
  }

 private:
  /// The fusable node whose result only `reader` reads, of the type that the reader makes.
  Node* FusableProducer(const Value* value, const Node* reader) const {
    Node* producer = value ? value->producer() : nullptr;
    const bool fits = producer && EpilogueOf(producer->op()) && SoleUser(graph_, value) == reader &&
                      SameShape(value, reader->output()) && value->dtype() == reader->output()->dtype();
    return fits ? producer : nullptr;
  }

  /// The producer with `change` made to its epilogue and operands stands for the node's output.
  template <class F>
  void Replace(Node* node, const Node* producer, F&& change) {
    std::unique_ptr<Op> op = producer->op().Clone();
    std::vector<Value*> operands = PaddedOperands(*producer);
    change(*EpilogueOf(*op), operands);
    const size_t position = order_[node->output()];
    order_[ReplaceByNode(graph_, node->output(), std::move(op), std::move(operands), producer)] = position;
  }

  bool FuseActivation(Node* node) {
    const Node* producer = FusableProducer(node->input(0), node);
    if (!producer) return false;
    const Activation activation = *AsActivation(*node);
    const Epilogue& epilogue = *EpilogueOf(producer->op());
    if (epilogue.post != Activation::kNone) return false;
    if (producer->input(kResidualOperand)) {
      if (HasParameters(activation)) return false;
      Replace(node, producer, [&](Epilogue& to, auto&) { to.post = activation; });
      return true;
    }
    if (epilogue.activation != Activation::kNone) return false;
    const Unary unary = *node->As<Unary>();
    Replace(node, producer, [&](Epilogue& to, auto&) {
      to.activation = activation;
      if (HasParameters(activation)) to.alpha = unary.alpha, to.beta = unary.beta;
    });
    return true;
  }

  bool FuseBias(Node* node) {
    for (const size_t i : {0, 1}) {
      const Node* producer = FusableProducer(node->input(i), node);
      if (!producer || !HasPlainEpilogue(*producer)) continue;
      // A product with a vector has no columns for a bias.
      if (producer->As<MatMul>() && producer->input(kWeightsOperand)->shape().size() < 2) continue;
      auto bias = PerChannelValues(node->input(1 - i), producer->output()->shape(), ChannelAxis(*producer));
      if (!bias) continue;
      Value* old_bias = producer->input(kBiasOperand);
      if (old_bias && !old_bias->is_constant()) return false;
      for (size_t c = 0; old_bias && c < bias->size(); ++c)
        (*bias)[c] += old_bias->constant().AsDouble(static_cast<int64_t>(c));
      Value* sum = graph_.AddConstant(FromDoubles(*bias, DType::kFloat32, {static_cast<int64_t>(bias->size())}));
      Replace(node, producer, [&](Epilogue&, std::vector<Value*>& operands) { operands[kBiasOperand] = sum; });
      return true;
    }
    return false;
  }

  bool FuseResidual(Node* node) {
    const Node* best = nullptr;
    Value* residual = nullptr;
    for (const size_t i : {0, 1}) {
      const Node* producer = FusableProducer(node->input(i), node);
      Value* other = node->input(1 - i);
      const bool fits = producer && !producer->input(kResidualOperand) &&
                        EpilogueOf(producer->op())->post == Activation::kNone && !other->is_constant() &&
                        SameShape(other, node->output());
      if (!fits || (best && order_.at(producer->output()) < order_.at(best->output()))) continue;
      best = producer;
      residual = other;
    }
    if (!best) return false;
    Replace(node, best, [&](Epilogue&, std::vector<Value*>& operands) { operands[kResidualOperand] = residual; });
    return true;
  }

  Graph& graph_;
  std::unordered_map<const Value*, size_t> order_;  ///< position of the node that makes it
};

}  // namespace

bool FuseEpilogue(Graph& graph, const PassContext&) {
  EpilogueFuser fuser(graph);
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (node->outputs().size() == 1 && node->output()->has_shape()) changed |= fuser.Fuse(node);
  }
  return changed;
}

}  // namespace tenon
