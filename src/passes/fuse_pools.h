#pragma once
#include "passes/pass.h"

namespace tenon {

/// Max pools of stride 1 that keep the size and feed one another, all alike (SPPF), become one Pool of several stages.
/// Precondition: static shapes. Postcondition: where context.joins_pools, no two such pools follow each other. Why
/// here: last; the other passes know one output per Pool. Numeric effect: exact.
bool FusePools(Graph& graph, const PassContext& context);

}  // namespace tenon
