#pragma once
#include "onnx/converter.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"

namespace tenon {

// Shorthands of the converters for the ops that they decompose others into.

/// A scalar constant; integers wrap as Tensor::CastTo does.
Value* EmitScalar(ConvertContext& ctx, DType dtype, double value);
Value* EmitUnary(ConvertContext& ctx, UnaryKind kind, Value* x, float alpha = 0, float beta = 0);
Value* EmitBinary(ConvertContext& ctx, BinaryKind kind, Value* a, Value* b);
/// Keeps the reduced dimensions.
Value* EmitReduce(ConvertContext& ctx, ReduceKind kind, Value* x, const std::vector<int64_t>& axes);
/// x itself where it has that type already.
Value* EmitCast(ConvertContext& ctx, Value* x, DType to);
/// 8-bit integers minus their zero point (may be null) in f32, for ConvInteger and MatMulInteger: the float kernels'
/// sums of such products are exact to 2^24, where the conversion to float that follows these ops rounds anyway.
Value* EmitCentred(ConvertContext& ctx, Value* x, Value* zero_point);
/// A zero point of one element in the shape that its scale has: ONNX Runtime's tools write [1] for one and [] for the
/// other. Others, and null, as they are.
Value* EmitZeroPoint(ConvertContext& ctx, Value* zero_point, const Value* scale);
/// Q and DQ with one scale for the tensor, or one per index of `axis`. EmitQuantize gives `to` where zero_point is
/// null.
Value* EmitDequantize(ConvertContext& ctx, Value* x, Value* scale, Value* zero_point, int64_t axis = 1);
Value* EmitQuantize(ConvertContext& ctx, Value* x, Value* scale, Value* zero_point, DType to = DType::kUInt8);
Value* EmitReshape(ConvertContext& ctx, Value* x, const Shape& shape);
Value* EmitTranspose(ConvertContext& ctx, Value* x, std::vector<int64_t> perm);

/// The static shape of operand i (which must be present); Unsupported without one.
const Shape& StaticShape(const ConvertContext& ctx, size_t i);
/// first, first + 1, ... rank - 1.
std::vector<int64_t> AxesFrom(int64_t first, int64_t rank);
/// The Tenon type of an ONNX type number; Unsupported where there is none.
DType DTypeAttr(const ConvertContext& ctx, int64_t onnx_type);

}  // namespace tenon
