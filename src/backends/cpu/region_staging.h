#pragma once
#include <cstddef>
#include <cstdint>

#include "ir/types.h"

namespace tenon::cpu {

// Copies between strided memory of any type and the dense blocks that region programs compute on: floats (every float
// type; for generated code also integers and bools, as numbers) or int64 (integers and bools, for the interpreter).

void StageFloats(DType dtype, const std::byte* from, int64_t stride, int64_t count, float* to);
void StageInts(DType dtype, const std::byte* from, int64_t stride, int64_t count, int64_t* to);
void UnstageFloats(DType dtype, const float* from, int64_t count, std::byte* to, int64_t stride);
void UnstageInts(DType dtype, const int64_t* from, int64_t count, std::byte* to, int64_t stride);

}  // namespace tenon::cpu
