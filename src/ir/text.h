#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace tenon {

/// Text form of a graph; printing and parsing round-trip exactly. Grammar, by example:
///
///   graph "yolo" {
///     meta "task" "detect"
///     input %images: f32[1,3,8,8]
///     const %w: f32[4,3,1,1] = [0.5, -1, ...]        values, or splat(0.5), random(7), external(2)
///     %y: f32[1,4,8,8] = Conv(%images, %w, _) {strides=[1,1]} name "/m/conv" sources ["/m/conv", "/m/bn"]
///     %a, _, %c = Split(%y) {axis=1}                 `_`: an absent input or an unused output
///     output %y "output0"
///   }
///
/// Types of node outputs may be left out when parsing: they are inferred. `# ...` is a comment.
struct PrintOptions {
  /// Constants with more elements go to this table and print as external(index); null: all values are printed.
  std::vector<Tensor>* externals = nullptr;
  int64_t max_inline_elems = 16;
  /// For people: long constants print as `...` and no longer parse.
  bool elide_constants = false;
};
std::string Print(const Graph& graph, const PrintOptions& options = {});

/// An op's attributes that differ from their defaults, `{strides=[2,2]}`, or "" when none does. Equal texts, equal ops.
std::string PrintAttrs(const Op& op);

/// Throws Error(kInvalidInput) with line number when the text is malformed, an op unknown or a type wrong.
std::unique_ptr<Graph> Parse(std::string_view text, OpFactory factory, const std::vector<Tensor>& externals = {});
/// Sets the op's attributes from the form of PrintAttrs.
void ParseAttrs(Op& op, std::string_view text, OpFactory factory);

}  // namespace tenon
