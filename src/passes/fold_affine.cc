#include "passes/fold_affine.h"

#include <algorithm>
#include <cmath>

#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/operands.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// y = scale * x + shift, per channel.
struct Affine {
  std::vector<double> scale, shift;
  bool HasShift() const {
    return std::any_of(shift.begin(), shift.end(), [](double s) { return s != 0; });
  }
};

std::optional<Affine> AsAffine(const BatchNorm& op, const Node& node) {
  for (size_t i = 1; i < 5; ++i) {
    if (!node.input(i) || !node.input(i)->is_constant()) return {};
  }
  const auto values = [&](size_t i) { return ToDoubles(node.input(i)->constant()); };
  const std::vector<double> gamma = values(1), beta = values(2), mean = values(3), variance = values(4);
  Affine affine;
  for (size_t c = 0; c < gamma.size(); ++c) {
    affine.scale.push_back(gamma[c] / std::sqrt(variance[c] + static_cast<double>(op.epsilon)));
    affine.shift.push_back(beta[c] - mean[c] * affine.scale[c]);
  }
  return affine;
}

/// The node as a scale and shift of operand 0 along `axis`; nothing when it is something else.
std::optional<Affine> AsAffine(const Node& node, int64_t axis) {
  if (const auto* norm = node.As<BatchNorm>()) return axis == 1 ? AsAffine(*norm, node) : std::nullopt;
  const auto* binary = node.As<Binary>();
  if (!binary || !SameShape(node.input(0), node.output())) return {};
  auto values = PerChannelValues(node.input(1), node.output()->shape(), axis);
  if (!values) return {};
  const size_t channels = values->size();
  switch (binary->kind) {
    case BinaryKind::kAdd:
      return Affine{std::vector<double>(channels, 1), *std::move(values)};
    case BinaryKind::kMul:
      return Affine{*std::move(values), std::vector<double>(channels, 0)};
    case BinaryKind::kDiv:
      for (double& value : *values) value = 1 / value;
      return Affine{*std::move(values), std::vector<double>(channels, 0)};
    default:
      return {};
  }
}

/// How weights are laid out: element i belongs to output channel `out(i)` and, within the whole input, channel `in(i)`.
class WeightChannels {
 public:
  WeightChannels(const Node& node, const Shape& weights) : weights_(weights) {
    if (const auto* conv = node.As<Conv>()) groups_ = conv->groups;
    if (const auto* conv = node.As<ConvTranspose>()) groups_ = conv->groups, input_first_ = true;
    if (node.As<MatMul>()) input_first_ = true;
    taps_ = ElemCount(weights) / std::max<int64_t>(1, weights[0] * weights[1]);
  }
  int64_t out(int64_t i) const {
    return input_first_ ? GroupOf(First(i), weights_[0]) * weights_[1] + Second(i) : First(i);
  }
  int64_t in(int64_t i) const {
    return input_first_ ? First(i) : GroupOf(First(i), weights_[0]) * weights_[1] + Second(i);
  }

 private:
  int64_t First(int64_t i) const { return i / (taps_ * weights_[1]); }
  int64_t Second(int64_t i) const { return i / taps_ % weights_[1]; }
  int64_t GroupOf(int64_t first, int64_t count) const { return first / (count / groups_); }

  const Shape& weights_;
  int64_t groups_ = 1, taps_ = 1;
  bool input_first_ = false;
};

/// Constant weights of at least two dimensions (a MatMul's: exactly two) and a constant bias or none.
bool HasConstantParameters(const Node& node) {
  const Value* weights = node.input(kWeightsOperand);
  const Value* bias = node.input(kBiasOperand);
  return weights && weights->is_constant() && weights->shape().size() >= 2 &&
         (!node.As<MatMul>() || weights->shape().size() == 2) && (!bias || bias->is_constant()) &&
         node.output()->has_shape() && node.input(0)->has_shape();
}

std::vector<double> BiasOf(const Node& node) {
  const Value* bias = node.input(kBiasOperand);
  return bias ? ToDoubles(bias->constant()) : std::vector<double>(static_cast<size_t>(ChannelCount(node)), 0.0);
}

Value* AddBias(Graph& graph, const std::vector<double>& bias) {
  return graph.AddConstant(FromDoubles(bias, DType::kFloat32, {static_cast<int64_t>(bias.size())}));
}

