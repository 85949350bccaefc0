#pragma once
#include <optional>

#include "ir/graph.h"
#include "ops/epilogue.h"

namespace tenon {

// Conv, ConvTranspose and MatMul as one thing: operands x, weights, bias, residual, weight scales (INT8 alone),
// factors (of what a Conv stores in 8 bits), and an epilogue.

inline constexpr size_t kWeightsOperand = 1, kBiasOperand = 2, kResidualOperand = 3, kWeightScaleOperand = 4,
                        kFactorOperand = 5;

/// The epilogue of a Conv, ConvTranspose or MatMul; null for another op.
Epilogue* EpilogueOf(Op& op);
const Epilogue* EpilogueOf(const Op& op);

/// Output channels run along this axis of the output.
int64_t ChannelAxis(const Node& node);
/// Output channels; the node's output must have a static shape.
int64_t ChannelCount(const Node& node);

/// Nothing happens between the sums and the store but the bias.
bool HasPlainEpilogue(const Node& node);

/// One number per index of `axis`, from a constant that varies along that axis alone when broadcast to `shape`; nothing
/// for other values.
std::optional<std::vector<double>> PerChannelValues(const Value* value, const Shape& shape, int64_t axis);

/// Operands, padded with nulls at least up to the residual.
std::vector<Value*> PaddedOperands(const Node& node);

}  // namespace tenon
