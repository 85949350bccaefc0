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

}  // namespace tenon::cpu
