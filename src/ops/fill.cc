#include "ops/fill.h"

#include <algorithm>
#include <cstring>

#include "ops/shape_rules.h"

namespace tenon {
namespace {

void CheckOneElement(std::string_view op, std::span<const InferInput> inputs, size_t i, int64_t count) {
  const Shape* shape = KnownShape(inputs, i);
  if (shape && ElemCount(*shape) != count) {
    ThrowInvalid("{}: operand {} has {} elements, expected {}", op, i, ElemCount(*shape), count);
  }
}

}  // namespace

void OneHot::VisitAttrs(AttrVisitor& visitor) { visitor.Int("axis", axis); }

std::vector<TensorType> OneHot::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 3, 3);
  CheckOneElement(kName, inputs, 1, 1);
  CheckOneElement(kName, inputs, 2, 2);
  const DType dtype = inputs[2].type->dtype;
  const Shape* indices = KnownShape(inputs, 0);
  if (!indices || !inputs[1].value) return {UnknownType(dtype)};
  const int64_t at = NormalizeAxis(kName, axis, static_cast<int64_t>(indices->size()) + 1);
  Shape shape = *indices;
  shape.insert(shape.begin() + at, inputs[1].value->AsInt(0));
  return {KnownType(kName, dtype, std::move(shape))};
}

std::vector<Tensor> OneHot::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const AxisSplit split = SplitAtAxis(outputs[0].shape(), NormalizeAxis(kName, axis, outputs[0].rank()));
  const Tensor indices = inputs[0].CastTo(DType::kInt64);
  DispatchWidth(SizeOf(outputs[0].dtype()), [&]<class T>() {
    const T* values = reinterpret_cast<const T*>(inputs[2].raw());
    T* out = reinterpret_cast<T*>(outputs[0].raw());
    std::fill_n(out, outputs[0].elems(), values[0]);
    for (int64_t i = 0; i < indices.elems(); ++i) {
      int64_t index = indices.data<int64_t>()[i];
      if (index < -split.size || index >= split.size) continue;
      if (index < 0) index += split.size;
      out[(i / split.inner * split.size + index) * split.inner + i % split.inner] = values[1];
    }
  });
  return outputs;
}

void Trilu::VisitAttrs(AttrVisitor& visitor) { visitor.Bool("upper", upper); }

std::vector<TensorType> Trilu::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 2);
  if (!IsAbsent(inputs, 1)) IntOperand(kName, inputs, 1);
  const Shape* x = KnownShape(inputs, 0);
  if (x && x->size() < 2) ThrowInvalid("Trilu: {} isn't a matrix", ToString(*x));
  return {*inputs[0].type};
}

std::vector<Tensor> Trilu::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor k_operand = OperandOrNull(inputs, 1);
  const Shape& shape = outputs[0].shape();
  const int64_t rows = shape[shape.size() - 2], cols = shape.back();
  const int64_t k = std::clamp(k_operand.is_null() ? 0 : k_operand.AsInt(0), -rows, cols);
  const int64_t elem_bytes = SizeOf(outputs[0].dtype());
  for (int64_t row = 0; cols > 0 && row < outputs[0].elems() / cols; ++row) {
    // Columns [first, last) stay.
    const int64_t diagonal = row % rows + k;
    const int64_t first = upper ? std::clamp<int64_t>(diagonal, 0, cols) : 0;
    const int64_t last = upper ? cols : std::clamp<int64_t>(diagonal + 1, 0, cols);
    const int64_t offset = (row * cols + first) * elem_bytes;
    std::memcpy(outputs[0].raw() + offset, inputs[0].raw() + offset, static_cast<size_t>((last - first) * elem_bytes));
  }
  return outputs;
}

void ReverseSequence::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("batch_axis", batch_axis);
  visitor.Int("time_axis", time_axis);
}

std::vector<TensorType> ReverseSequence::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  CheckDType(kName, inputs, 1, {DType::kInt64, DType::kInt32});
  if (std::min(batch_axis, time_axis) != 0 || std::max(batch_axis, time_axis) != 1) {
    ThrowInvalid("ReverseSequence: batch_axis {}, time_axis {}: must be 0 and 1", batch_axis, time_axis);
  }
  if (const Shape* x = KnownShape(inputs, 0)) {
    if (x->size() < 2) ThrowInvalid("ReverseSequence: {} has no two axes", ToString(*x));
    CheckShape(kName, inputs, 1, {(*x)[batch_axis]});
  }
  return {*inputs[0].type};
}

std::vector<Tensor> ReverseSequence::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Shape& shape = outputs[0].shape();
  const std::vector<int64_t> strides = ContiguousStrides(shape);
  const std::vector<int64_t> lengths = inputs[1].AsInts();
  const int64_t elem_bytes = SizeOf(outputs[0].dtype()), steps = shape[time_axis];
  const auto block_bytes = static_cast<size_t>(strides[1] * elem_bytes);
  for (int64_t batch = 0; batch < shape[batch_axis]; ++batch) {
    const int64_t length = lengths[batch];
    if (length < 0 || length > steps) ThrowInvalid("ReverseSequence: length {} of {} steps", length, steps);
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t from = step < length ? length - 1 - step : step;
      const int64_t base = batch * strides[batch_axis];
      std::memcpy(outputs[0].raw() + (base + step * strides[time_axis]) * elem_bytes,
                  inputs[0].raw() + (base + from * strides[time_axis]) * elem_bytes, block_bytes);
    }
  }
  return outputs;
}

}  // namespace tenon
