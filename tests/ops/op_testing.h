#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "ir/op.h"

namespace tenon {

inline Tensor Floats(Shape shape, const std::vector<float>& values) { return Tensor::Of<float>(std::move(shape), values); }
inline Tensor Longs(Shape shape, const std::vector<int64_t>& values) { return Tensor::Of<int64_t>(std::move(shape), values); }

/// The first output of an evaluation.
inline Tensor Eval(const Op& op, const std::vector<Tensor>& inputs) { return op.Evaluate(inputs).at(0); }

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

/// Evaluation and inference both refuse the operands as the user's fault.
inline void ExpectRefused(const Op& op, const std::vector<Tensor>& inputs) {
  try {
    op.Evaluate(inputs);
    ADD_FAILURE() << op.name() << " took wrong operands";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << error.what();
  }
}

}  // namespace tenon
