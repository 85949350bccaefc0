#include "backends/cpu/pool_family.h"
#include "backends/cpu/reduce_family.h"
#include "backends/cpu/resize_family.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "strided_harness.h"

namespace tenon::strided {
namespace {

const PoolFamily kPool;
const ResizeFamily kResize;
const ReduceFamily kReduce;

/// f32 everywhere; bf16 where the device has AVX-512.
std::vector<DType> TypesOf(const CpuDevice& device) {
  return device.features.avx512 ? std::vector{DType::kFloat32, DType::kBFloat16} : std::vector{DType::kFloat32};
}

// A sum of n products of size up to `size`, in FP32, stored as `dtype`.
Tolerance SumTolerance(DType dtype, double n, double size = 4) {
  return {dtype == DType::kBFloat16 ? 1.0 / 128 : 1e-6, n * size * 6e-8};
}

struct PoolCase {
  std::vector<int64_t> kernel, strides, dilations, pads;
  bool ceil_mode = false;
};

TEST(PoolFamilyTest, MatchesReference) {
  const std::vector<PoolCase> cases = {
      {{2, 2}, {2, 2}, {}, {}},
      {{3, 3}, {2, 2}, {}, {1, 1, 1, 1}},
      {{5, 5}, {}, {}, {2, 2, 2, 2}},
      {{3, 2}, {2, 3}, {1, 2}, {1, 0, 0, 1}},
      {{3, 3}, {2, 2}, {}, {0, 0, 1, 1}, true},
      {{1, 1}, {2, 2}, {}, {}},
  };
  for (const CpuDevice& device : TestDevices()) {
    std::vector<DType> types = TypesOf(device);
    types.push_back(DType::kUInt8);
    for (const DType dtype : types) {
      for (const int64_t channels : {1, 7, 16, 17, 85, 130}) {
        for (const PoolCase& c : cases) {
          for (const bool counts_padding : {false, true}) {
            for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
              if (dtype == DType::kUInt8 && kind != PoolKind::kMax) continue;
              Pool op;
              op.kind = kind;
              op.kernel = c.kernel, op.strides = c.strides, op.dilations = c.dilations, op.pads = c.pads;
              op.ceil_mode = c.ceil_mode, op.count_include_pad = counts_padding;
              FamilyCase test{
                  &op, {RandomOperand(dtype, {2, channels, 9, 12}, 3)}, {Layout::kPitched}, {Layout::kPitched}, device};
              test.output_count = 1;
              const Tolerance tolerance = kind == PoolKind::kMax ? Tolerance{} : SumTolerance(dtype, 25);
              ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kPool, test, tolerance))
                  << "channels " << channels << " kernel " << c.kernel[0];
            }
          }
        }
      }
    }
  }
}

TEST(PoolFamilyTest, OneAndThreeDimensions) {
  for (const size_t dims : {1, 3}) {
    Pool op;
    op.kernel.assign(dims, 3);
    op.pads.assign(2 * dims, 1);
    Shape shape(dims + 2, 6);
    shape[1] = 20;
    FamilyCase test{&op, {RandomOperand(DType::kFloat32, shape, 3)}, {Layout::kChannelsLast}, {Layout::kPitched}};
    test.output_count = 1;
    ExpectFamilyMatches(kPool, test, {});
  }
}

TEST(PoolFamilyTest, ReasonsForWhatIsNotSupported) {
  Pool op;
  op.kernel = {2, 2};
  FamilyCase test{&op, {RandomOperand(DType::kFloat32, {1, 3, 4, 4}, 1)}, {Layout::kRowMajor}, {Layout::kChannelsLast}};
  const TensorType y{DType::kFloat32, Shape{1, 3, 3, 3}}, indices{DType::kInt64, Shape{1, 3, 3, 3}};
  EXPECT_EQ(kPool.Supports(MakeRun(test, {y})->problem, test.device), "channels are not contiguous");
  test.input_layouts = {Layout::kChannelsLast};
  EXPECT_EQ(kPool.Supports(MakeRun(test, {y})->problem, test.device), "");
  EXPECT_EQ(kPool.Supports(MakeRun(test, {y, indices})->problem, test.device), "indices of the maxima are asked for");
  EXPECT_THROW(kPool.Create(MakeRun(test, {y})->problem, "x", test.device), Error);
}

