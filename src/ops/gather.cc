#include "ops/gather.h"

#include <cstring>

#include "ops/shape_rules.h"
#include "ops/strided.h"

namespace tenon {
namespace {

void CheckIndices(std::string_view op, std::span<const InferInput> inputs) {
  CheckOperandCount(op, inputs, 2, 2);
  CheckDType(op, inputs, 1, {DType::kInt64, DType::kInt32});
}

}  // namespace

int64_t CheckedIndex(std::string_view op, int64_t index, int64_t dim) {
  if (index < -dim || index >= dim) ThrowInvalid("{}: index {} is outside a dimension of {}", op, index, dim);
  return index < 0 ? index + dim : index;
}

void Gather::VisitAttrs(AttrVisitor& visitor) { visitor.Int("axis", axis); }

std::vector<TensorType> Gather::Infer(std::span<const InferInput> inputs) const {
  CheckIndices(kName, inputs);
  const Shape *x = KnownShape(inputs, 0), *indices = KnownShape(inputs, 1);
  if (!x || !indices) return {UnknownType(inputs[0].type->dtype)};
  const int64_t at = NormalizeAxis(kName, axis, static_cast<int64_t>(x->size()));
  Shape shape(x->begin(), x->begin() + at);
  shape.insert(shape.end(), indices->begin(), indices->end());
  shape.insert(shape.end(), x->begin() + at + 1, x->end());
  return {KnownType(kName, inputs[0].type->dtype, std::move(shape))};
}

std::vector<Tensor> Gather::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  const AxisSplit split = SplitAtAxis(x.shape(), NormalizeAxis(kName, axis, x.rank()));
  const std::vector<int64_t> indices = inputs[1].AsInts();
  const int64_t row_bytes = split.inner * SizeOf(x.dtype());
  std::byte* out = outputs[0].raw();
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    const std::byte* slab = x.raw() + outer * split.size * row_bytes;
    for (const int64_t index : indices) {
      std::memcpy(out, slab + CheckedIndex(kName, index, split.size) * row_bytes, static_cast<size_t>(row_bytes));
      out += row_bytes;
    }
  }
  return outputs;
}

void GatherElements::VisitAttrs(AttrVisitor& visitor) { visitor.Int("axis", axis); }

std::vector<TensorType> GatherElements::Infer(std::span<const InferInput> inputs) const {
  CheckIndices(kName, inputs);
  const DType dtype = inputs[0].type->dtype;
  const Shape *x = KnownShape(inputs, 0), *indices = KnownShape(inputs, 1);
  if (x && indices) {
    const int64_t at = NormalizeAxis(kName, axis, static_cast<int64_t>(x->size()));
    bool fits = x->size() == indices->size();
    for (int64_t i = 0; fits && i < static_cast<int64_t>(x->size()); ++i) fits = i == at || (*indices)[i] <= (*x)[i];
    if (!fits)
      ThrowInvalid(
          {.what = "GatherElements: bad indices", .got = ToString(*indices), .expected = "within " + ToString(*x)});
  }
  return {indices ? KnownType(kName, dtype, *indices) : UnknownType(dtype)};
}

std::vector<Tensor> GatherElements::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  const int64_t at = NormalizeAxis(kName, axis, x.rank());
  std::vector<int64_t> strides = ContiguousStrides(x.shape());
  const int64_t axis_stride = std::exchange(strides[at], 0);
  const std::vector<int64_t> indices = inputs[1].AsInts();
  GridWalker walker(inputs[1].shape(), strides);
  DispatchWidth(SizeOf(x.dtype()), [&]<class T>() {
    const T* from = reinterpret_cast<const T*>(x.raw());
    T* to = reinterpret_cast<T*>(outputs[0].raw());
    for (const int64_t index : indices) {
      *to++ = from[walker.offset() + CheckedIndex(kName, index, x.shape()[at]) * axis_stride];
      walker.Next();
    }
  });
  return outputs;
}

void GatherND::VisitAttrs(AttrVisitor& visitor) { visitor.Int("batch_dims", batch_dims); }

std::vector<TensorType> GatherND::Infer(std::span<const InferInput> inputs) const {
  CheckIndices(kName, inputs);
  const DType dtype = inputs[0].type->dtype;
  const Shape *x = KnownShape(inputs, 0), *indices = KnownShape(inputs, 1);
  if (!x || !indices) return {UnknownType(dtype)};
  const auto x_rank = static_cast<int64_t>(x->size()), indices_rank = static_cast<int64_t>(indices->size());
  if (batch_dims < 0 || batch_dims >= indices_rank || batch_dims > x_rank) {
    ThrowInvalid("GatherND: batch_dims {} for {} and {}", batch_dims, ToString(*x), ToString(*indices));
  }
  const int64_t depth = indices->back();
  if (depth > x_rank - batch_dims || !std::equal(x->begin(), x->begin() + batch_dims, indices->begin())) {
    ThrowInvalid(
        {.what = "GatherND: indices don't fit", .got = ToString(*indices), .expected = "indices into " + ToString(*x)});
  }
  Shape shape(indices->begin(), indices->end() - 1);
  shape.insert(shape.end(), x->begin() + batch_dims + depth, x->end());
  return {KnownType(kName, dtype, std::move(shape))};
}

std::vector<Tensor> GatherND::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  const Shape& shape = inputs[1].shape();
  const int64_t depth = shape.back();
  const std::vector<int64_t> strides = ContiguousStrides(x.shape());
  const std::vector<int64_t> indices = inputs[1].AsInts();
  const int64_t elem_bytes = SizeOf(x.dtype());
  int64_t row = 1, batches = 1;
  for (size_t i = batch_dims + depth; i < x.shape().size(); ++i) row *= x.shape()[i];
  for (int64_t i = 0; i < batch_dims; ++i) batches *= shape[i];
  if (outputs[0].elems() == 0) return outputs;
  const int64_t rows = outputs[0].elems() / row, rows_per_batch = rows / batches, batch_stride = x.elems() / batches;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t offset = r / rows_per_batch * batch_stride;
    for (int64_t d = 0; d < depth; ++d) {
      offset += CheckedIndex(kName, indices[r * depth + d], x.shape()[batch_dims + d]) * strides[batch_dims + d];
    }
    std::memcpy(outputs[0].raw() + r * row * elem_bytes, x.raw() + offset * elem_bytes,
                static_cast<size_t>(row * elem_bytes));
  }
  return outputs;
}

}  // namespace tenon
