#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/op_testing.h"

namespace tenon {
namespace {

Tensor Bytes(Shape shape, const std::vector<uint8_t>& values) { return Tensor::Of<uint8_t>(std::move(shape), values); }
Tensor Weights(Shape shape, const std::vector<int8_t>& values) { return Tensor::Of<int8_t>(std::move(shape), values); }

Conv Int8Conv(Quantization quantization, DType out = DType::kFloat32) {
  Conv conv;
  conv.epilogue.compute = DType::kInt8;
  conv.epilogue.out = out;
  conv.epilogue.quantization = quantization;
  return conv;
}

TEST(QuantizedConvTest, SumsAreExactAndLessTheZeroPoint) {
  const Conv conv = Int8Conv({.x = {0.5f, 128}});
  // (130 - 128) * 3 + (0 - 128) * -127 = 16262; times 0.5 * 0.25, and 1.
  const Tensor y = Eval(conv, {Bytes({1, 2, 1, 1}, {130, 0}), Weights({1, 2, 1, 1}, {3, -127}), Floats({1}, {1}),
                               Tensor(), Floats({1}, {0.25f})});
  ExpectTensor(y, Floats({1, 1, 1, 1}, {16262 * 0.125f + 1}));
}

TEST(QuantizedConvTest, PaddingIsTheZeroPoint) {
  Conv conv = Int8Conv({.x = {1, 7}});
  conv.pads = {0, 1, 0, 1};
  const Tensor y = Eval(
      conv, {Bytes({1, 1, 1, 2}, {8, 10}), Weights({1, 1, 1, 3}, {1, 1, 1}), Tensor(), Tensor(), Floats({1}, {1})});
  ExpectTensor(y, Floats({1, 1, 1, 2}, {4, 4}));
}

TEST(QuantizedConvTest, EachChannelHasItsScale) {
  const Tensor y = Eval(Int8Conv({.x = {2, 0}}), {Bytes({1, 1, 1, 1}, {3}), Weights({2, 1, 1, 1}, {5, 5}), Tensor(),
                                                  Tensor(), Floats({2}, {0.5f, -1})});
  ExpectTensor(y, Floats({1, 2, 1, 1}, {15, -30}));
}

TEST(QuantizedConvTest, StoresHalvesToEvenAndSaturates) {
  const Conv conv = Int8Conv({.x = {0.5f, 100}, .y = {1, 10}}, DType::kUInt8);
  const auto stored = [&](uint8_t x) {
    return Eval(conv, {Bytes({1, 1, 1, 1}, {x}), Weights({1, 1, 1, 1}, {1}), Tensor(), Tensor(), Floats({1}, {1})})
        .AsInt(0);
  };
  EXPECT_EQ(stored(101), 10);  // 0.5
  EXPECT_EQ(stored(103), 12);  // 1.5
  EXPECT_EQ(stored(99), 10);   // -0.5
  EXPECT_EQ(stored(0), 0);     // -50
  EXPECT_EQ(stored(255), 88);  // 77.5
}

TEST(QuantizedConvTest, EpilogueRunsInRealNumbers) {
  Conv conv = Int8Conv({.x = {1, 0}, .residual = {0.5f, 4}, .y = {0.25f, 3}}, DType::kUInt8);
  conv.epilogue.activation = Activation::kRelu;
  conv.epilogue.post = Activation::kRelu;
  const auto stored = [&](float bias, Tensor residual) {
    return Eval(conv,
                {Bytes({1, 1, 1, 1}, {1}), Weights({1, 1, 1, 1}, {1}), Floats({1}, {bias}), residual, Floats({1}, {1})})
        .AsInt(0);
  };
  EXPECT_EQ(stored(2, Bytes({1, 1, 1, 1}, {10})), 6 * 4 + 3);     // relu(3) + 3
  EXPECT_EQ(stored(-9, Bytes({1, 1, 1, 1}, {10})), 3 * 4 + 3);    // relu(-8) + 3
  EXPECT_EQ(stored(2, Bytes({1, 1, 1, 1}, {4 - 4})), 1 * 4 + 3);  // 3 - 2
  EXPECT_EQ(stored(2, Floats({1, 1, 1, 1}, {-5})), 3);            // relu(-2)
  EXPECT_EQ(stored(2, Floats({1, 1, 1, 1}, {1}).CastTo(DType::kBFloat16)), 4 * 4 + 3);
}

TEST(QuantizedConvTest, RefusesWhatDoesNotFit) {
  const Tensor x = Bytes({1, 1, 1, 1}, {1}), w = Weights({1, 1, 1, 1}, {1}), scale = Floats({1}, {1});
  const auto refuse = [&](const Conv& conv, std::vector<Tensor> inputs) { ExpectRefused(conv, inputs); };
  Eval(Int8Conv({}), {x, w, Tensor(), Tensor(), scale});  // the one that fits
  refuse(Int8Conv({}), {x, w});
  refuse(Int8Conv({}), {x.CastTo(DType::kInt8), w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({}), {x, w.CastTo(DType::kUInt8), Tensor(), Tensor(), scale});
  refuse(Int8Conv({}), {x, w, Tensor(), Tensor(), Floats({2}, {1, 1})});
  refuse(Int8Conv({}), {x, w, Tensor(), w, scale});
  refuse(Int8Conv({.x = {0, 0}}), {x, w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({.x = {-1, 0}}), {x, w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({.x = {NAN, 0}}), {x, w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({.x = {INFINITY, 0}}), {x, w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({.x = {1e-40f, 0}}), {x, w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({.y = {1, 256}}), {x, w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({.residual = {1, -1}}), {x, w, Tensor(), Tensor(), scale});
  refuse(Int8Conv({}, DType::kInt8), {x, w, Tensor(), Tensor(), scale});
  Conv plain;
  refuse(plain, {Floats({1, 1, 1, 1}, {1}), Floats({1, 1, 1, 1}, {1}), Tensor(), Tensor(), scale});
  plain.epilogue.out = DType::kUInt8;
  refuse(plain, {x, w, Tensor(), Tensor(), scale});
}

TEST(QuantizedMatMulTest, ScalesBelongToColumns) {
  MatMul matmul;
  matmul.epilogue.compute = DType::kInt8;
  matmul.epilogue.quantization.x = {0.5f, 1};
  const Tensor y = Eval(matmul, {Bytes({1, 2}, {3, 0}), Weights({2, 2}, {1, 2, 3, 4}), Floats({2}, {10, 20}), Tensor(),
                                 Floats({2}, {1, 2})});
  // (2 - 3) * 0.5 + 10, (4 - 4) * 1 + 20
  ExpectTensor(y, Floats({1, 2}, {9.5f, 20}));
}

}  // namespace
}  // namespace tenon
