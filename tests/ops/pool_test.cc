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

TEST(PoolTest, StagesArePoolsOfPools) {
  Pool pool = MakePool(PoolKind::kMax, {3, 2});
  pool.pads = {1, 0, 1, 1};
  Tensor x(DType::kFloat32, {2, 3, 6, 7});
  for (int64_t i = 0; i < x.elems(); ++i) x.data<float>()[i] = static_cast<float>(i * 7919 % 101);
  x.data<float>()[20] = std::numeric_limits<float>::quiet_NaN();
  std::vector<Tensor> want = {x};
  for (int stage = 0; stage < 3; ++stage) want.push_back(Eval(pool, {want.back()}));
  Pool chain = pool;
  chain.stages = 3;
  const std::vector<Tensor> got = chain.Evaluate(std::array{x});
  ASSERT_EQ(got.size(), 4u);
  for (int64_t stage = 0; stage < 3; ++stage) {
    ExpectTensor(got[StageOutput(stage)], want[static_cast<size_t>(stage) + 1]);
    ExpectTensor(Eval(StageFromInput(pool, stage), {x}), want[static_cast<size_t>(stage) + 1]);
  }
}

TEST(PoolTest, RefusesStagesOfOtherSizes) {
  Pool pool = MakePool(PoolKind::kMax, {3, 3});
  pool.stages = 2;
  ExpectRefused(pool, {kGrid});  // 3x3 becomes 1x1
  pool.pads = {1, 1, 1, 1};
  EXPECT_NO_THROW(Eval(pool, {kGrid}));
  for (const int64_t stages : {int64_t{0}, int64_t{17}, int64_t{1} << 60}) {
    pool.stages = stages;
    ExpectRefused(pool, {kGrid});
  }
  pool.stages = 2;
  pool.kind = PoolKind::kAverage;
  ExpectRefused(pool, {kGrid});
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
