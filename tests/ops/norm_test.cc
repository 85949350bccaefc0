#include "ops/norm.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

// Mean 0, variance 1 over the first two and over the last two elements.
const Tensor kSigns = Floats({1, 2, 2}, {-1, 1, -3, -1});

TEST(BatchNormTest, ScalesPerChannel) {
  BatchNorm norm;
  norm.epsilon = 0;
  const Tensor y = Eval(norm, {Floats({1, 2, 2}, {1, 2, 3, 4}), Floats({2}, {1, 10}), Floats({2}, {0, 1}),
                               Floats({2}, {1, 3}), Floats({2}, {1, 4})});
  ExpectTensor(y, Floats({1, 2, 2}, {0, 1, 1, 6}), 1e-6);
}

TEST(BatchNormTest, RefusesWrongOperands) {
  const Tensor x = Floats({1, 2}, {1, 2}), two = Floats({2}, {1, 1}), three = Floats({3}, {1, 1, 1});
  ExpectRefused(BatchNorm(), {x, two, two, two, three});
  ExpectRefused(BatchNorm(), {x, three, two, two, two});
  ExpectRefused(BatchNorm(), {x, two, two, two});
  ExpectRefused(BatchNorm(), {two, two, two, two, two});
}

TEST(GroupNormTest, NormalisesGroups) {
  GroupNorm norm;
  norm.epsilon = 0;
  norm.groups = 2;
  const Tensor scale = Floats({2}, {1, 2}), bias = Floats({2}, {0, 5});
  ExpectTensor(Eval(norm, {kSigns, scale, bias}), Floats({1, 2, 2}, {-1, 1, 3, 7}), 1e-6);
  norm.groups = 1;  // mean -1, variance 2
  const float r = 1 / std::sqrt(2.f);
  ExpectTensor(Eval(norm, {kSigns, scale, bias}), Floats({1, 2, 2}, {0, 2 * r, 5 - 4 * r, 5}), 1e-6);
}

TEST(GroupNormTest, RefusesWrongGroups) {
  const Tensor two = Floats({2}, {1, 1});
  GroupNorm norm;
  norm.groups = 3;
  ExpectRefused(norm, {kSigns, two, two});
  norm.groups = 0;
  ExpectRefused(norm, {kSigns, two, two});
}

TEST(LayerNormTest, NormalisesFromAxisOn) {
  LayerNorm norm;
  norm.epsilon = 0;
  const auto outputs = norm.Evaluate(std::vector<Tensor>{kSigns, Floats({2}, {1, 10}), Floats({2}, {0, 1})});
  ExpectTensor(outputs[0], Floats({1, 2, 2}, {-1, 11, -1, 11}), 1e-6);
  ExpectTensor(outputs[1], Floats({1, 2, 1}, {0, -2}), 1e-6);
  ExpectTensor(outputs[2], Floats({1, 2, 1}, {1, 1}), 1e-6);
  norm.axis = 1;
  const float r = 1 / std::sqrt(2.f);
  ExpectTensor(Eval(norm, {kSigns, Floats({1, 1}, {1})}), Floats({1, 2, 2}, {0, 2 * r, -2 * r, 0}), 1e-6);
}

TEST(LayerNormTest, RefusesWrongOperands) {
  LayerNorm norm;
  ExpectRefused(norm, {kSigns, Floats({3}, {1, 1, 1})});
  ExpectRefused(norm, {kSigns, Floats({2, 1, 1, 1}, {1, 1})});
  norm.axis = 3;
  ExpectRefused(norm, {kSigns, Floats({2}, {1, 1})});
}

TEST(LrnTest, SumsNeighbouringChannels) {
  Lrn lrn;
  lrn.size = 3;
  lrn.alpha = 3;
  lrn.beta = 1;
  lrn.bias = 1;
  ExpectTensor(Eval(lrn, {Floats({1, 3}, {1, 2, 3})}), Floats({1, 3}, {1.f / 6, 2.f / 15, 3.f / 14}), 1e-6);
  lrn.size = 0;
  ExpectRefused(lrn, {kSigns});
}

}  // namespace
}  // namespace tenon
