#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace tenon {

/// A number per channel of a value that something makes; nothing where it makes none.
using NumbersOfMaker = std::function<std::optional<std::vector<double>>(const Value& made)>;

/// Those numbers for the channels of `value`, N x C x ..., through ops that keep channels whole: Concat and Split of
/// channels, max pools, nearest resizes. Channels of other makers have 1.
std::vector<double> TraceChannels(const Value& value, const NumbersOfMaker& of);

}  // namespace tenon
