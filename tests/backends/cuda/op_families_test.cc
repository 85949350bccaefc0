// Every family's samples: the family that should takes them, what it packs comes back, and NVRTC compiles what it
// launches without local memory. tests/property compares results where a GPU is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/cuda/cuda_steps.h"
#include "backends/cuda/nvrtc.h"
#include "backends/cuda/op_samples.h"
#include "base/error.h"

namespace tenon::cuda {
namespace {

TEST(CudaOpFamilies, TakeTheirSamples) {
  for (const OpSample& sample : OpSamples()) {
    const Choice choice = Choose(sample.step, Hopper());
    ASSERT_NE(choice.family, nullptr) << sample.name;
    EXPECT_EQ(choice.family->name(), sample.family)
        << sample.name << ": " << FindCudaKernelFamily(sample.family)->Supports(sample.step, Hopper());
  }
}

TEST(CudaOpFamilies, PackAndUnpack) {
  const CudaDevice device = Hopper();
  for (const OpSample& sample : OpSamples()) {
    const Choice choice = Choose(sample.step, device);
    const std::vector<std::byte> packed = choice.family->Pack(sample.step, choice.tactic, device);
    EXPECT_EQ(packed.size(), choice.family->PackedBytes(sample.step, choice.tactic, device)) << sample.name;
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      if (!choice.family->PacksInput(sample.step, i)) continue;
      const Tensor back = choice.family->Unpack(sample.step, choice.tactic, device, packed, i);
      EXPECT_TRUE(Identical(back.CastTo(sample.inputs[i].dtype()), sample.inputs[i]))
          << sample.name << " operand " << i;
    }
  }
}

TEST(CudaOpFamilies, RefuseForeignTactics) {
  for (const OpSample& sample : OpSamples())
    EXPECT_THROW(Choose(sample.step, Hopper()).family->Lower(sample.step, "unknown", Hopper()), Error) << sample.name;
}

class CudaOpKernels : public testing::TestWithParam<int> {};

TEST_P(CudaOpKernels, CompileWithoutLocalMemory) {
  CudaDevice device = Hopper();
  device.limits = {GetParam(), 132, 64 << 10, 64 << 10};  // the least shared memory of all: Turing's
  const Nvrtc* nvrtc = nullptr;
  try {
    nvrtc = &Nvrtc::Get();
  } catch (const Error&) {
    GTEST_SKIP() << "NVRTC is not on this machine";
  }
  const std::vector<int> known = nvrtc->Capabilities();
  if (std::find(known.begin(), known.end(), GetParam()) == known.end())
    GTEST_SKIP() << "this NVRTC does not compile for " << ArchitectureOf(GetParam());
  std::vector<KernelSource> sources;
  std::vector<std::string> names;
  for (const OpSample& sample : OpSamples()) {
    const Choice choice = Choose(sample.step, device);
    EXPECT_EQ(choice.family->name(), sample.family) << sample.name;
    for (KernelLaunch& launch : choice.family->Lower(sample.step, choice.tactic, device)) {
      names.push_back(sample.name);
      sources.push_back(std::move(launch.source));
    }
  }
  const std::vector<Cubin> cubins = nvrtc->CompileAll(sources, {.capability = GetParam()}, 2);
  for (size_t i = 0; i < cubins.size(); ++i)
    EXPECT_THAT(cubins[i].log, testing::HasSubstr("0 bytes stack frame, 0 bytes spill stores")) << names[i];
}

INSTANTIATE_TEST_SUITE_P(Gpus, CudaOpKernels, testing::Values(75, 80, 90, 120),
                         [](const auto& gpu) { return fmt::format("sm_{}", gpu.param); });

}  // namespace
}  // namespace tenon::cuda
