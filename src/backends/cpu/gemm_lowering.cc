#include "backends/cpu/gemm_lowering.h"

namespace tenon::cpu {
namespace {

/// Byte offset of every matrix of the broadcast batch.
std::vector<int64_t> BatchOffsets(const KernelOperand& operand, const Shape& batch) {
  std::vector<int64_t> offsets(ElemCount(batch), 0);
  const int rank = static_cast<int>(batch.size()), own = static_cast<int>(operand.shape.size()) - 2;
  int64_t repeat = 1;
  for (int d = rank - 1, axis = own - 1; d >= 0; --d, --axis) {
    const int64_t stride = axis >= 0 && operand.shape[axis] != 1 ? operand.strides_bytes[axis] : 0;
    for (size_t i = 0; i < offsets.size(); ++i) offsets[i] += static_cast<int64_t>(i) / repeat % batch[d] * stride;
    repeat *= batch[d];
  }
  return offsets;
}

}  // namespace

GemmOperand MatricesOf(const KernelOperand& operand, const Shape& batch) {
  const size_t rank = operand.shape.size();
  return {operand.dtype, operand.strides_bytes[rank - 2], operand.strides_bytes[rank - 1],
          BatchOffsets(operand, batch)};
}

bool MatrixFits(const KernelOperand& operand, const Shape& batch, int64_t rows, int64_t columns) {
  const size_t rank = operand.shape.size();
  if (rank < 2 || rank - 2 > batch.size() || operand.strides_bytes.size() != rank) return false;
  if (operand.shape[rank - 2] != rows || operand.shape[rank - 1] != columns) return false;
  const size_t missing = batch.size() - (rank - 2);
  for (size_t d = 0; d + 2 < rank; ++d) {
    if (operand.shape[d] != 1 && operand.shape[d] != batch[missing + d]) return false;
  }
  return true;
}

}  // namespace tenon::cpu