/// affine(fusable(x)): scales output channels.
bool FoldAfter(Graph& graph, Node* node) {
  const Value* x = node->input(0);
  const Node* target = x ? x->producer() : nullptr;
  if (!target || !HasPlainEpilogue(*target) || !HasConstantParameters(*target) || SoleUser(graph, x) != node ||
      x->dtype() != node->output()->dtype())
    return false;
  const auto affine = AsAffine(*node, ChannelAxis(*target));
  if (!affine) return false;
  const Tensor& old = target->input(kWeightsOperand)->constant();
  const WeightChannels channels(*target, old.shape());
  std::vector<double> weights = ToDoubles(old), bias = BiasOf(*target);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] *= affine->scale[channels.out(static_cast<int64_t>(i))];
  for (size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * affine->scale[c] + affine->shift[c];
  Value* new_weights = graph.AddConstant(FromDoubles(weights, old.dtype(), old.shape()));
  ReplaceByNode(graph, node->output(), target->op().Clone(), {target->input(0), new_weights, AddBias(graph, bias)},
                target);
  return true;
}

bool PadsNothing(const Node& node) {
  const auto* conv = node.As<Conv>();
  if (!conv) return node.As<MatMul>() != nullptr;  // a transposed convolution crops, and borders see fewer taps
  return std::all_of(conv->pads.begin(), conv->pads.end(), [](int64_t pad) { return pad == 0; });
}

/// fusable(affine(x)): scales input channels, and the shift becomes bias.
bool FoldBefore(Graph& graph, Node* node) {
  if (!EpilogueOf(node->op()) || !HasConstantParameters(*node)) return false;
  Node* before = node->input(0)->producer();
  if (!before || SoleUser(graph, node->input(0)) != node || before->input(0)->dtype() != node->input(0)->dtype())
    return false;
  const auto affine =
      AsAffine(*before, node->As<MatMul>() ? static_cast<int64_t>(node->input(0)->shape().size()) - 1 : 1);
  if (!affine || (affine->HasShift() && !PadsNothing(*node))) return false;
  const Tensor& old = node->input(kWeightsOperand)->constant();
  const WeightChannels channels(*node, old.shape());
  std::vector<double> weights = ToDoubles(old), bias = BiasOf(*node);
  for (int64_t i = 0; i < old.elems(); ++i) {
    bias[channels.out(i)] += weights[i] * affine->shift[channels.in(i)];
    weights[i] *= affine->scale[channels.in(i)];
  }
  std::vector<Value*> operands = PaddedOperands(*node);
  operands[0] = before->input(0);
  operands[kWeightsOperand] = graph.AddConstant(FromDoubles(weights, old.dtype(), old.shape()));
  operands[kBiasOperand] = AddBias(graph, bias);
  ReplaceByNode(graph, node->output(), node->op().Clone(), std::move(operands));
  return true;
}

/// A BatchNorm that no neighbour takes: Mul and Add with [C, 1, ...] constants.
bool LowerBatchNorm(Graph& graph, Node* node) {
  const auto* norm = node->As<BatchNorm>();
  const auto affine = norm ? AsAffine(*norm, *node) : std::nullopt;
  if (!affine || !node->output()->has_shape()) return false;
  Shape shape(node->output()->shape().size() - 1, 1);
  shape[0] = static_cast<int64_t>(affine->scale.size());
  const auto constant = [&](const std::vector<double>& values) {
    return graph.AddConstant(FromDoubles(values, node->output()->dtype(), shape));
  };
  const Node* scaled =
      graph.AddOp(MakeBinary(BinaryKind::kMul), {node->input(0), constant(affine->scale)}, node->name(), node);
  ReplaceByNode(graph, node->output(), std::make_unique<Binary>(MakeBinary(BinaryKind::kAdd)),
                {scaled->output(), constant(affine->shift)});
  return true;
}

bool FoldsIntoUser(const Graph& graph, const Node& node) {
  const Node* user = SoleUser(graph, node.output());
  return user && EpilogueOf(user->op()) && user->input(0) == node.output() && HasConstantParameters(*user) &&
         PadsNothing(*user);
}

}  // namespace

bool FoldAffine(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (node->outputs().size() != 1) continue;
    if (FoldAfter(graph, node) || FoldBefore(graph, node))
      changed = true;
    else if (!FoldsIntoUser(graph, *node))
      changed |= LowerBatchNorm(graph, node);
  }
  return changed;
}

}  // namespace tenon
