#include "backends/cpu/gather_family.h"

#include "ops/gather.h"
#include "strided_harness.h"

namespace tenon::strided {
namespace {

const GatherFamily kFamily;
const std::vector<Layout> kLayouts = {Layout::kRowMajor, Layout::kChannelsLast, Layout::kPitched, Layout::kShuffled};

/// Indices in [-dim, dim).
Tensor RandomIndices(DType dtype, const Shape& shape, int64_t dim, uint64_t seed) {
  std::mt19937_64 random(seed);
  Tensor indices(DType::kInt64, shape);
  for (int64_t i = 0; i < indices.elems(); ++i)
    indices.data<int64_t>()[i] = static_cast<int64_t>(random() % static_cast<uint64_t>(2 * dim)) - dim;
  return indices.CastTo(dtype);
}

TEST(GatherFamilyTest, GatherMatchesReference) {
  const Shape shape = {3, 5, 7};
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kUInt8, DType::kInt64}) {
    for (const Shape& index_shape : std::vector<Shape>{{}, {4}, {2, 3}}) {
      for (int64_t axis = -1; axis < 3; ++axis) {
        for (const Layout layout : kLayouts) {
          Gather op;
          op.axis = axis;
          const Tensor indices =
              RandomIndices(axis == 1 ? DType::kInt32 : DType::kInt64, index_shape, shape[axis < 0 ? 2 : axis], 4);
          const FamilyCase test{&op, {RandomOperand(dtype, shape, 1), indices}, {layout}, {Layout::kShuffled}};
          ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, {}))
              << "axis " << axis << " indices " << ToString(index_shape);
        }
      }
    }
  }
}

TEST(GatherFamilyTest, GatherElementsMatchesReference) {
  for (const DType dtype : {DType::kFloat32, DType::kBool, DType::kInt64}) {
    for (int64_t axis = -1; axis < 3; ++axis) {
      for (const Layout layout : kLayouts) {
        GatherElements op;
        op.axis = axis;
        const Shape shape = {3, 5, 7};
        Shape index_shape = shape;
        index_shape[axis < 0 ? 2 : axis] = 9;
        const Tensor indices = RandomIndices(DType::kInt64, index_shape, shape[axis < 0 ? 2 : axis], 4);
        const FamilyCase test{&op, {RandomOperand(dtype, shape, 1), indices}, {layout}, {Layout::kPitched}};
        ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, {})) << "axis " << axis;
      }
    }
  }
}

TEST(GatherFamilyTest, IndicesOutsideAreErrors) {
  Gather op;
  for (const int64_t index :
       {int64_t{3}, int64_t{-4}, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    const FamilyCase test{&op, {RandomOperand(DType::kFloat32, {3, 2}, 1), Tensor::Of<int64_t>({1}, {index})}};
    const auto run = MakeRun(test, {{DType::kFloat32, Shape{1, 2}}});
    EXPECT_THROW(Execute(*kFamily.Create(run->problem, "", test.device), *run), Error) << index;
  }
}

}  // namespace
}  // namespace tenon::strided
