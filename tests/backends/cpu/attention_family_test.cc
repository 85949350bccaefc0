#include "backends/cpu/attention_family.h"

#include "family_harness.h"
#include "ops/matmul.h"

namespace tenon::cpu {
namespace {

struct AttentionCase {
  Shape q, k, v;
  Layout q_layout = Layout::kRowMajor, k_layout = Layout::kRowMajor, v_layout = Layout::kRowMajor,
         out_layout = Layout::kRowMajor;
  float scale = 0.4f;
};

void Check(const AttentionCase& c, Features features, DType dtype) {
  SCOPED_TRACE(ToString(c.q) + " " + ToString(c.k) + " " + ToString(c.v) + " " + std::string(ToString(dtype)));
  std::mt19937 random(3);
  Attention op;
  op.scale = c.scale;
  op.compute = op.out = dtype;
  StepHarness harness(op);
  harness.AddInput(RandomTensor(dtype, c.q, random), c.q_layout, 2);
  harness.AddInput(RandomTensor(dtype, c.k, random), c.k_layout, 1);
  harness.AddInput(RandomTensor(dtype, c.v, random), c.v_layout, 3);
  harness.SetOutput(c.out_layout, 3);
  // Scores are off by less than 1e-4, probabilities by that share of themselves; outputs are means of values below 1.
  harness.CheckAllCandidates(AttentionFamily(), DeviceWith(features), 3e-4);
}

void CheckEverywhere(const AttentionCase& c) {
  Check(c, Features::kAvx2, DType::kFloat32);
  const CpuFeatures all = DetectCpuFeatures();
  if (all.avx512) Check(c, Features::kAll, DType::kFloat32);
  if (all.avx512_bf16) Check(c, Features::kAll, DType::kBFloat16);
}

TEST(AttentionFamilyTest, Sizes) {
  for (const int64_t l : {1, 7, 16, 33, 100}) CheckEverywhere({.q = {2, 13, 9}, .k = {2, 9, l}, .v = {2, l, 20}});
  CheckEverywhere({.q = {1, 2, 150, 32}, .k = {1, 2, 32, 150}, .v = {1, 2, 150, 64}});
  CheckEverywhere({.q = {5, 3}, .k = {3, 6}, .v = {6, 1}, .scale = 8});
}

TEST(AttentionFamilyTest, Layouts) {
  for (const Layout a : {Layout::kRowMajor, Layout::kChannelsLast}) {
    for (const Layout b : {Layout::kRowMajor, Layout::kChannelsLast}) {
      CheckEverywhere({.q = {2, 19, 8},
                       .k = {2, 8, 23},
                       .v = {2, 23, 18},
                       .q_layout = a,
                       .k_layout = b,
                       .v_layout = a,
                       .out_layout = b});
    }
  }
}

TEST(AttentionFamilyTest, BroadcastBatch) {
  CheckEverywhere({.q = {2, 3, 10, 8}, .k = {3, 8, 12}, .v = {2, 1, 12, 17}});
}

TEST(AttentionFamilyTest, RefusesWithAReason) {
  std::mt19937 random(1);
  Attention op;
  op.scale = -1;
  StepHarness harness(op);
  harness.AddInput(RandomTensor(DType::kFloat32, {4, 8}, random), Layout::kRowMajor);
  harness.AddInput(RandomTensor(DType::kFloat32, {8, 4}, random), Layout::kRowMajor);
  harness.AddInput(RandomTensor(DType::kFloat32, {4, 8}, random), Layout::kRowMajor);
  harness.SetOutput(Layout::kRowMajor);
  EXPECT_NE(AttentionFamily().Supports(harness.step(), DeviceWith(Features::kAvx2)), "");
}

}  // namespace
}  // namespace tenon::cpu
