#include "ops/shape.h"

#include <algorithm>
#include <cmath>

#include "ops/shape_rules.h"

namespace tenon {
namespace {

/// Python's reading of a slice bound.
int64_t ClampBound(int64_t bound, int64_t rank) {
  return std::clamp<int64_t>(bound < 0 ? bound + rank : bound, 0, rank);
}

template <class T>
int64_t RangeCount(const Tensor& start, const Tensor& limit, const Tensor& delta) {
  const T from = start.data<T>()[0], to = limit.data<T>()[0], step = delta.data<T>()[0];
  if (step == T(0)) ThrowInvalid("Range: delta is 0");
  if constexpr (std::is_integral_v<T>) {
    const __int128 span = step > 0 ? __int128{to} - from : __int128{from} - to;
    const __int128 stride = step > 0 ? __int128{step} : -__int128{step};
    return span <= 0 ? 0 : static_cast<int64_t>(std::min<__int128>((span + stride - 1) / stride, INT64_MAX));
  } else {
    const double count = std::ceil((static_cast<double>(to) - static_cast<double>(from)) / static_cast<double>(step));
    if (!(count > 0)) return 0;
    return count > static_cast<double>(kMaxTensorBytes) ? INT64_MAX : static_cast<int64_t>(count);
  }
}

/// Calls f with the element type; the types that ONNX lists for Range, less the 16-bit integer.
template <class F>
decltype(auto) DispatchRange(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kInt32:
      return f.template operator()<int32_t>();
    case DType::kInt64:
      return f.template operator()<int64_t>();
    case DType::kFloat64:
      return f.template operator()<double>();
    default:
      return f.template operator()<float>();
  }
}

/// Range in the types it is computed in: 16-bit floats are computed in FP32.
std::vector<Tensor> RangeOperands(std::span<const Tensor> inputs) {
  std::vector<Tensor> operands;
  for (const Tensor& input : inputs) {
    const bool narrow = input.dtype() == DType::kFloat16 || input.dtype() == DType::kBFloat16;
    operands.push_back(narrow ? input.CastTo(DType::kFloat32) : input);
  }
  return operands;
}

}  // namespace

void ShapeOf::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("start", start);
  visitor.Int("end", end);
}

Tensor ShapeOf::Value(const Shape& shape) const {
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t first = ClampBound(start, rank), last = std::max(first, ClampBound(end, rank));
  const std::vector<int64_t> dims(shape.begin() + first, shape.begin() + last);
  return Tensor::Of<int64_t>({last - first}, dims);
}

std::vector<TensorType> ShapeOf::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  const Shape* shape = KnownShape(inputs, 0);
  return {shape ? Value(*shape).type() : UnknownType(DType::kInt64)};
}

std::vector<Tensor> ShapeOf::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  return {Value(inputs[0].shape())};
}

std::vector<TensorType> Size::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  return {{DType::kInt64, Shape{}}};
}

std::vector<Tensor> Size::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  return {Tensor::Scalar<int64_t>(inputs[0].elems())};
}

Shape SqueezedShape(const Shape& shape, const std::optional<std::vector<int64_t>>& axes) {
  std::vector<int64_t> dropped;
  if (axes) dropped = NormalizeAxes(Squeeze::kName, *axes, static_cast<int64_t>(shape.size()));
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool listed = std::find(dropped.begin(), dropped.end(), static_cast<int64_t>(i)) != dropped.end();
    if (listed && shape[i] != 1) ThrowInvalid("Squeeze: dimension {} of {} isn't 1", i, ToString(shape));
    if (axes ? !listed : shape[i] != 1) result.push_back(shape[i]);
  }
  return result;
}

Shape UnsqueezedShape(const Shape& shape, const std::vector<int64_t>& axes) {
  if (shape.size() + axes.size() > kMaxRank) ThrowInvalid("Unsqueeze: {} axes are too many", axes.size());
  const size_t rank = shape.size() + axes.size();
  Shape result(rank, 0);
  for (const int64_t axis : NormalizeAxes(Unsqueeze::kName, axes, static_cast<int64_t>(rank))) result[axis] = -1;
  auto next = shape.begin();
  for (int64_t& dim : result) dim = dim == -1 ? 1 : *next++;
  return result;
}

