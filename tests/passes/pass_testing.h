#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"

namespace tenon {

using PassFunction = bool (*)(Graph&, const PassContext&);

std::unique_ptr<Graph> ParseGraph(const std::string& text);

/// The graph without names: operands by where they are made, constants by value (to 6 digits). Equal texts, equal
/// graphs up to names.
std::string Canonical(const Graph& graph);

/// Runs the pass on `before`: it must say that it changed the graph, give a graph that verifies and equals `after`,
/// change nothing the second time, and leave the results on random inputs within `tolerance` (relative to 1 + |x|).
void ExpectRewrite(PassFunction pass, const std::string& before, const std::string& after, double tolerance = 0,
                   const PassContext& context = {});

/// Runs the pass: it must say and leave the graph unchanged.
void ExpectUnchanged(PassFunction pass, const std::string& text, const PassContext& context = {});

/// Both graphs on the same random inputs (uniform in [-2, 2), u8 in [0, 255)).
void ExpectSameResults(const Graph& before, const Graph& after, double tolerance);

}  // namespace tenon
