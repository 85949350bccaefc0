#pragma once
#include <array>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "ir/op.h"

namespace tenon {

// Operand checks that the ops share. All throw Error(kInvalidInput) naming the op.

/// What Infer gives for these tensors: Evaluate calls it first, so that whatever Infer checks holds and the output
/// shapes are known (an op whose output shape depends on data gets it without one).
std::vector<TensorType> InferTensors(const Op& op, std::span<const Tensor> inputs);

/// The number of operands is within [min, max] and the first `min` are present.
void CheckOperandCount(std::string_view op, std::span<const InferInput> inputs, size_t min, size_t max);

/// Operand i is absent (beyond the end or null).
inline bool IsAbsent(std::span<const InferInput> inputs, size_t i) { return i >= inputs.size() || !inputs[i].type; }

/// Operand i of an Evaluate; the null tensor when absent.
inline Tensor OperandOrNull(std::span<const Tensor> inputs, size_t i) {
  return i < inputs.size() ? inputs[i] : Tensor();
}

/// The type of operand i is one of `allowed`.
void CheckDType(std::string_view op, std::span<const InferInput> inputs, size_t i,
                std::initializer_list<DType> allowed);
void CheckFloat(std::string_view op, std::span<const InferInput> inputs, size_t i);
/// Operand i has the type of operand 0.
void CheckSameDType(std::string_view op, std::span<const InferInput> inputs, size_t i);
/// Operand i, where present with a known shape, has exactly this shape.
void CheckShape(std::string_view op, std::span<const InferInput> inputs, size_t i, const Shape& expected);

/// `axis` in [-rank, rank) made non-negative.
int64_t NormalizeAxis(std::string_view op, int64_t axis, int64_t rank);

/// Strides that walk a row-major tensor of `shape` over the broadcast shape `out`: 0 along broadcast dimensions.
/// `shape` must broadcast to `out`.
std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& out);

/// One broadcast walk over `out` with N operands: adjacent dimensions that every operand walks evenly are merged, so
/// that equal shapes are one row.
template <size_t N>
struct BroadcastRows {
  Shape dims;                                   ///< of the outer dimensions
  std::array<std::vector<int64_t>, N> strides;  ///< per operand, of the outer dimensions
  int64_t row = 1;                              ///< elements of the innermost dimension
  std::array<int64_t, N> row_strides{};         ///< 0 or 1 for row-major operands, else any

  BroadcastRows(const Shape& out, const std::array<Shape, N>& shapes) {
    for (size_t k = 0; k < N; ++k) strides[k] = BroadcastStrides(shapes[k], out);
    dims = out;
    while (!dims.empty() && TryMergeInnermost()) {
    }
  }

  /// Calls f(first output element of the row, offsets of the operands' elements there).
  template <class F>
  void ForEach(F&& f) const {
    const int64_t rows = ElemCount(dims);
    std::vector<int64_t> index(dims.size(), 0);
    std::array<int64_t, N> offsets{};
    for (int64_t r = 0; r < rows && row > 0; ++r) {
      f(r * row, offsets);
      for (size_t d = dims.size(); d-- > 0;) {
        for (size_t k = 0; k < N; ++k) offsets[k] += strides[k][d];
        if (++index[d] < dims[d]) break;
        for (size_t k = 0; k < N; ++k) offsets[k] -= strides[k][d] * dims[d];
        index[d] = 0;
      }
    }
  }

 private:
  bool TryMergeInnermost() {
    if (dims.back() != 1) {
      for (size_t k = 0; k < N && row != 1; ++k) {
        if (strides[k].back() != row_strides[k] * row) return false;
      }
      for (size_t k = 0; k < N && row == 1; ++k) row_strides[k] = strides[k].back();
      row *= dims.back();
    }
    dims.pop_back();
    for (auto& stride : strides) stride.pop_back();
    return true;
  }
};

/// A tensor seen as [outer, axis, inner]: how most reductions and normalisations walk one axis.
struct AxisSplit {
  int64_t outer = 1, size = 1, inner = 1;
};
/// Dimensions before `axis`, at it, and after it; `axis` in [0, rank).
AxisSplit SplitAtAxis(const Shape& shape, int64_t axis);

/// All elements as double (floats of every width; integers beyond 2^53 round).
std::vector<double> ToDoubles(const Tensor& tensor);
/// The tensor of that type; floats round to nearest even.
Tensor FromDoubles(const std::vector<double>& values, DType dtype, const Shape& shape);

}  // namespace tenon
