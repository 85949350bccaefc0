#include "ops/pool.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

const Tensor kGrid = Floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

Pool MakePool(PoolKind kind, std::vector<int64_t> kernel) {
  Pool pool;
  pool.kind = kind;
  pool.kernel = std::move(kernel);
  return pool;
}

TEST(PoolTest, MaxWithIndices) {
  Pool pool = MakePool(PoolKind::kMax, {2, 2});
  const auto outputs = pool.Evaluate(std::vector<Tensor>{kGrid});
  ExpectTensor(outputs[0], Floats({1, 1, 2, 2}, {5, 6, 8, 9}));
  ExpectTensor(outputs[1], Longs({1, 1, 2, 2}, {4, 5, 7, 8}));
  pool.column_major_indices = true;
  ExpectTensor(pool.Evaluate(std::vector<Tensor>{kGrid})[1], Longs({1, 1, 2, 2}, {4, 7, 5, 8}));
}

TEST(PoolTest, PaddingNeverWinsTheMaximum) {
  Pool pool = MakePool(PoolKind::kMax, {2});
  pool.pads = {1, 1};
  ExpectTensor(Eval(pool, {Floats({1, 1, 2}, {-5, -3})}), Floats({1, 1, 3}, {-5, -3, -3}));
  ExpectTensor(Eval(pool, {Tensor::Of<int8_t>({1, 1, 2}, {-5, -3})}), Tensor::Of<int8_t>({1, 1, 3}, {-5, -3, -3}));
}

TEST(PoolTest, AverageCountsPaddingOnlyWhenAsked) {
  Pool pool = MakePool(PoolKind::kAverage, {2});
  pool.pads = {1, 1};
  ExpectTensor(Eval(pool, {Floats({1, 1, 2}, {2, 4})}), Floats({1, 1, 3}, {2, 3, 4}));
  pool.count_include_pad = true;
  ExpectTensor(Eval(pool, {Floats({1, 1, 2}, {2, 4})}), Floats({1, 1, 3}, {1, 3, 2}));
}

TEST(PoolTest, CeilModeAddsAWindowButNotPastTheInput) {
  Pool pool = MakePool(PoolKind::kAverage, {2});
  pool.strides = {2};
  pool.ceil_mode = true;
  ExpectTensor(Eval(pool, {Floats({1, 1, 3}, {1, 2, 3})}), Floats({1, 1, 2}, {1.5, 3}));
  // Rounding up gives three windows, but the third would start in the trailing padding.
  pool.kernel = {1};
  pool.strides = {3};
  pool.pads = {0, 2};
  EXPECT_EQ(Eval(pool, {Floats({1, 1, 3}, {1, 2, 3})}).shape(), (Shape{1, 1, 2}));
}

TEST(PoolTest, DilationAndLp) {
  Pool pool = MakePool(PoolKind::kMax, {2, 2});
  pool.dilations = {2, 2};
  ExpectTensor(Eval(pool, {kGrid}), Floats({1, 1, 1, 1}, {9}));
  ExpectTensor(Eval(MakePool(PoolKind::kLp, {2}), {Floats({1, 1, 2}, {-3, 4})}), Floats({1, 1, 1}, {5}));
}

TEST(PoolTest, RefusesWhatDoesNotFit) {
  ExpectRefused(MakePool(PoolKind::kMax, {}), {kGrid});
  ExpectRefused(MakePool(PoolKind::kMax, {2}), {kGrid});
  ExpectRefused(MakePool(PoolKind::kMax, {4, 4}), {kGrid});
  ExpectRefused(MakePool(PoolKind::kMax, {0, 1}), {kGrid});
  ExpectRefused(MakePool(PoolKind::kAverage, {1, 1}), {Tensor::Of<int8_t>({1, 1, 1, 1}, {1})});
  ExpectRefused(MakePool(PoolKind::kMax, {1}), {Floats({3}, {1, 2, 3})});
  Pool pool = MakePool(PoolKind::kLp, {1, 1});
  pool.p = 0;
  ExpectRefused(pool, {kGrid});
}

}  // namespace
}  // namespace tenon
