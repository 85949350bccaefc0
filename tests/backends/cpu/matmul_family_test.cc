#include "backends/cpu/matmul_family.h"

#include "family_harness.h"
#include "ops/matmul.h"

namespace tenon::cpu {
namespace {

enum class B { kConstant, kRunTime };

struct MatMulCase {
  Shape a, b;
  B kind = B::kConstant;
  bool bias = false, residual = false;
  Layout a_layout = Layout::kRowMajor, b_layout = Layout::kRowMajor, out_layout = Layout::kRowMajor;
  Activation activation = Activation::kNone;
};

void Check(const MatMulCase& c, Features features, DType dtype) {
  SCOPED_TRACE(ToString(c.a) + " x " + ToString(c.b) + " " + std::string(ToString(dtype)));
  std::mt19937 random(3);
  MatMul op;
  op.epilogue.compute = op.epilogue.out = dtype;
  op.epilogue.activation = c.activation;
  StepHarness harness(op);
  harness.AddInput(RandomTensor(dtype, c.a, random), c.a_layout, 2);
  const Tensor b = RandomTensor(dtype, c.b, random);
  c.kind == B::kConstant ? harness.AddConstant(b) : harness.AddInput(b, c.b_layout, 1);
  c.bias ? harness.AddConstant(RandomTensor(DType::kFloat32, {c.b.back()}, random)) : harness.AddAbsent();
  if (c.residual) {
    const Tensor out = op.Evaluate(std::vector<Tensor>{RandomTensor(dtype, c.a, random), b}).at(0);
    harness.AddInput(RandomTensor(dtype, out.shape(), random), c.out_layout, 1);
  }
  harness.SetOutput(c.out_layout, 3);
  // K is below 100 here: K^2 units of 2^-24 at most.
  harness.CheckAllCandidates(MatMulFamily(), DeviceWith(features), 1e-3);
}

void CheckEverywhere(const MatMulCase& c) {
  Check(c, Features::kAvx2, DType::kFloat32);
  const CpuFeatures all = DetectCpuFeatures();
  if (all.avx512) Check(c, Features::kAll, DType::kFloat32);
  if (all.avx512_bf16) Check(c, Features::kAll, DType::kBFloat16);
}

TEST(MatMulFamilyTest, ConstantB) {
  for (const int n : {1, 5, 16, 85}) {
    for (const int k : {1, 7, 64}) CheckEverywhere({.a = {13, k}, .b = {k, n}, .bias = true});
  }
  CheckEverywhere(
      {.a = {2, 3, 10, 33}, .b = {33, 40}, .bias = true, .residual = true, .activation = Activation::kGeluErf});
  CheckEverywhere({.a = {2, 3, 10, 33}, .b = {2, 1, 33, 40}});  // a constant that is a batch
}

TEST(MatMulFamilyTest, RunTimeB) {
  CheckEverywhere({.a = {30, 17}, .b = {17, 70}, .kind = B::kRunTime, .bias = true});
  CheckEverywhere({.a = {2, 3, 31, 17}, .b = {2, 1, 17, 70}, .kind = B::kRunTime, .residual = true});
  CheckEverywhere({.a = {5, 9, 8}, .b = {8, 20}, .kind = B::kRunTime, .activation = Activation::kRelu});
}

// Axis 1 innermost is what an image gives: columns of A next to each other or not, B by rows or by columns, C by rows.
TEST(MatMulFamilyTest, Layouts) {
  for (const Layout a : {Layout::kRowMajor, Layout::kChannelsLast}) {
    for (const Layout b : {Layout::kRowMajor, Layout::kChannelsLast}) {
      for (const Layout out : {Layout::kRowMajor, Layout::kChannelsLast}) {
        CheckEverywhere(
            {.a = {3, 21, 18}, .b = {3, 18, 37}, .kind = B::kRunTime, .a_layout = a, .b_layout = b, .out_layout = out});
      }
    }
  }
  CheckEverywhere({.a = {3, 21, 18}, .b = {18, 37}, .residual = true, .out_layout = Layout::kChannelsLast});
}

TEST(MatMulFamilyTest, Vectors) {
  CheckEverywhere({.a = {19}, .b = {19, 33}, .kind = B::kRunTime});
  CheckEverywhere({.a = {4, 7, 19}, .b = {19}, .kind = B::kRunTime});
  CheckEverywhere({.a = {19}, .b = {19}, .kind = B::kRunTime});
}

TEST(MatMulFamilyTest, RefusesWithAReason) {
  std::mt19937 random(1);
  MatMul op;
  StepHarness harness(op);
  harness.AddInput(RandomTensor(DType::kFloat32, {2, 8, 3}, random), Layout::kRowMajor);
  harness.AddConstant(RandomTensor(DType::kFloat32, {3, 9}, random));
  harness.AddConstant(RandomTensor(DType::kFloat32, {9}, random));
  harness.SetOutput(Layout::kChannelsLast);
  EXPECT_NE(MatMulFamily().Supports(harness.step(), DeviceWith(Features::kAvx2)), "");
}

}  // namespace
}  // namespace tenon::cpu
