#pragma once
#include <array>
#include <functional>
#include <vector>

#include "ir/graph.h"
#include "ops/pointwise.h"

namespace tenon {

/// Values that a pattern's variables stand for.
using Bindings = std::array<Value*, 4>;

/// A shape of expression that a value may be the result of. Matching tries both orders of commutative operands and
/// all alternatives; on success the bindings hold what the variables stood for.
class Pattern {
 public:
  using Continuation = std::function<bool(Bindings&)>;
  using Matcher = std::function<bool(Value*, Bindings&, const Continuation&)>;
  explicit Pattern(Matcher matcher) : matcher_(std::move(matcher)) {}

  /// Matches `value`; then asks `next`, and tries other ways when that says no.
  bool Match(Value* value, Bindings& bindings, const Continuation& next) const {
    return matcher_(value, bindings, next);
  }
  bool Match(Value* value, Bindings& bindings) const {
    return Match(value, bindings, [](Bindings&) { return true; });
  }

 private:
  Matcher matcher_;
};

namespace pattern {

/// Variable i: any value; the same value at each place where it stands.
Pattern Var(size_t i);
/// A constant that holds `number` everywhere, to a relative 1e-6: exporters round 1/6 or sqrt(2) to FP32.
Pattern Number(double number);
/// A function; alpha and beta are not looked at.
Pattern Apply(UnaryKind kind, Pattern x);
/// Clip to [low, high], as a function or as Min and Max with constants.
Pattern Clip(Pattern x, double low, double high);
/// HardSigmoid with these parameters.
Pattern HardSigmoid(Pattern x, double alpha, double beta);
/// Commutative where the function is.
Pattern Apply(BinaryKind kind, Pattern a, Pattern b);
inline Pattern Add(Pattern a, Pattern b) { return Apply(BinaryKind::kAdd, std::move(a), std::move(b)); }
inline Pattern Mul(Pattern a, Pattern b) { return Apply(BinaryKind::kMul, std::move(a), std::move(b)); }
/// x * factor, also written as a division.
Pattern Scaled(Pattern x, double factor);
Pattern AnyOf(std::vector<Pattern> alternatives);
/// scale * a * b in any grouping and order.
Pattern ScaledProduct(Pattern a, Pattern b, double scale);

}  // namespace pattern
}  // namespace tenon
