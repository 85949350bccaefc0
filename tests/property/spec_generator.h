#pragma once
#include <rapidcheck.h>

#include <ostream>

#include "graph_spec.h"

namespace tenon::property {

/// Random descriptions, which shrink: fewer steps, smaller dimensions, plainer choices.
rc::Gen<GraphSpec> RandomGraphs();

/// Simpler descriptions than this one, the greatest steps first.
std::vector<GraphSpec> SimplerSpecs(const GraphSpec& spec);

/// The graph as text: what a failure prints, and what a regression test is made of.
void showValue(const GraphSpec& spec, std::ostream& out);

}  // namespace tenon::property
