#include "backends/cpu/conv_family.h"
#include "backends/cpu/matmul_family.h"
#include "family_harness.h"
#include "ops/conv.h"
#include "ops/matmul.h"

namespace tenon::cpu {
namespace {

Tensor RandomBytes(DType dtype, const Shape& shape, std::mt19937& random) {
  std::uniform_int_distribution<int> uniform(dtype == DType::kUInt8 ? 0 : -127, dtype == DType::kUInt8 ? 255 : 127);
  std::vector<float> values(ElemCount(shape));
  for (float& value : values) value = static_cast<float>(uniform(random));
  return Tensor::Of<float>(shape, values).CastTo(dtype);
}

Epilogue Int8Epilogue(DType out) {
  Epilogue epilogue;
  epilogue.compute = DType::kInt8;
  epilogue.out = out;
  epilogue.quantization = {{0.02f, 114}, {0.05f, 3}, {0.04f, 120}};
  return epilogue;
}

/// On bytes a step of the grid where an activation is approximated, else nothing.
double ToleranceOf(const Epilogue& epilogue) {
  if (epilogue.activation == Activation::kNone) return 0;
  return epilogue.out == DType::kUInt8 ? 1 : 1e-5;
}

void CheckConv(const CpuKernelFamily& family, const Conv& op, const Shape& x, const Shape& weights, Features features) {
  std::mt19937 random(3);
  StepHarness harness(op);
  harness.AddInput(RandomBytes(DType::kUInt8, x, random), Layout::kChannelsLast, 3);
  harness.AddConstant(RandomBytes(DType::kInt8, weights, random));
  harness.AddConstant(RandomTensor(DType::kFloat32, {weights[0]}, random));
  harness.AddInput(RandomBytes(DType::kUInt8, {x[0], weights[0], x[2], x[3]}, random), Layout::kChannelsLast, 1);
  std::vector<float> scales(weights[0]);
  for (size_t i = 0; i < scales.size(); ++i) scales[i] = 0.001f * static_cast<float>(1 + i % 5);
  harness.AddConstant(Tensor::Of<float>({weights[0]}, scales));
  harness.SetOutput(Layout::kChannelsLast, 2);
  harness.CheckAllCandidates(family, DeviceWith(features), ToleranceOf(op.epilogue));
}

TEST(Int8FamilyTest, ConvEqualsReference) {
  for (const DType out : {DType::kUInt8, DType::kFloat32}) {
    for (const Activation activation : {Activation::kNone, Activation::kSilu}) {
      Conv op;
      op.pads = {1, 1, 1, 1};
      op.epilogue = Int8Epilogue(out);
      op.epilogue.activation = activation;
      Conv depthwise = op;
      depthwise.groups = 20;
      for (const Features features : {Features::kAll, Features::kAvx2}) {
        CheckConv(DirectConvFamily(), op, {2, 7, 9, 11}, {34, 7, 3, 3}, features);
        CheckConv(DepthwiseConvFamily(), depthwise, {2, 20, 9, 11}, {20, 1, 3, 3}, features);
      }
    }
  }
}

TEST(Int8FamilyTest, MatMulEqualsReference) {
  for (const DType out : {DType::kUInt8, DType::kFloat32}) {
    for (const int k : {3, 33, 64}) {
      std::mt19937 random(3);
      MatMul op;
      op.epilogue = Int8Epilogue(out);
      StepHarness harness(op);
      harness.AddInput(RandomBytes(DType::kUInt8, {2, 13, k}, random), Layout::kRowMajor, 2);
      harness.AddConstant(RandomBytes(DType::kInt8, {k, 40}, random));
      harness.AddConstant(RandomTensor(DType::kFloat32, {40}, random));
      harness.AddAbsent();
      harness.AddConstant(Tensor::Of<float>({40}, std::vector<float>(40, 0.003f)));
      harness.SetOutput(Layout::kRowMajor, 3);
      for (const Features features : {Features::kAll, Features::kAvx2})
        harness.CheckAllCandidates(MatMulFamily(), DeviceWith(features), 0);
    }
  }
}

TEST(Int8FamilyTest, RefusesWithAReason) {
  std::mt19937 random(1);
  Conv op;
  op.epilogue = Int8Epilogue(DType::kUInt8);
  const Tensor x = RandomBytes(DType::kUInt8, {1, 4, 6, 6}, random),
               weights = RandomBytes(DType::kInt8, {8, 4, 3, 3}, random);
  const Tensor scales = Tensor::Of<float>({8}, std::vector<float>(8, 0.1f));
  const auto reason = [&](Layout layout, bool constant_scales) {
    StepHarness harness(op);
    harness.AddInput(x, layout);
    harness.AddConstant(weights);
    harness.AddAbsent();
    harness.AddAbsent();
    constant_scales ? harness.AddConstant(scales) : harness.AddInput(scales, Layout::kRowMajor);
    harness.SetOutput(Layout::kChannelsLast);
    return DirectConvFamily().Supports(harness.step(), DeviceWith(Features::kAll));
  };
  EXPECT_EQ(reason(Layout::kChannelsLast, true), "");
  EXPECT_NE(reason(Layout::kRowMajor, true), "");
  EXPECT_NE(reason(Layout::kChannelsLast, false), "");
}

}  // namespace
}  // namespace tenon::cpu
