#include "backends/cpu/conv_family.h"

#include "backends/cpu/winograd_family.h"
#include "base/error.h"
#include "family_harness.h"
#include "ops/conv.h"

namespace tenon::cpu {
namespace {

struct FamilyCase {
  Shape x, weights;
  Conv op;
  bool residual = false;
};

std::vector<FamilyCase> Cases() {
  Conv same;
  same.strides = {2, 1};
  same.pads = {1, 0, 1, 2};
  same.dilations = {1, 2};
  same.epilogue.activation = Activation::kSilu;
  Conv grouped;
  grouped.groups = 2;
  Conv line;
  line.strides = {2};
  line.pads = {2, 1};
  line.epilogue.activation = Activation::kLeakyRelu;
  line.epilogue.alpha = 0.1f;
  Conv residual;
  residual.pads = {1, 1, 1, 1};
  residual.epilogue.post = Activation::kRelu;
  return {{{2, 5, 9, 11}, {18, 5, 3, 3}, same},
          {{1, 6, 5, 5}, {34, 3, 1, 1}, grouped},
          {{2, 7, 30}, {20, 7, 5}, line},
          {{1, 8, 6, 6}, {8, 8, 3, 3}, residual, true}};
}

enum class Stored { kFloats, kBytes, kScaledBytes };  // the last: channels with factors

void Check(const CpuKernelFamily& family, const FamilyCase& c, Features features, DType dtype, Layout input_layout,
           Stored stored = Stored::kFloats) {
  std::mt19937 random(3);
  Conv op = c.op;
  op.epilogue.compute = op.epilogue.out = dtype;
  if (stored != Stored::kFloats) {
    op.epilogue.out = DType::kUInt8;
    op.epilogue.quantization.y = {0.03f, 90};
  }
  StepHarness harness(op);
  harness.AddInput(RandomTensor(dtype, c.x, random), input_layout, 3);
  harness.AddConstant(RandomTensor(DType::kFloat32, c.weights, random));
  harness.AddConstant(RandomTensor(DType::kFloat32, {c.weights[0]}, random));
  if (c.residual) {
    Shape shape = c.x;
    shape[1] = c.weights[0];
    harness.AddInput(RandomTensor(dtype, shape, random), Layout::kChannelsLast, 1);
  }
  if (stored == Stored::kScaledBytes) {
    if (!c.residual) harness.AddAbsent();
    harness.AddAbsent();
    std::vector<float> factors(static_cast<size_t>(c.weights[0]));
    for (size_t i = 0; i < factors.size(); ++i) factors[i] = 0.5f + static_cast<float>(i % 7);
    harness.AddConstant(Tensor::Of<float>({c.weights[0]}, factors));
  }
  harness.SetOutput(Layout::kChannelsLast, 2);
  // Sums of less than 100 products below 1: 100^2 units of 2^-24 at most, activations not steeper than 1.2.
  // Bytes: a step where rounding was close to a tie.
  harness.CheckAllCandidates(family, DeviceWith(features), stored == Stored::kFloats ? 1e-3 : 1);
}

TEST(ConvFamilyTest, WinogradEqualsReference) {
  Conv same;
  same.pads = {1, 1, 1, 1};
  same.epilogue.post = Activation::kRelu;
  Conv halves = same;
  halves.strides = {2, 2};
  halves.epilogue.activation = Activation::kSilu;
  const FamilyCase of_stride1{{2, 8, 6, 7}, {8, 8, 3, 3}, same, true}, of_stride2{{2, 5, 9, 11}, {18, 5, 3, 3}, halves};
  for (const Features features : {Features::kAvx2, Features::kAll}) {
    for (const Stored stored : {Stored::kFloats, Stored::kBytes}) {
      for (const WinogradForm form : {WinogradForm::kF2, WinogradForm::kF4})
        Check(WinogradConvFamily(form), of_stride1, features, DType::kFloat32, Layout::kChannelsLast, stored);
      Check(WinogradConvFamily(WinogradForm::kF4Stride2), of_stride2, features, DType::kFloat32, Layout::kChannelsLast,
            stored);
    }
  }
}

TEST(ConvFamilyTest, DirectEqualsReference) {
  for (const FamilyCase& c : Cases()) {
    for (const Layout layout : {Layout::kRowMajor, Layout::kChannelsLast}) {
      Check(DirectConvFamily(), c, Features::kAvx2, DType::kFloat32, layout);
      if (DeviceWith(Features::kAll).features.avx512)
        Check(DirectConvFamily(), c, Features::kAll, DType::kFloat32, layout);
      if (DeviceWith(Features::kAll).features.avx512_bf16)
        Check(DirectConvFamily(), c, Features::kAll, DType::kBFloat16, layout);
    }
  }
}

TEST(ConvFamilyTest, DepthwiseEqualsReference) {
  Conv op;
  op.groups = 20;
  op.strides = {2, 2};
  op.pads = {2, 2, 2, 2};
  op.epilogue.activation = Activation::kHardSwish;
  const FamilyCase c{{2, 20, 11, 9}, {20, 1, 5, 5}, op};
  Check(DepthwiseConvFamily(), c, Features::kAvx2, DType::kFloat32, Layout::kChannelsLast);
  if (DeviceWith(Features::kAll).features.avx512_bf16)
    Check(DepthwiseConvFamily(), c, Features::kAll, DType::kBFloat16, Layout::kChannelsLast);
}

// What INT8 layers read of one that stays in floats.
TEST(ConvFamilyTest, FloatsAreStoredAsBytes) {
  Conv depthwise;
  depthwise.groups = 20;
  depthwise.pads = {1, 1, 1, 1};
  depthwise.epilogue.activation = Activation::kSilu;
  const CpuFeatures all = DeviceWith(Features::kAll).features;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const Features features : {Features::kAvx2, Features::kAll}) {
      if (dtype == DType::kBFloat16 && (features == Features::kAvx2 || !all.avx512_bf16)) continue;
      for (const Stored stored : {Stored::kBytes, Stored::kScaledBytes}) {
        for (const FamilyCase& c : Cases())
          Check(DirectConvFamily(), c, features, dtype, Layout::kChannelsLast, stored);
        Check(DepthwiseConvFamily(), {{2, 20, 11, 9}, {20, 1, 3, 3}, depthwise}, features, dtype, Layout::kChannelsLast,
              stored);
      }
    }
  }
}

