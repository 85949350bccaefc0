#pragma once
#include "backends/cpu/batched_gemm.h"
#include "backends/kernel.h"

namespace tenon::cpu {

/// More matrices than this in a batch are left to others: their offsets are tables.
inline constexpr int64_t kMostBatches = 1 << 20;

/// The matrices of an operand of rank 2 or more, broadcast to the dimensions `batch`.
GemmOperand MatricesOf(const KernelOperand& operand, const Shape& batch);

/// Whether the operand's matrices are rows x columns and broadcast to the batch.
bool MatrixFits(const KernelOperand& operand, const Shape& batch, int64_t rows, int64_t columns);

}  // namespace tenon::cpu
