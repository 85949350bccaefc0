#pragma once
#include <optional>
#include <span>

#include "ir/op.h"

namespace tenon {

/// The outputs of an op whose values follow from what inference knows: Shape and Size of a value with a static shape,
/// and any op whose operands are all constant. Nullopt where they don't, or where they would take more than
/// `max_bytes` together. Throws Error(kInvalidInput) when the operands don't fit.
std::optional<std::vector<Tensor>> Fold(const Op& op, std::span<const InferInput> inputs, int64_t max_bytes);

}  // namespace tenon