std::vector<TensorType> Squeeze::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 2);
  const DType dtype = inputs[0].type->dtype;
  const bool has_axes = !IsAbsent(inputs, 1);
  const auto axes = has_axes ? IntsOperand(kName, inputs, 1) : std::nullopt;
  if (!KnownShape(inputs, 0) || (has_axes && !axes)) return {UnknownType(dtype)};
  return {KnownType(kName, dtype, SqueezedShape(*KnownShape(inputs, 0), axes))};
}

std::vector<Tensor> Squeeze::Evaluate(std::span<const Tensor> inputs) const {
  return {inputs[0].Reshaped(*InferTensors(*this, inputs)[0].shape)};
}

std::vector<TensorType> Unsqueeze::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  const DType dtype = inputs[0].type->dtype;
  const auto axes = IntsOperand(kName, inputs, 1);
  if (!axes || !KnownShape(inputs, 0)) return {UnknownType(dtype)};
  return {KnownType(kName, dtype, UnsqueezedShape(*KnownShape(inputs, 0), *axes))};
}

std::vector<Tensor> Unsqueeze::Evaluate(std::span<const Tensor> inputs) const {
  return {inputs[0].Reshaped(*InferTensors(*this, inputs)[0].shape)};
}

std::vector<TensorType> Range::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 3, 3);
  CheckDType(kName, inputs, 0,
             {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt32, DType::kInt64});
  std::vector<Tensor> operands;
  for (size_t i = 0; i < 3; ++i) {
    CheckSameDType(kName, inputs, i);
    const Shape* shape = KnownShape(inputs, i);
    if (shape && (shape->size() > 1 || ElemCount(*shape) != 1)) ThrowInvalid("Range: operand {} isn't a scalar", i);
    if (inputs[i].value) operands.push_back(*inputs[i].value);
  }
  const DType dtype = inputs[0].type->dtype;
  if (operands.size() < 3) return {UnknownType(dtype)};
  operands = RangeOperands(operands);
  const int64_t count = DispatchRange(operands[0].dtype(),
                                      [&]<class T>() { return RangeCount<T>(operands[0], operands[1], operands[2]); });
  return {KnownType(kName, dtype, {count})};
}

std::vector<Tensor> Range::Evaluate(std::span<const Tensor> inputs) const {
  const Shape shape = *InferTensors(*this, inputs)[0].shape;
  const std::vector<Tensor> operands = RangeOperands(inputs);
  Tensor y(operands[0].dtype(), shape);
  DispatchRange(operands[0].dtype(), [&]<class T>() {
    const T start = operands[0].data<T>()[0], delta = operands[2].data<T>()[0];
    T* out = y.data<T>();
    for (int64_t i = 0; i < y.elems(); ++i) {
      if constexpr (std::is_integral_v<T>) {
        // Unsigned: the product may pass T's range although the element lies between start and limit.
        out[i] = static_cast<T>(static_cast<uint64_t>(start) + static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
      } else {
        out[i] = start + static_cast<T>(i) * delta;
      }
    }
  });
  return {y.CastTo(inputs[0].dtype())};
}

void EyeLike::VisitAttrs(AttrVisitor& visitor) {
  visitor.Type("dtype", dtype);
  visitor.Int("k", k);
}

std::vector<TensorType> EyeLike::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  const Shape* shape = KnownShape(inputs, 0);
  if (!shape) return {UnknownType(dtype)};
  if (shape->size() != 2) ThrowInvalid("EyeLike: {} isn't a matrix", ToString(*shape));
  return {KnownType(kName, dtype, *shape)};
}

std::vector<Tensor> EyeLike::Evaluate(std::span<const Tensor> inputs) const {
  Tensor y = AllocateOutputs(*this, inputs)[0];
  const int64_t rows = y.shape()[0], cols = y.shape()[1];
  if (k <= -rows || k >= cols) return {y};
  DispatchDType(dtype, [&]<class T>() {
    for (int64_t row = std::max<int64_t>(0, -k); row < rows && row + k < cols; ++row)
      y.data<T>()[row * cols + row + k] = T(1);
  });
  return {y};
}

}  // namespace tenon
