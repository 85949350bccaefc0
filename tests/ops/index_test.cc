#include "ops/index.h"

#include "ops/gather.h"
#include "ops/op_list.h"
#include "ops/op_testing.h"
#include "ops/resize.h"
#include "ops/shape.h"

namespace tenon {
namespace {

using testing::ElementsAre;

template <class T>
T WithAxis(int64_t axis) {
  T op;
  op.axis = axis;
  return op;
}

TEST(ReshapeTest, ResolvesZeroAndMinusOne) {
  EXPECT_EQ(Eval(Reshape{}, {Iota({2, 3, 4}), Ints({0, -1})}).shape(), (Shape{2, 12}));
  EXPECT_EQ(Eval(Reshape{}, {Iota({2, 3, 4}), Ints({-1})}).shape(), (Shape{24}));
  EXPECT_EQ(Eval(Reshape{}, {Iota({1}), Ints({})}).shape(), Shape{});
  EXPECT_EQ(Eval(Reshape{}, {Iota({0, 3}), Ints({-1, 3})}).shape(), (Shape{0, 3}));
}

TEST(ReshapeTest, AllowZeroKeepsZeros) {
  Reshape op;
  op.allow_zero = true;
  EXPECT_EQ(Eval(op, {Iota({0, 3}), Ints({5, 0})}).shape(), (Shape{5, 0}));
  EXPECT_THROW(Eval(op, {Iota({0, 3}), Ints({-1, 0})}), Error);
}

TEST(ReshapeTest, RefusesWhatDoesNotFit) {
  for (const auto& shape :
       std::vector<std::vector<int64_t>>{{5}, {-1, -1}, {-2, 3}, {4, -1}, {1, 1, 0}, {INT64_MAX, INT64_MAX, -1}}) {
    EXPECT_THROW(Eval(Reshape{}, {Iota({2, 3}), Ints(shape)}), Error);
  }
  EXPECT_THROW(Eval(Reshape{}, {Iota({2, 3}), Iota({1})}), Error);
  EXPECT_THROW(Eval(Reshape{}, {Iota({2, 3})}), Error);
  EXPECT_THROW(Eval(Reshape{}, {Iota({1}), Tensor::Of<int64_t>({100}, std::vector<int64_t>(100, 1))}), Error);
}

TEST(ReshapeTest, ShapeIsUnknownWithoutTheOperand) {
  EXPECT_EQ(InferWithoutValues(Reshape{}, {Iota({6}), Ints({2, 3})}).shape, std::nullopt);
}

TEST(TransposeTest, PermutesAndReverses) {
  Transpose op;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 3})})), ElementsAre(0, 3, 1, 4, 2, 5));
  op.perm = {0, 2, 1};
  const Tensor y = Eval(op, {Iota({2, 2, 3})});
  EXPECT_EQ(y.shape(), (Shape{2, 3, 2}));
  EXPECT_THAT(Doubles(y), ElementsAre(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
  EXPECT_EQ(Eval(Transpose{}, {Tensor::Scalar(3.0f)}).shape(), Shape{});
  EXPECT_EQ(Eval(op, {Iota({2, 0, 3})}).shape(), (Shape{2, 3, 0}));
}

TEST(TransposeTest, EveryWidth) {
  for (const DType dtype : {DType::kBool, DType::kFloat16, DType::kInt32, DType::kFloat64}) {
    const Tensor y = Eval(Transpose{}, {Iota({2, 3}).CastTo(dtype)});
    EXPECT_TRUE(Identical(y, Eval(Transpose{}, {Iota({2, 3})}).CastTo(dtype)));
  }
}

TEST(TransposeTest, RefusesBadPerm) {
  for (const auto& perm : std::vector<std::vector<int64_t>>{{0}, {0, 0}, {0, 2}, {0, 1, 2}, {-2, 1}}) {
    Transpose op;
    op.perm = perm;
    EXPECT_THROW(Eval(op, {Iota({2, 3})}), Error);
  }
}

TEST(SliceTest, ClampsAndSteps) {
  const Tensor x = Iota({10});
  const auto slice = [&](int64_t start, int64_t end, int64_t step) {
    return Doubles(Eval(Slice{}, {x, Ints({start}), Ints({end}), Ints({0}), Ints({step})}));
  };
  EXPECT_THAT(slice(2, 5, 1), ElementsAre(2, 3, 4));
  EXPECT_THAT(slice(-3, INT64_MAX, 1), ElementsAre(7, 8, 9));
  EXPECT_THAT(slice(8, INT64_MIN, -3), ElementsAre(8, 5, 2));
  EXPECT_THAT(slice(INT64_MAX, -4, -1), ElementsAre(9, 8, 7));
  EXPECT_THAT(slice(5, 2, 1), ElementsAre());
  EXPECT_THAT(slice(3, 9, INT64_MAX), ElementsAre(3));
  EXPECT_THAT(slice(3, INT64_MIN, INT64_MIN), ElementsAre(3));
  EXPECT_THROW(slice(0, 5, 0), Error);
}

TEST(SliceTest, SeveralAxes) {
  const Tensor y = Eval(Slice{}, {Iota({3, 4, 5}), Ints({1, 3}), Ints({3, 0}), Ints({-3, -1}), Ints({1, -2})});
  EXPECT_EQ(y.shape(), (Shape{2, 4, 2}));
  EXPECT_EQ(Doubles(y)[0], 23);
  EXPECT_EQ(Doubles(y)[1], 21);
  EXPECT_EQ(Doubles(y)[15], 56);
}

TEST(SliceTest, RefusesBadOperands) {
  const Tensor x = Iota({3, 4});
  EXPECT_THROW(Eval(Slice{}, {x, Ints({0, 0}), Ints({1})}), Error);
  EXPECT_THROW(Eval(Slice{}, {x, Ints({0}), Ints({1}), Ints({2})}), Error);
  EXPECT_THROW(Eval(Slice{}, {x, Ints({0, 0}), Ints({1, 1}), Ints({1, -1})}), Error);
  EXPECT_THROW(Eval(Slice{}, {x, Ints({0, 0, 0}), Ints({1, 1, 1})}), Error);
}

TEST(ConcatTest, JoinsOnTheAxis) {
  EXPECT_THAT(Doubles(Eval(WithAxis<Concat>(-1), {Iota({2, 1}), Iota({2, 2}), Iota({2, 0})})),
              ElementsAre(0, 0, 1, 1, 2, 3));
  EXPECT_THAT(Doubles(Eval(WithAxis<Concat>(0), {Iota({1, 2}), Iota({2, 2})})), ElementsAre(0, 1, 0, 1, 2, 3));
}

TEST(ConcatTest, RefusesWhatDoesNotFit) {
  EXPECT_THROW(Eval(WithAxis<Concat>(0), {Iota({1, 2}), Iota({1, 3})}), Error);
  EXPECT_THROW(Eval(WithAxis<Concat>(0), {Iota({1, 2}), Iota({2})}), Error);
  EXPECT_THROW(Eval(WithAxis<Concat>(2), {Iota({1, 2})}), Error);
  EXPECT_THROW(Eval(WithAxis<Concat>(0), {Iota({2}), Ints({1})}), Error);
  EXPECT_THROW(Eval(WithAxis<Concat>(0), {Iota({2}), Tensor()}), Error);
  EXPECT_THROW(WithAxis<Concat>(0).Infer({}), Error);
}

TEST(SplitTest, SizesOrEqualParts) {
  Split op = WithAxis<Split>(1);
  op.num_outputs = 2;
  const auto parts = op.Evaluate(std::vector<Tensor>{Iota({2, 5})});
  EXPECT_THAT(Doubles(parts[0]), ElementsAre(0, 1, 2, 5, 6, 7));
  EXPECT_THAT(Doubles(parts[1]), ElementsAre(3, 4, 8, 9));
  const auto sized = op.Evaluate(std::vector<Tensor>{Iota({2, 5}), Ints({0, 5})});
  EXPECT_EQ(sized[0].shape(), (Shape{2, 0}));
  EXPECT_EQ(sized[1].shape(), (Shape{2, 5}));
}

TEST(SplitTest, RefusesBadSizes) {
  Split op = WithAxis<Split>(0);
  op.num_outputs = 2;
  for (const auto& sizes : std::vector<std::vector<int64_t>>{{1, 1}, {3, 3}, {-1, 6}, {5}, {INT64_MAX, 1}}) {
    EXPECT_THROW(Eval(op, {Iota({5}), Ints(sizes)}), Error);
  }
  op.num_outputs = 4;
  EXPECT_THROW(Eval(op, {Iota({2})}), Error);
  op.num_outputs = 0;
  EXPECT_THROW(Eval(op, {Iota({2})}), Error);
}

TEST(ExpandTest, BroadcastsBothWays) {
  EXPECT_THAT(Doubles(Eval(Expand{}, {Iota({2, 1}), Ints({3})})), ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_EQ(Eval(Expand{}, {Iota({3, 1}), Ints({2, 1, 4})}).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(Eval(Expand{}, {Iota({1}), Ints({0})}).shape(), (Shape{0}));
}

TEST(ExpandTest, RefusesTerabytesAndNegatives) {
  EXPECT_THROW(Eval(Expand{}, {Iota({1}), Ints({int64_t{1} << 40})}), Error);
  EXPECT_THROW(Eval(Expand{}, {Iota({1}), Ints({INT64_MAX, INT64_MAX})}), Error);
  EXPECT_THROW(Eval(Expand{}, {Iota({1}), Ints({INT64_MAX, INT64_MAX, 0})}), Error);
  EXPECT_THROW(Eval(Expand{}, {Iota({1}), Ints({-1})}), Error);
  EXPECT_THROW(Eval(Expand{}, {Iota({3}), Ints({2})}), Error);
}

TEST(GatherTest, RowsAndNegativeIndices) {
  EXPECT_THAT(Doubles(Eval(WithAxis<Gather>(0), {Iota({3, 2}), Ints({2, -3})})), ElementsAre(4, 5, 0, 1));
  EXPECT_THAT(Doubles(Eval(WithAxis<Gather>(-1), {Iota({2, 3}), Tensor::Scalar<int64_t>(1)})), ElementsAre(1, 4));
  EXPECT_THROW(Eval(WithAxis<Gather>(0), {Iota({3, 2}), Ints({3})}), Error);
  EXPECT_THROW(Eval(WithAxis<Gather>(0), {Iota({3, 2}), Ints({-4})}), Error);
  EXPECT_THROW(Eval(WithAxis<Gather>(0), {Iota({3, 2}), Iota({1})}), Error);
  EXPECT_THROW(Eval(WithAxis<Gather>(0), {Tensor::Scalar(1.0f), Ints({0})}), Error);
}

TEST(GatherElementsTest, PicksAlongTheAxis) {
  const Tensor indices = Tensor::Of<int64_t>({2, 2}, {0, 2, -1, 0});
  EXPECT_THAT(Doubles(Eval(WithAxis<GatherElements>(1), {Iota({2, 3}), indices})), ElementsAre(0, 2, 5, 3));
  EXPECT_THROW(Eval(WithAxis<GatherElements>(0), {Iota({2, 3}), indices}), Error);  // 2 is outside axis 0
  EXPECT_THROW(Eval(WithAxis<GatherElements>(1), {Iota({1, 3}), indices}), Error);  // more rows than x
  EXPECT_THROW(Eval(WithAxis<GatherElements>(0), {Iota({6}), indices}), Error);
}

TEST(GatherNDTest, BatchAndDepth) {
  EXPECT_THAT(Doubles(Eval(GatherND{}, {Iota({2, 2}), Tensor::Of<int64_t>({2, 2}, {0, 0, 1, -1})})), ElementsAre(0, 3));
  EXPECT_THAT(Doubles(Eval(GatherND{}, {Iota({2, 2}), Tensor::Of<int64_t>({1, 1}, {1})})), ElementsAre(2, 3));
  GatherND batched;
  batched.batch_dims = 1;
  EXPECT_THAT(Doubles(Eval(batched, {Iota({2, 3}), Tensor::Of<int64_t>({2, 1}, {2, 0})})), ElementsAre(2, 3));
  EXPECT_THROW(Eval(GatherND{}, {Iota({2, 2}), Tensor::Of<int64_t>({1, 3}, {0, 0, 0})}), Error);
  EXPECT_THROW(Eval(GatherND{}, {Iota({2, 2}), Tensor::Of<int64_t>({1, 1}, {2})}), Error);
  batched.batch_dims = 2;
  EXPECT_THROW(Eval(batched, {Iota({2, 2}), Tensor::Of<int64_t>({2, 2}, {0, 0, 0, 0})}), Error);
}

TEST(ShapeTest, StartAndEnd) {
  ShapeOf op;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 3, 4})})), ElementsAre(2, 3, 4));
  op.start = -2;
  op.end = -1;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 3, 4})})), ElementsAre(3));
  op.start = 5;
  EXPECT_EQ(Eval(op, {Iota({2, 3, 4})}).elems(), 0);
  EXPECT_THAT(Doubles(Eval(Size{}, {Iota({2, 3})})), ElementsAre(6));
}

