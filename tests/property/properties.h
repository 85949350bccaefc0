#pragma once
#include <string>

#include "ir/graph.h"

namespace tenon::property {

/// What must hold for every graph: passes keep its meaning, its text is the graph, the CPU backend agrees with the
/// reference (any number of threads, any tactic: the same bits), an engine file gives the same bytes, half is close.
/// `graph` comes from BuildGraph or from its text. Returns what doesn't hold, or nothing.
std::string WhatFails(const Graph& graph);

/// WhatFails of a graph's text.
std::string WhatFails(const char* text);

}  // namespace tenon::property
