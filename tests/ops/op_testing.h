#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "ir/op.h"
#include "ops/operands.h"

namespace tenon {

inline Tensor Floats(Shape shape, const std::vector<float>& values) {
  return Tensor::Of<float>(std::move(shape), values);
}
inline Tensor Longs(Shape shape, const std::vector<int64_t>& values) {
  return Tensor::Of<int64_t>(std::move(shape), values);
}

/// 1-D i64 tensor: axes, shapes, pads.
inline Tensor Ints(const std::vector<int64_t>& values) { return Longs({static_cast<int64_t>(values.size())}, values); }

/// f32 tensor of the shape with elements 0, 1, 2, ...
inline Tensor Iota(Shape shape) {
  std::vector<float> values(static_cast<size_t>(ElemCount(shape)));
  std::iota(values.begin(), values.end(), 0.0f);
  return Floats(std::move(shape), values);
}

inline std::vector<double> Doubles(const Tensor& tensor) { return ToDoubles(tensor); }

/// The first output of an evaluation, after checking that all outputs have the types that Infer promises.
inline Tensor Eval(const Op& op, const std::vector<Tensor>& inputs) {
  const std::vector<TensorType> types = InferTensors(op, inputs);
  const std::vector<Tensor> outputs = op.Evaluate(inputs);
  EXPECT_EQ(types.size(), outputs.size()) << op.name();
  for (size_t i = 0; i < std::min(types.size(), outputs.size()); ++i) {
    EXPECT_EQ(outputs[i].dtype(), types[i].dtype) << op.name();
    EXPECT_EQ(outputs[i].shape(), types[i].shape.value_or(outputs[i].shape())) << op.name();
  }
  return outputs.at(0);
}

/// The type that Infer gives the first output when no operand's elements are known.
inline TensorType InferWithoutValues(const Op& op, const std::vector<Tensor>& inputs) {
  std::vector<TensorType> types;
  for (const Tensor& input : inputs) types.push_back(input.is_null() ? TensorType{} : input.type());
  std::vector<InferInput> known;
  for (size_t i = 0; i < inputs.size(); ++i) known.push_back({inputs[i].is_null() ? nullptr : &types[i], nullptr});
  return op.Infer(known)[0];
}

/// Same type and shape, elements equal to within `tolerance` (NaN equals NaN).
inline void ExpectTensor(const Tensor& actual, const Tensor& expected, double tolerance = 0) {
  ASSERT_EQ(ToString(actual.type()), ToString(expected.type()));
  for (int64_t i = 0; i < actual.elems(); ++i) {
    const double a = actual.AsDouble(i), e = expected.AsDouble(i);
    if (std::isnan(e) && std::isnan(a)) continue;
    if (a == e) continue;  // infinities too
    ASSERT_LE(std::abs(a - e), tolerance) << "element " << i << ": " << a << ", expected " << e;
  }
}

/// Evaluation refuses the operands as the user's fault.
inline void ExpectRefused(const Op& op, const std::vector<Tensor>& inputs) {
  try {
    op.Evaluate(inputs);
    ADD_FAILURE() << op.name() << " took wrong operands";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << error.what();
  }
}

}  // namespace tenon