TEST(SqueezeTest, AxesOrAllOnes) {
  EXPECT_EQ(Eval(Squeeze{}, {Iota({1, 2, 1})}).shape(), (Shape{2}));
  EXPECT_EQ(Eval(Squeeze{}, {Iota({1, 2, 1}), Ints({-1})}).shape(), (Shape{1, 2}));
  EXPECT_THROW(Eval(Squeeze{}, {Iota({1, 2, 1}), Ints({1})}), Error);
  EXPECT_EQ(Eval(Unsqueeze{}, {Iota({2, 3}), Ints({0, -1})}).shape(), (Shape{1, 2, 3, 1}));
  EXPECT_THROW(Eval(Unsqueeze{}, {Iota({2, 3}), Ints({0, 0})}), Error);
  EXPECT_THROW(Eval(Unsqueeze{}, {Iota({2, 3}), Ints({3})}), Error);
}

TEST(RangeTest, CountsAndRefusesEndless) {
  const auto range = [](auto start, auto limit, auto delta) {
    return Doubles(Eval(Range{}, {Tensor::Scalar(start), Tensor::Scalar(limit), Tensor::Scalar(delta)}));
  };
  EXPECT_THAT(range(int64_t{10}, int64_t{4}, int64_t{-2}), ElementsAre(10, 8, 6));
  EXPECT_THAT(range(1.0f, 2.0f, 0.5f), ElementsAre(1, 1.5));
  EXPECT_THAT(range(3, 1, 1), ElementsAre());
  EXPECT_THAT(range(INT32_MIN, INT32_MAX, INT32_MAX), ElementsAre(INT32_MIN, -1, INT32_MAX - 1));
  EXPECT_THROW(range(1, 2, 0), Error);
  EXPECT_THROW(range(int64_t{0}, INT64_MAX, int64_t{1}), Error);
  EXPECT_THROW(range(0.0f, 1e30f, 1.0f), Error);
  EXPECT_THAT(range(0.0f, std::nanf(""), 1.0f), ElementsAre());
}

TEST(EyeLikeTest, Diagonals) {
  EyeLike op;
  op.k = 1;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 3})})), ElementsAre(0, 1, 0, 0, 0, 1));
  op.k = INT64_MIN;
  EXPECT_THAT(Doubles(Eval(op, {Iota({1, 2})})), ElementsAre(0, 0));
  EXPECT_THROW(Eval(op, {Iota({2})}), Error);
}

TEST(OpListTest, KnowsTheOps) {
  for (const char* name : {"Reshape", "Slice", "Shape", "Range", "GatherND", "Resize"}) {
    ASSERT_NE(MakeOp(name), nullptr) << name;
    EXPECT_EQ(MakeOp(name)->name(), name);
  }
  EXPECT_EQ(MakeOp("NoSuchOp"), nullptr);
}

}  // namespace
}  // namespace tenon