FamilyCase ResizeCase(const Resize& op, DType dtype, const Shape& shape, const std::vector<float>& scales,
                      const CpuDevice& device) {
  FamilyCase test{
      &op,
      {RandomOperand(dtype, shape, 5), Tensor(), Tensor::Of<float>({static_cast<int64_t>(scales.size())}, scales)}};
  test.input_layouts = {Layout::kPitched, Layout::kRowMajor};
  test.output_layouts = {Layout::kPitched};
  test.device = device;
  return test;
}

TEST(ResizeFamilyTest, EveryModeAndCoordinateTransform) {
  for (const CpuDevice& device : TestDevices()) {
    for (const DType dtype : TypesOf(device)) {
      for (const ResizeMode mode : {ResizeMode::kNearest, ResizeMode::kLinear, ResizeMode::kCubic}) {
        for (size_t coordinates = 0; coordinates < kResizeCoordinateNames.size(); ++coordinates) {
          for (const std::vector<float>& scales :
               std::vector<std::vector<float>>{{1, 1, 2, 2}, {1, 1, 0.6f, 1.7f}, {1, 1, 1, 0.5f}}) {
            Resize op;
            op.mode = mode;
            op.coordinates = static_cast<ResizeCoordinates>(coordinates);
            if (op.coordinates == ResizeCoordinates::kTfCropAndResize) continue;
            const FamilyCase test = ResizeCase(op, dtype, {2, 19, 6, 7}, scales, device);
            const Tolerance tolerance = mode == ResizeMode::kNearest ? Tolerance{} : SumTolerance(dtype, 16);
            ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kResize, test, tolerance))
                << kResizeModeNames[static_cast<size_t>(mode)] << " " << kResizeCoordinateNames[coordinates] << " "
                << ToString(dtype);
          }
        }
      }
    }
  }
}

TEST(ResizeFamilyTest, AntialiasAndNearestRoundings) {
  for (const ResizeMode mode : {ResizeMode::kLinear, ResizeMode::kCubic}) {
    Resize op;
    op.mode = mode;
    op.antialias = true;
    ExpectFamilyMatches(kResize,
                        ResizeCase(op, DType::kFloat32, {1, 5, 11, 9}, {1, 1, 0.4f, 0.7f}, CpuDevice::Detect()),
                        SumTolerance(DType::kFloat32, 64));
  }
  for (size_t rounding = 0; rounding < kNearestRoundingNames.size(); ++rounding) {
    Resize op;
    op.nearest = static_cast<NearestRounding>(rounding);
    for (const DType dtype : {DType::kFloat32, DType::kUInt8, DType::kInt64}) {
      ExpectFamilyMatches(kResize, ResizeCase(op, dtype, {1, 5, 11, 9}, {1, 1, 1.3f, 0.7f}, CpuDevice::Detect()), {});
    }
  }
}

TEST(ResizeFamilyTest, DamagedTacticsAreErrors) {
  Resize op;
  const FamilyCase test = ResizeCase(op, DType::kFloat32, {1, 5, 4, 4}, {1, 1, 2, 2}, CpuDevice::Detect());
  const auto run = MakeRun(test, {{DType::kFloat32, Shape{1, 5, 8, 8}}});
  for (const char* tactic : {"", "2", "2 x", "2 0", "2 -1", "2 nan", "2 2 2"})
    EXPECT_THROW(kResize.Create(run->problem, tactic, test.device), Error) << tactic;
  EXPECT_NO_THROW(kResize.Create(run->problem, "0x1p+1 0x1p+1", test.device));
}

