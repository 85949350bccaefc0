#include "passes/pattern.h"

#include <cmath>

#include "passes/rewrite.h"

namespace tenon::pattern {
namespace {

bool IsNear(double value, double expected) { return std::abs(value - expected) <= 1e-6 * std::abs(expected); }

bool IsCommutative(BinaryKind kind) {
  return kind == BinaryKind::kAdd || kind == BinaryKind::kMul || kind == BinaryKind::kMin || kind == BinaryKind::kMax;
}

/// A function whose parameters pass `accept`.
Pattern ApplyWhere(UnaryKind kind, Pattern x, std::function<bool(const Unary&)> accept) {
  return Pattern([=](Value* value, Bindings& bindings, const Pattern::Continuation& next) {
    const Node* node = ProducerOf(value, kind);
    return node && accept(*node->As<Unary>()) && x.Match(node->input(0), bindings, next);
  });
}

}  // namespace

Pattern Var(size_t i) {
  return Pattern([i](Value* value, Bindings& bindings, const Pattern::Continuation& next) {
    if (bindings[i]) return bindings[i] == value && next(bindings);
    bindings[i] = value;
    if (next(bindings)) return true;
    bindings[i] = nullptr;
    return false;
  });
}

Pattern Number(double number) {
  return Pattern([number](Value* value, Bindings& bindings, const Pattern::Continuation& next) {
    const auto found = SplatValue(value);
    return found && IsNear(*found, number) && next(bindings);
  });
}

Pattern Apply(UnaryKind kind, Pattern x) {
  return ApplyWhere(kind, std::move(x), [](const Unary&) { return true; });
}

Pattern HardSigmoid(Pattern x, double alpha, double beta) {
  return ApplyWhere(UnaryKind::kHardSigmoid, std::move(x),
                    [=](const Unary& op) { return IsNear(op.alpha, alpha) && IsNear(op.beta, beta); });
}

Pattern Clip(Pattern x, double low, double high) {
  const Pattern direct =
      ApplyWhere(UnaryKind::kClip, x, [=](const Unary& op) { return op.alpha == low && op.beta == high; });
  const Pattern max_first = Apply(BinaryKind::kMin, Apply(BinaryKind::kMax, x, Number(low)), Number(high));
  const Pattern min_first = Apply(BinaryKind::kMax, Apply(BinaryKind::kMin, x, Number(high)), Number(low));
  return AnyOf({direct, max_first, min_first});
}

Pattern Apply(BinaryKind kind, Pattern a, Pattern b) {
  return Pattern([=](Value* value, Bindings& bindings, const Pattern::Continuation& next) {
    const Node* node = ProducerOf(value, kind);
    if (!node) return false;
    const auto try_order = [&](Value* first, Value* second) {
      return a.Match(first, bindings, [&](Bindings& inner) { return b.Match(second, inner, next); });
    };
    return try_order(node->input(0), node->input(1)) ||
           (IsCommutative(kind) && try_order(node->input(1), node->input(0)));
  });
}

Pattern Scaled(Pattern x, double factor) {
  return AnyOf({Mul(x, Number(factor)), Apply(BinaryKind::kDiv, x, Number(1 / factor))});
}

Pattern AnyOf(std::vector<Pattern> alternatives) {
  return Pattern(
      [alternatives = std::move(alternatives)](Value* value, Bindings& bindings, const Pattern::Continuation& next) {
        for (const Pattern& alternative : alternatives) {
          if (alternative.Match(value, bindings, next)) return true;
        }
        return false;
      });
}

Pattern ScaledProduct(Pattern a, Pattern b, double scale) {
  return AnyOf({Scaled(Mul(a, b), scale), Mul(Scaled(a, scale), b), Mul(a, Scaled(b, scale))});
}

}  // namespace tenon::pattern
