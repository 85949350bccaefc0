#include "backends/strided.h"

#include <cstring>

namespace tenon {
namespace {

/// Calls visit(dense element index, byte offset of the strided element) for the first element of each innermost row.
template <class F>
void ForEachRow(const KernelOperand& operand, F&& visit) {
  const size_t rank = operand.shape.size();
  const int64_t count = ElemCount(operand.shape);
  const int64_t row = rank == 0 ? 1 : operand.shape[rank - 1];
  std::vector<int64_t> index(rank, 0);
  int64_t offset = 0;
  for (int64_t element = 0; element < count; element += row) {
    visit(element, offset);
    for (size_t d = rank - 1; rank > 1 && d-- > 0;) {
      offset += operand.strides_bytes[d];
      if (++index[d] < operand.shape[d]) break;
      offset -= index[d] * operand.strides_bytes[d];
      index[d] = 0;
    }
  }
}

struct Rows {
  int64_t elems, stride, size;
  explicit Rows(const KernelOperand& operand)
      : elems(operand.shape.empty() ? 1 : operand.shape.back()),
        stride(operand.shape.empty() ? 0 : operand.strides_bytes.back()),
        size(SizeOf(operand.dtype)) {}
};

}  // namespace

Tensor GatherOperand(const KernelOperand& operand, const std::byte* data) {
  Tensor tensor(operand.dtype, operand.shape);
  const Rows rows(operand);
  ForEachRow(operand, [&](int64_t element, int64_t offset) {
    std::byte* out = tensor.raw() + element * rows.size;
    if (rows.stride == rows.size) {
      std::memcpy(out, data + offset, static_cast<size_t>(rows.elems * rows.size));
      return;
    }
    for (int64_t i = 0; i < rows.elems; ++i)
      std::memcpy(out + i * rows.size, data + offset + i * rows.stride, static_cast<size_t>(rows.size));
  });
  return tensor;
}

void ScatterOperand(const Tensor& tensor, const KernelOperand& operand, std::byte* data) {
  TENON_CHECK(tensor.dtype() == operand.dtype && tensor.shape() == operand.shape, "{} into {}", ToString(tensor.type()),
              ToString(operand.shape));
  const Rows rows(operand);
  ForEachRow(operand, [&](int64_t element, int64_t offset) {
    const std::byte* in = tensor.raw() + element * rows.size;
    if (rows.stride == rows.size) {
      std::memcpy(data + offset, in, static_cast<size_t>(rows.elems * rows.size));
      return;
    }
    for (int64_t i = 0; i < rows.elems; ++i)
      std::memcpy(data + offset + i * rows.stride, in + i * rows.size, static_cast<size_t>(rows.size));
  });
}

}  // namespace tenon