TEST(ReduceFamilyTest, MaximumAndMinimumOfNanAreNan) {
  for (const CpuDevice& device : TestDevices()) {
    for (const Layout layout : {Layout::kChannelsLast, Layout::kRowMajor}) {
      for (const ReduceKind kind : {ReduceKind::kMax, ReduceKind::kMin}) {
        Tensor x = RandomOperand(DType::kFloat32, {2, 21, 5, 7}, 1);
        for (const int64_t at : {0, 34, 36, 500}) x.data<float>()[at] = NAN;  // first, last of a plane, within one
        Reduce op;
        op.kind = kind;
        FamilyCase test{&op, {x, Tensor::Of<int64_t>({2}, {2, 3})}, {layout}, {layout}, device};
        ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kReduce, test, {}));
      }
    }
  }
}

TEST(ReduceFamilyTest, EveryKindOverManyAxes) {
  const std::vector<std::vector<int64_t>> axes_of = {{2, 3}, {1}, {-1}, {0, 2}, {0, 1, 2, 3}, {}};
  for (const CpuDevice& device : TestDevices()) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (size_t kind = 0; kind < kReduceNames.size(); ++kind) {
        Reduce op;
        op.kind = static_cast<ReduceKind>(kind);
        if (op.kind == ReduceKind::kLogSum || op.kind == ReduceKind::kLogSumExp) continue;
        for (const std::vector<int64_t>& axes : axes_of) {
          for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast, Layout::kPitched, Layout::kShuffled}) {
            op.keep_dims = axes.size() != 1;
            const double size = op.kind == ReduceKind::kProd ? 1.01 : 4;
            const Tensor x = RandomOperand(dtype, {2, 37, 5, 14}, kind, op.kind == ReduceKind::kProd ? 0.99 : -4, size);
            const Tensor axes_tensor = Tensor::Of<int64_t>({static_cast<int64_t>(axes.size())}, axes);
            const FamilyCase test{&op, {x, axes_tensor}, {layout, Layout::kRowMajor}, {Layout::kShuffled}, device};
            // Products of numbers near 1 reach e^0.01n; the rest are sums of up to 5180 terms of up to 16.
            ASSERT_NO_FATAL_FAILURE(
                ExpectFamilyMatches(kReduce, test, {dtype == DType::kBFloat16 ? 1.0 / 128 : 1e-5, 2e-3}))
                << kReduceNames[kind] << " axes " << axes.size() << " layout " << static_cast<int>(layout);
          }
        }
      }
    }
  }
}

TEST(ReduceFamilyTest, GlobalAveragePool) {
  for (const CpuDevice& device : TestDevices()) {
    Reduce op;
    op.kind = ReduceKind::kMean;
    const FamilyCase test{&op,
                          {RandomOperand(DType::kFloat32, {2, 257, 20, 20}, 1), Tensor::Of<int64_t>({2}, {2, 3})},
                          {Layout::kPitched, Layout::kRowMajor},
                          {Layout::kChannelsLast},
                          device};
    // Sums of 64, then of 7: at most 71 roundings of sums below 4 * 64.
    ExpectFamilyMatches(kReduce, test, {1e-6, 2e-6});
  }
}

TEST(ReduceFamilyTest, DamagedTacticsAreErrors) {
  Reduce op;
  const FamilyCase test{&op, {RandomOperand(DType::kFloat32, {2, 3, 4}, 1)}};
  const auto run = MakeRun(test, {{DType::kFloat32, Shape{2, 1, 1}}});
  for (const char* tactic : {"", "1", "1,3", "2,1", "1,2,", "1;2", "-1", "0,1,2", "x"})
    EXPECT_THROW(kReduce.Create(run->problem, tactic, test.device), Error) << tactic;
  EXPECT_NO_THROW(kReduce.Create(run->problem, "1,2", test.device));
}

}  // namespace
}  // namespace tenon::strided