TEST(ConvFamilyTest, RefusesWithAReason) {
  std::mt19937 random(1);
  const CpuDevice avx2 = DeviceWith(Features::kAvx2);
  const Tensor x = RandomTensor(DType::kFloat32, {1, 4, 6, 6}, random),
               weights = RandomTensor(DType::kFloat32, {8, 4, 3, 3}, random);
  Conv op;
  StepHarness not_constant(op);
  not_constant.AddInput(x, Layout::kChannelsLast);
  not_constant.AddInput(weights, Layout::kRowMajor);
  not_constant.SetOutput(Layout::kChannelsLast);
  EXPECT_NE(DirectConvFamily().Supports(not_constant.step(), avx2), "");
  StepHarness planar_output(op);
  planar_output.AddInput(x, Layout::kChannelsLast);
  planar_output.AddConstant(weights);
  planar_output.SetOutput(Layout::kRowMajor);
  EXPECT_NE(DirectConvFamily().Supports(planar_output.step(), avx2), "");
  EXPECT_NE(DepthwiseConvFamily().Supports(planar_output.step(), avx2), "");
  op.epilogue.out = DType::kBFloat16;
  StepHarness bf16(op);
  bf16.AddInput(x, Layout::kChannelsLast);
  bf16.AddConstant(weights);
  bf16.SetOutput(Layout::kChannelsLast);
  EXPECT_NE(DirectConvFamily().Supports(bf16.step(), avx2), "");
}

TEST(ConvFamilyTest, DamagedTacticsAreErrors) {
  std::mt19937 random(1);
  Conv op;
  StepHarness harness(op);
  harness.AddInput(RandomTensor(DType::kFloat32, {1, 4, 6, 6}, random), Layout::kChannelsLast);
  harness.AddConstant(RandomTensor(DType::kFloat32, {8, 4, 3, 3}, random));
  harness.SetOutput(Layout::kChannelsLast);
  for (const char* tactic : {"", "v4", "v4 p2000 rb1 oc", "v400 p1 rb1 oc", "v1 p1 rb999999999 oc"}) {
    EXPECT_THROW(DirectConvFamily().Create(harness.step(), tactic, DeviceWith(Features::kAvx2)), Error) << tactic;
  }
}

}  // namespace
}  // namespace tenon::cpu
