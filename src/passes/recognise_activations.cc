#include "passes/recognise_activations.h"

#include <cmath>
#include <limits>

#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

using namespace pattern;  // NOLINT: the table below is written in it

struct Rule {
  UnaryKind kind;
  Pattern pattern;
  float alpha = 0, beta = 0;
};

Pattern GeluErf(const Pattern& x) {
  const Pattern erf = Apply(UnaryKind::kErf, Scaled(x, std::sqrt(0.5)));
  return ScaledProduct(x, Add(erf, Number(1)), 0.5);
}

Pattern GeluTanh(const Pattern& x) {
  const Pattern cube =
      AnyOf({Apply(BinaryKind::kPow, x, Number(3)), Mul(x, Mul(x, x)), Mul(x, Apply(BinaryKind::kPow, x, Number(2)))});
  const Pattern sum = Add(x, Scaled(cube, 0.044715));
  const Pattern factored =
      Mul(x, Add(Scaled(AnyOf({Mul(x, x), Apply(BinaryKind::kPow, x, Number(2))}), 0.044715), Number(1)));
  const Pattern tanh = Apply(UnaryKind::kTanh, Scaled(AnyOf({sum, factored}), std::sqrt(2 / M_PI)));
  return ScaledProduct(x, Add(tanh, Number(1)), 0.5);
}

Pattern Softplus(const Pattern& x) { return Apply(UnaryKind::kLog, Add(Apply(UnaryKind::kExp, x), Number(1))); }

std::vector<Rule> MakeRules() {
  const Pattern x = Var(0);
  const Pattern relu6 = Clip(Add(x, Number(3)), 0, 6);
  const Pattern hard_sigmoid =
      AnyOf({HardSigmoid(x, 1.0 / 6, 0.5), Clip(Add(Scaled(x, 1.0 / 6), Number(0.5)), 0, 1), Scaled(relu6, 1.0 / 6)});
  return {
      {UnaryKind::kSilu, Mul(x, Apply(UnaryKind::kSigmoid, x))},
      {UnaryKind::kHardSwish, Mul(x, hard_sigmoid)},
      {UnaryKind::kHardSwish, Scaled(Mul(x, relu6), 1.0 / 6)},
      {UnaryKind::kHardSigmoid, hard_sigmoid, 1.0f / 6, 0.5f},
      {UnaryKind::kGeluErf, GeluErf(x)},
      {UnaryKind::kGeluTanh, GeluTanh(x)},
      {UnaryKind::kMish, Mul(x, Apply(UnaryKind::kTanh, AnyOf({Apply(UnaryKind::kSoftplus, x), Softplus(x)})))},
      {UnaryKind::kSoftplus, Softplus(x)},
      {UnaryKind::kRelu, Apply(BinaryKind::kMax, x, Number(0))},
  };
}

/// value = max(x, bound) or min(x, bound); nothing otherwise.
struct Bounded {
  Value* x = nullptr;
  double bound = 0;
};
std::optional<Bounded> AsBounded(const Value* value, BinaryKind kind) {
  if (const Node* relu = ProducerOf(value, UnaryKind::kRelu); relu && kind == BinaryKind::kMax)
    return Bounded{relu->input(0), 0};
  const Node* node = ProducerOf(value, kind);
  for (const size_t i : {0, 1}) {
    const auto bound = node ? SplatValue(node->input(i)) : std::nullopt;
    if (bound) return Bounded{node->input(1 - i), *bound};
  }
  return {};
}

/// Min and Max with constant bounds; the bounds are free, so that this is no row of the table.
std::optional<Unary> AsClip(const Node& node, Value*& x) {
  for (const auto& [outer_kind, inner_kind] :
       {std::pair(BinaryKind::kMin, BinaryKind::kMax), std::pair(BinaryKind::kMax, BinaryKind::kMin)}) {
    const auto outer = AsBounded(node.output(), outer_kind);
    const auto inner = outer ? AsBounded(outer->x, inner_kind) : std::nullopt;
    if (!inner) continue;
    const double low = outer_kind == BinaryKind::kMax ? outer->bound : inner->bound;
    const double high = outer_kind == BinaryKind::kMax ? inner->bound : outer->bound;
    if (!(low <= high)) continue;
    x = inner->x;
    return MakeUnary(UnaryKind::kClip, static_cast<float>(low), static_cast<float>(high));
  }
  return {};
}

/// PRelu with one slope for all channels.
std::optional<Unary> AsLeakyRelu(const Node& node, Value*& x) {
  const auto* binary = node.As<Binary>();
  if (!binary || binary->kind != BinaryKind::kPRelu) return {};
  const auto slope = SplatValue(node.input(1));
  if (!slope) return {};
  x = node.input(0);
  return MakeUnary(UnaryKind::kLeakyRelu, static_cast<float>(*slope));
}

bool IsRelu(const Unary& op) {
  return op.kind == UnaryKind::kClip && op.alpha == 0 && op.beta >= std::numeric_limits<float>::max();
}

/// The function that computes the node's result from x, if it is written out.
std::optional<Unary> Recognise(const std::vector<Rule>& rules, const Node& node, Value*& x) {
  if (const auto clip = AsClip(node, x)) return clip;
  for (const Rule& rule : rules) {
    Bindings bindings{};
    if (!rule.pattern.Match(node.output(), bindings)) continue;
    x = bindings[0];
    return MakeUnary(rule.kind, rule.alpha, rule.beta);
  }
  if (const auto* unary = node.As<Unary>(); unary && IsRelu(*unary)) {
    x = node.input(0);
    return MakeUnary(UnaryKind::kRelu);
  }
  return AsLeakyRelu(node, x);
}

/// HardSigmoid matches its own rule.
bool IsAlready(const Node& node, const Unary& found) {
  const auto* unary = node.As<Unary>();
  return unary && unary->kind == found.kind;
}

}  // namespace

bool RecogniseActivations(Graph& graph, const PassContext&) {
  static const std::vector<Rule> rules = MakeRules();
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (node->outputs().size() != 1 || !node->output() || !IsFloat(node->output()->dtype())) continue;
    Value* x = nullptr;
    const auto found = Recognise(rules, *node, x);
    // A constant that is broadcast must not become the function's shape.
    if (!found || IsAlready(*node, *found) || !SameShape(x, node->output()) || x->dtype() != node->output()->dtype())
      continue;
    ReplaceByNode(graph, node->output(), std::make_unique<Unary>(*found), {x});
    changed = true;
  }
  return changed;
}

}  // namespace tenon
