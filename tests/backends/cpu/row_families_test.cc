#include "backends/cpu/row_families.h"

#include "ops/norm.h"
#include "ops/reduce.h"
#include "strided_harness.h"

namespace tenon::strided {
namespace {

const SoftmaxFamily kSoftmax;
const LayerNormFamily kLayerNorm;
const std::vector<Layout> kLayouts = {Layout::kRowMajor, Layout::kChannelsLast, Layout::kPitched, Layout::kShuffled};

TEST(SoftmaxFamilyTest, EveryAxisLayoutAndLength) {
  for (const CpuDevice& device : TestDevices()) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (const int64_t length : {1, 15, 16, 17, 100, 1000}) {
        for (const Layout layout : kLayouts) {
          for (const bool log : {false, true}) {
            Softmax op;
            op.axis = layout == Layout::kRowMajor ? -1 : 1;
            op.log = log;
            const Shape shape = op.axis == 1 ? Shape{2, length, 3} : Shape{2, 3, length};
            const FamilyCase test{
                &op, {RandomOperand(dtype, shape, 2, -20, 20)}, {layout}, {Layout::kShuffled}, device};
            // exp is good to 2e-7 and its sum to 1e-6; the difference x - max to half a unit of 40.
            const Tolerance tolerance = {dtype == DType::kBFloat16 ? 1.0 / 128 : 5e-6, log ? 1e-5 : 1e-9};
            ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kSoftmax, test, tolerance))
                << length << " layout " << static_cast<int>(layout);
          }
        }
      }
    }
  }
}

TEST(LayerNormFamilyTest, MatchesReference) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const int64_t axis : {1, 2, -1}) {
      for (const Layout layout : kLayouts) {
        for (const bool has_bias : {false, true}) {
          LayerNorm op;
          op.axis = axis;
          const Shape shape = {3, 5, 7, 33};
          const Shape row(shape.begin() + (axis < 0 ? 3 : axis), shape.end());
          FamilyCase test{
              &op, {RandomOperand(dtype, shape, 2), RandomOperand(dtype, row, 3)}, {layout}, {Layout::kPitched}};
          if (has_bias) test.inputs.push_back(RandomOperand(dtype, {33}, 4));
          test.output_count = 1;
          ASSERT_NO_FATAL_FAILURE(
              ExpectFamilyMatches(kLayerNorm, test, {dtype == DType::kBFloat16 ? 1.0 / 128 : 5e-6, 5e-6}))
              << "axis " << axis;
        }
      }
    }
  }
}

TEST(LayerNormFamilyTest, ReasonsForWhatIsNotSupported) {
  LayerNorm op;
  FamilyCase test{&op, {RandomOperand(DType::kFloat32, {3, 5}, 1), RandomOperand(DType::kFloat32, {3, 5}, 1)}};
  const TensorType y{DType::kFloat32, Shape{3, 5}}, mean{DType::kFloat32, Shape{3, 1}};
  EXPECT_EQ(kLayerNorm.Supports(MakeRun(test, {y})->problem, test.device), "scale or bias differ between rows");
  test.inputs[1] = RandomOperand(DType::kFloat32, {5}, 1);
  EXPECT_EQ(kLayerNorm.Supports(MakeRun(test, {y})->problem, test.device), "");
  EXPECT_EQ(kLayerNorm.Supports(MakeRun(test, {y, mean})->problem, test.device), "mean or deviation are asked for");
}

}  // namespace
}  // namespace tenon::strided
