#include "ops/pointwise.h"

#include "ops/operands.h"

namespace tenon {

std::vector<TensorType> Where::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 3, 3);
  CheckDType(kName, inputs, 0, {DType::kBool});
  CheckDType(kName, inputs, 2, {inputs[1].type->dtype});
  TensorType out{inputs[1].type->dtype, std::nullopt};
  if (inputs[0].type->shape && inputs[1].type->shape && inputs[2].type->shape) {
    out.shape =
        BroadcastShapes(*inputs[0].type->shape, BroadcastShapes(*inputs[1].type->shape, *inputs[2].type->shape));
  }
  return {out};
}

std::vector<Tensor> Where::Evaluate(std::span<const Tensor> inputs) const {
  const TensorType type = InferTensors(*this, inputs)[0];
  Tensor y(type.dtype, *type.shape);
  const BroadcastRows<3> rows(*type.shape, {inputs[0].shape(), inputs[1].shape(), inputs[2].shape()});
  const int64_t c_step = rows.row_strides[0], a_step = rows.row_strides[1], b_step = rows.row_strides[2];
  const bool* condition = inputs[0].data<bool>();
  DispatchDType(type.dtype, [&]<class T>() {
    const T* a = inputs[1].data<T>();
    const T* b = inputs[2].data<T>();
    T* out = y.data<T>();
    rows.ForEach([&](int64_t at, const std::array<int64_t, 3>& offsets) {
      for (int64_t i = 0; i < rows.row; ++i) {
        out[at + i] = condition[offsets[0] + i * c_step] ? a[offsets[1] + i * a_step] : b[offsets[2] + i * b_step];
      }
    });
  });
  return {y};
}

void Cast::VisitAttrs(AttrVisitor& visitor) { visitor.Type("to", to); }

std::vector<TensorType> Cast::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  return {{to, inputs[0].type->shape}};
}

std::vector<Tensor> Cast::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  return {inputs[0].CastTo(to)};
}

}  // namespace tenon
