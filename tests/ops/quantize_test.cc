#include "ops/quantize.h"

#include <limits>

#include "ops/op_testing.h"

namespace tenon {
namespace {

Tensor Bytes(Shape shape, const std::vector<uint8_t>& values) { return Tensor::Of<uint8_t>(std::move(shape), values); }

TEST(QuantizeTest, RoundsHalvesToEvenAndSaturates) {
  QuantizeLinear op;
  const Tensor x = Floats({6}, {1, 3, -1, 1000, -1000, std::numeric_limits<float>::quiet_NaN()});
  ExpectTensor(Eval(op, {x, Floats({}, {2})}), Tensor::Of<int8_t>({6}, {0, 2, 0, 127, -128, 0}));
  op.to = DType::kUInt8;
  ExpectTensor(Eval(op, {x, Floats({1}, {2}), Bytes({1}, {10})}), Bytes({6}, {10, 12, 10, 255, 0, 0}));
}

TEST(QuantizeTest, PerAxisAndBlocked) {
  QuantizeLinear op;
  op.axis = 0;
  const Tensor x = Floats({2, 3}, {1, 2, 3, 10, 20, 30});
  ExpectTensor(Eval(op, {x, Floats({2}, {1, 10})}), Tensor::Of<int8_t>({2, 3}, {1, 2, 3, 1, 2, 3}));
  op.axis = 1;
  op.block_size = 2;
  ExpectTensor(Eval(op, {x, Floats({2, 2}, {1, 3, 10, 15})}), Tensor::Of<int8_t>({2, 3}, {1, 2, 1, 1, 2, 2}));
}

TEST(DequantizeTest, SubtractsZeroPointExactly) {
  DequantizeLinear op;
  ExpectTensor(Eval(op, {Bytes({2}, {0, 255}), Floats({}, {0.5}), Bytes({}, {128})}), Floats({2}, {-64, 63.5}));
  op.axis = -1;
  ExpectTensor(Eval(op, {Tensor::Of<int32_t>({2}, {1 << 30, -1}), Floats({2}, {2, 3})}),
               Floats({2}, {2147483648.f, -3}));
}

TEST(QuantizeTest, RefusesWrongOperands) {
  const Tensor x = Floats({2, 3}, {1, 2, 3, 4, 5, 6}), bytes = Bytes({2, 3}, {1, 2, 3, 4, 5, 6});
  QuantizeLinear quantize;
  ExpectRefused(quantize, {x, Floats({2}, {1, 1})});
  ExpectRefused(quantize, {x, Floats({}, {1}), Bytes({}, {0})});
  ExpectRefused(quantize, {x, Floats({3}, {1, 1, 1}), Tensor::Of<int8_t>({2}, {0, 0})});
  quantize.block_size = -1;
  ExpectRefused(quantize, {x, Floats({}, {1})});
  quantize.block_size = 2;
  ExpectRefused(quantize, {x, Floats({2, 3}, {1, 1, 1, 1, 1, 1})});
  DequantizeLinear dequantize;
  ExpectRefused(dequantize, {x, Floats({}, {1})});
  ExpectRefused(dequantize, {bytes, Longs({}, {1})});
  dequantize.axis = 2;
  ExpectRefused(dequantize, {bytes, Floats({3}, {1, 1, 1})});
}

}  // namespace
}  // namespace tenon
