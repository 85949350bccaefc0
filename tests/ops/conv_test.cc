#include "ops/conv.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

Tensor Iota(Shape shape) {
  Tensor tensor(DType::kFloat32, std::move(shape));
  for (int64_t i = 0; i < tensor.elems(); ++i) tensor.data<float>()[i] = static_cast<float>(i);
  return tensor;
}

TEST(ConvTest, PaddedThreeByThree) {
  Conv conv;
  conv.pads = {1, 1, 1, 1};
  // A window of ones sums the neighbourhood.
  const Tensor y = Eval(conv, {Iota({1, 1, 3, 3}), Floats({1, 1, 3, 3}, std::vector<float>(9, 1))});
  ExpectTensor(y, Floats({1, 1, 3, 3}, {8, 15, 12, 21, 36, 27, 20, 33, 24}));
}

TEST(ConvTest, StridesDilationsAndOneSidedPads) {
  Conv conv;
  conv.strides = {2};
  conv.dilations = {2};
  conv.pads = {0, 1};
  // Taps at 2i and 2i + 2 of 0 1 2 3 4 (0).
  ExpectTensor(Eval(conv, {Iota({1, 1, 5}), Floats({1, 1, 2}, {1, 10})}), Floats({1, 1, 2}, {20, 42}));
}

TEST(ConvTest, Groups) {
  Conv conv;
  conv.groups = 2;
  const Tensor y = Eval(
      conv, {Floats({1, 4, 1, 1}, {1, 2, 3, 4}), Floats({2, 2, 1, 1}, {1, 10, 100, 1000}), Floats({2}, {0.5, -1})});
  ExpectTensor(y, Floats({1, 2, 1, 1}, {21.5, 4299}));
}

TEST(ConvTest, ThreeDimensions) {
  Conv conv;
  const Tensor y = Eval(conv, {Iota({1, 1, 2, 2, 2}), Floats({1, 1, 2, 2, 2}, std::vector<float>(8, 1))});
  ExpectTensor(y, Floats({1, 1, 1, 1, 1}, {28}));
}

TEST(ConvTest, EpilogueOrder) {
  Conv conv;
  conv.epilogue.activation = Activation::kRelu;
  conv.epilogue.post = Activation::kRelu;
  const Tensor x = Floats({1, 1, 1, 2}, {1, -3}), w = Floats({1, 1, 1, 1}, {1});
  // relu(relu(x + 1) + residual)
  ExpectTensor(Eval(conv, {x, w, Floats({1}, {1}), Floats({1, 1, 1, 2}, {-1.5, 7})}), Floats({1, 1, 1, 2}, {0.5, 7}));
}

TEST(ConvTest, RoundsOperandsToComputeType) {
  Conv conv;
  conv.epilogue.compute = DType::kBFloat16;
  conv.epilogue.out = DType::kFloat64;
  const Tensor y = Eval(conv, {Floats({1, 1, 1}, {1.001f}), Floats({1, 1, 1}, {3})});
  ExpectTensor(y, Tensor::Of<double>({1, 1, 1}, {3}));
}

TEST(ConvTest, EmptyBatch) {
  EXPECT_EQ(Eval(Conv(), {Iota({0, 1, 3, 3}), Iota({2, 1, 1, 1})}).shape(), (Shape{0, 2, 3, 3}));
}

TEST(ConvTest, RefusesWhatDoesNotFit) {
  const Tensor x = Iota({1, 4, 3, 3}), w = Iota({2, 4, 3, 3});
  const auto refuse = [&](auto change, std::vector<Tensor> inputs) {
    Conv conv;
    change(conv);
    ExpectRefused(conv, inputs);
  };
  refuse([](Conv&) {}, {x, Iota({2, 3, 3, 3})});
  refuse([](Conv&) {}, {x, Iota({2, 4, 3})});
  refuse([](Conv&) {}, {x, Iota({2, 4, 5, 5})});
  refuse([](Conv&) {}, {x, Iota({2, 4, 0, 3})});
  refuse([](Conv&) {}, {x, w, Iota({3})});
  refuse([](Conv&) {}, {x, w, Tensor(), Iota({1, 2, 2, 2})});
  refuse([](Conv&) {}, {x, Longs({2, 4, 1, 1}, std::vector<int64_t>(8))});
  refuse([](Conv& c) { c.groups = 0; }, {x, w});
  refuse([](Conv& c) { c.groups = -1; }, {x, w});
  refuse([](Conv& c) { c.groups = 3; }, {x, w});
  refuse([](Conv& c) { c.strides = {0, 1}; }, {x, w});
  refuse([](Conv& c) { c.strides = {1}; }, {x, w});
  refuse([](Conv& c) { c.dilations = {1, -1}; }, {x, w});
  refuse([](Conv& c) { c.dilations = {1, int64_t{1} << 62}; }, {x, w});
  refuse([](Conv& c) { c.pads = {0, 0, 0, -1}; }, {x, w});
  refuse([](Conv& c) { c.pads = {0, 0, 0, int64_t{1} << 62}; }, {x, w});
  refuse([](Conv& c) { c.epilogue.post = Activation::kClip; }, {x, w});
}

TEST(ConvTransposeTest, ScattersOverlappingWindows) {
  ConvTranspose conv;
  conv.strides = {2};
  ExpectTensor(Eval(conv, {Floats({1, 1, 3}, {1, 2, 3}), Floats({1, 1, 3}, {1, 10, 100})}),
               Floats({1, 1, 7}, {1, 10, 102, 20, 203, 30, 300}));
  conv.pads = {1, 1};
  conv.output_padding = {1};
  ExpectTensor(Eval(conv, {Floats({1, 1, 3}, {1, 2, 3}), Floats({1, 1, 3}, {1, 10, 100})}),
               Floats({1, 1, 6}, {10, 102, 20, 203, 30, 300}));
}

TEST(ConvTransposeTest, GroupsAndBias) {
  ConvTranspose conv;
  conv.groups = 2;
  const Tensor y =
      Eval(conv, {Floats({1, 2, 1, 1}, {1, 2}), Floats({2, 2, 1, 1}, {1, 2, 3, 4}), Floats({4}, {0, 0, 0, 1})});
  ExpectTensor(y, Floats({1, 4, 1, 1}, {1, 2, 6, 9}));
}

TEST(ConvTransposeTest, RefusesWhatDoesNotFit) {
  const Tensor x = Iota({1, 2, 3, 3}), w = Iota({2, 1, 3, 3});
  ConvTranspose conv;
  ExpectRefused(conv, {x, Iota({3, 1, 3, 3})});
  ExpectRefused(conv, {x, w, Iota({2})});
  conv.output_padding = {-1, 0};
  ExpectRefused(conv, {x, w});
  conv.output_padding = {};
  conv.pads = {9, 9, 9, 9};
  ExpectRefused(conv, {x, w});
  conv.pads = {};
  conv.groups = int64_t{1} << 62;
  ExpectRefused(conv, {x, w});
}

}  // namespace
}  // namespace tenon
