// What steps become on a GPU, as far as a machine without one can tell: families take the steps that they should, what
// they pack comes back, and NVRTC compiles what they launch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/cuda/cuda_kernel.h"
#include "backends/cuda/cuda_steps.h"
#include "backends/cuda/nvrtc.h"
#include "base/error.h"
#include "ops/conv.h"
#include "ops/pointwise.h"
#include "ops/pool.h"
#include "ops/region.h"

namespace tenon::cuda {
namespace {

void ExpectCompiles(const StepProblem& step, const std::string& family) {
  const CudaDevice device = Hopper();
  const Choice choice = Choose(step, device);
  ASSERT_NE(choice.family, nullptr);
  EXPECT_EQ(choice.family->name(), family);
  for (const std::string& tactic : choice.family->Candidates(step, device)) {
    const auto launches = choice.family->Lower(step, tactic, device);
    ASSERT_FALSE(launches.empty());
    for (const KernelLaunch& launch : launches) {
      EXPECT_GT(launch.grid_x * launch.threads, 0u);
      try {
        EXPECT_GT(Nvrtc::Get().Compile(launch.source, {.capability = 90}).code.size(), 1000u);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kUnsupportedDevice) GTEST_SKIP() << "NVRTC is not on this machine";
        FAIL() << error.what() << "\n" << launch.source.text;
      }
    }
    break;  // the others differ in a number
  }
}

TEST(CudaFamilies, ConvolutionPacksAndUnpacks) {
  const CudaDevice device = Hopper();
  Conv conv;
  conv.strides = conv.dilations = {1, 1};
  conv.pads = {1, 1, 1, 1};
  conv.epilogue.compute = conv.epilogue.out = DType::kFloat16;
  conv.epilogue.activation = Activation::kSilu;
  const Tensor weights = Random({24, 16, 3, 3}, 1).CastTo(DType::kFloat16), bias = Random({24}, 2);
  StepProblem step{.op = &conv,
                   .inputs = {Operand(DType::kFloat16, {1, 16, 20, 20}), Constant(weights), Constant(bias)},
                   .outputs = {Operand(DType::kFloat16, {1, 24, 20, 20})}};
  const Choice choice = Choose(step, device);
  ASSERT_NE(choice.family, nullptr);
  EXPECT_EQ(choice.family->name(), "conv");
  for (const std::string& tactic : choice.family->Candidates(step, device)) {
    const std::vector<std::byte> packed = choice.family->Pack(step, tactic, device);
    EXPECT_EQ(packed.size(), choice.family->PackedBytes(step, tactic, device));
    EXPECT_TRUE(Identical(choice.family->Unpack(step, tactic, device, packed, 1).CastTo(DType::kFloat16), weights))
        << tactic;
    EXPECT_TRUE(Identical(choice.family->Unpack(step, tactic, device, packed, 2), bias)) << tactic;
  }
  EXPECT_THROW(choice.family->Lower(step, "gemm 64x64", device), Error);
  EXPECT_THROW(choice.family->Lower(step, "gemm 1024x1024x64 w2x2x1 s3", device), Error);
  ExpectCompiles(step, "conv");
}

TEST(CudaFamilies, PoolsCompile) {
  Pool pool;
  pool.kernel = {5, 5};
  pool.pads = {2, 2, 2, 2};
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage, PoolKind::kLp}) {
    pool.kind = kind;
    StepProblem step{.op = &pool,
                     .inputs = {Operand(DType::kFloat16, {1, 64, 20, 20})},
                     .outputs = {Operand(DType::kFloat16, {1, 64, 20, 20})}};
    if (kind == PoolKind::kMax) step.outputs.emplace_back();
    ExpectCompiles(step, "pool");
  }
}

TEST(CudaFamilies, IndicesOfMaximaStayOnTheHost) {
  Pool pool;
  pool.kernel = {2, 2};
  const StepProblem step{.op = &pool,
                         .inputs = {Operand(DType::kFloat32, {1, 4, 8, 8})},
                         .outputs = {Operand(DType::kFloat32, {1, 4, 7, 7}), Operand(DType::kInt64, {1, 4, 7, 7})}};
  EXPECT_EQ(Choose(step, Hopper()).family->name(), "host");
}

TEST(CudaFamilies, EveryPointwiseOpCompiles) {
  Region region;
  region.body = std::make_shared<tenon::Graph>();
  Value* x = region.body->AddInput("x", {DType::kFloat32, Shape{2, 40}});
  Value* y = region.body->AddInput("y", {DType::kFloat16, Shape{2, 40}});
  Cast cast;
  cast.to = DType::kFloat32;
  Value* sum = region.body->AddOp(cast, {y}, "widen")->output();
  for (size_t kind = 0; kind + 1 < kUnaryNames.size(); ++kind) {
    Unary unary;
    unary.kind = static_cast<UnaryKind>(kind);
    unary.alpha = 0.5f;
    unary.beta = 1.5f;
    if (unary.kind == UnaryKind::kNot || unary.kind == UnaryKind::kIsNaN || unary.kind == UnaryKind::kIsInf) continue;
    Value* term = region.body->AddOp(unary, {x}, std::string(kUnaryNames[kind]))->output();
    Binary join;
    join.kind = kind % 2 ? BinaryKind::kAdd : BinaryKind::kMax;
    sum = region.body->AddOp(join, {sum, term}, "join")->output();
  }
  for (const BinaryKind kind : {BinaryKind::kSub, BinaryKind::kMul, BinaryKind::kDiv, BinaryKind::kPow,
                                BinaryKind::kMin, BinaryKind::kFmod, BinaryKind::kMod, BinaryKind::kPRelu}) {
    Binary binary;
    binary.kind = kind;
    sum = region.body->AddOp(binary, {sum, x}, "binary")->output();
  }
  Binary less;
  less.kind = BinaryKind::kLess;
  Value* mask = region.body->AddOp(less, {x, sum}, "less")->output();
  sum = region.body->AddOp(Where(), {mask, sum, x}, "where")->output();
  cast.to = DType::kInt8;
  Value* bytes = region.body->AddOp(cast, {sum}, "narrow")->output();
  region.body->AddOutput(sum, "sum");
  region.body->AddOutput(bytes, "bytes");
  const StepProblem step{.op = &region,
                         .inputs = {Operand(DType::kFloat32, {2, 40}), Operand(DType::kFloat16, {2, 40})},
                         .outputs = {Operand(DType::kFloat32, {2, 40}), Operand(DType::kInt8, {2, 40})}};
  ExpectCompiles(step, "region");
}

TEST(CudaFamilies, DescribesItsPlans) {
  const CudaDevice hopper = Hopper();
  Program program;
  program.device = "cuda";
  program.fingerprint = hopper.Fingerprint();
  EXPECT_EQ(CudaDevice::OfPlan(program).limits.capability, 90);
  EXPECT_THROW(hopper.gpu(), Error);
}

}  // namespace
}  // namespace tenon::cuda
