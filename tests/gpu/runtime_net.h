#pragma once
#include <random>
#include <string>
#include <vector>

#include "backends/cuda/cuda_device.h"
#include "compile/compiler.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "runtime/load.h"

namespace tenon::gpu_testing {

/// A little network with two outputs: convolutions, a fused tail, and a step that runs on the host.
inline std::unique_ptr<Graph> MakeNet(int64_t batch) {
  std::string text = R"(graph "net" {
  input %images: f32[BATCH,3,64,64]
  const %w0: f32[16,3,3,3] = random(1)
  const %w1: f32[32,16,3,3] = random(3)
  const %w2: f32[8,32,1,1] = random(4)
  const %axis: i64[1] = [1]
  %a = Conv(%images, %w0) {strides=[2,2], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %b = Conv(%a, %w1) {strides=[2,2], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %c = Conv(%b, %w2) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %y = Unary(%c) {kind=sigmoid}
  %z = CumSum(%c, %axis)
  output %y "scores"
  output %z "sums"
})";
  text.replace(text.find("BATCH"), 5, std::to_string(batch));
  return Parse(text, &MakeOp);
}

/// Its first tactics, without timing.
inline std::shared_ptr<EngineModel> CompileNet(const Device& device, int64_t batch) {
  TimingCache cache;
  return CompileFor(MakeNet(batch), device, {.tune = {.effort = 0}}, cache).engine;
}

inline std::vector<float> RandomFloats(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  std::mt19937 random(seed);
  for (float& value : values) value = static_cast<float>(random() % 1000) / 1000.0f;
  return values;
}

}  // namespace tenon::gpu_testing
