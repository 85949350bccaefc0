#include "backends/cpu/conv_family.h"
#include "family_harness.h"
#include "ops/conv.h"

namespace tenon::cpu {
namespace {

struct TransposeCase {
  Shape x, weights;
  std::vector<int64_t> strides = {2, 2}, dilations = {}, pads = {}, output_padding = {};
  int64_t groups = 1;
  bool residual = false;
};

void Check(const TransposeCase& c, Features features, DType dtype) {
  SCOPED_TRACE(ToString(c.x) + " " + ToString(c.weights) + " " + std::string(ToString(dtype)));
  std::mt19937 random(3);
  ConvTranspose op;
  op.strides = c.strides;
  op.dilations = c.dilations;
  op.pads = c.pads;
  op.output_padding = c.output_padding;
  op.groups = c.groups;
  op.epilogue.activation = Activation::kSilu;
  op.epilogue.compute = op.epilogue.out = dtype;
  StepHarness harness(op);
  const Tensor x = RandomTensor(dtype, c.x, random), weights = RandomTensor(DType::kFloat32, c.weights, random);
  harness.AddInput(x, Layout::kChannelsLast, 2);
  harness.AddConstant(weights);
  harness.AddConstant(RandomTensor(DType::kFloat32, {c.weights[1] * c.groups}, random));
  if (c.residual) {
    const Shape shape = op.Evaluate(std::vector<Tensor>{x, weights}).at(0).shape();
    harness.AddInput(RandomTensor(dtype, shape, random), Layout::kChannelsLast, 1);
  }
  harness.SetOutput(Layout::kChannelsLast, 3);
  // Less than 100 products a sum: 100^2 units of 2^-24 at most.
  harness.CheckAllCandidates(TransposedConvFamily(), DeviceWith(features), 1e-3);
}

void CheckEverywhere(const TransposeCase& c) {
  Check(c, Features::kAvx2, DType::kFloat32);
  const CpuFeatures all = DetectCpuFeatures();
  if (all.avx512) Check(c, Features::kAll, DType::kFloat32);
  if (all.avx512_bf16) Check(c, Features::kAll, DType::kBFloat16);
}

TEST(TransposedConvTest, Upsampling) {
  CheckEverywhere({.x = {1, 8, 6, 7}, .weights = {8, 20, 2, 2}});
  CheckEverywhere({.x = {2, 5, 6, 7}, .weights = {5, 17, 4, 4}, .pads = {1, 1, 1, 1}, .residual = true});
  CheckEverywhere({.x = {1, 5, 6, 7}, .weights = {5, 17, 3, 3}, .pads = {1, 1, 1, 1}, .output_padding = {1, 1}});
}

TEST(TransposedConvTest, StridesLargerThanTheKernelLeaveTheBias) {
  CheckEverywhere({.x = {1, 3, 4, 5}, .weights = {3, 9, 2, 1}, .strides = {3, 2}});
}

TEST(TransposedConvTest, FewerOutputsThanTheStride) {
  CheckEverywhere({.x = {1, 3, 1, 1}, .weights = {3, 9, 4, 4}, .strides = {4, 4}, .pads = {2, 1, 1, 2}});
}

TEST(TransposedConvTest, DilationPadsGroups) {
  CheckEverywhere({.x = {1, 6, 7, 5}, .weights = {6, 8, 3, 3}, .strides = {1, 1}, .pads = {1, 2, 0, 1}, .groups = 2});
  CheckEverywhere(
      {.x = {1, 4, 7, 5}, .weights = {4, 8, 3, 4}, .strides = {4, 3}, .dilations = {2, 2}, .pads = {1, 0, 2, 3}});
  CheckEverywhere(
      {.x = {1, 4, 6, 6}, .weights = {4, 8, 3, 3}, .strides = {2, 3}, .dilations = {3, 6}, .pads = {2, 2, 2, 2}});
  CheckEverywhere({.x = {2, 4, 9}, .weights = {4, 8, 3}, .strides = {2}, .pads = {1, 0}, .output_padding = {1}});
}

}  // namespace
}  // namespace tenon::cpu
