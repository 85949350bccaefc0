#pragma once
#include <optional>

#include "ir/graph.h"
#include "ops/quantization.h"

namespace tenon {

// What the quantisation passes share: QuantizeLinear and DequantizeLinear nodes with one constant scale per tensor.

/// An 8-bit type and its mapping to real numbers.
struct QuantizedType {
  DType dtype = DType::kUInt8;
  AffineScale affine;
  bool operator==(const QuantizedType&) const = default;
};

/// What a Quantize- or DequantizeLinear node quantises to or from: one constant, positive, finite FP32 scale for the
/// whole tensor, u8 or i8. Nothing for other nodes and null.
std::optional<QuantizedType> QuantizedTypeOf(const Node* node);

/// The type of the value before its DequantizeLinear to FP32, nothing when it has none such for a producer.
std::optional<QuantizedType> DequantizedFrom(const Value* value);

/// Adds QuantizeLinear / DequantizeLinear (to FP32) of this type before `before`; gives its result.
Value* AddQuantize(Graph& graph, Value* value, const QuantizedType& type, const Node* before);
Value* AddDequantize(Graph& graph, Value* value, const QuantizedType& type, const Node* before);

/// The op selects or moves elements of operand 0 (of all operands, for Concat), or picks maxima of them: it commutes
/// with any increasing function. Constant padding is not among them.
bool CommutesWithQuantization(const Node& node);

/// The value is FP32 that was stored in 8 bits before, perhaps moved since.
bool IsDequantized(const Value* value);

}  // namespace tenon
