#pragma once
#include <memory>
#include <random>
#include <string>

#include "backends/cpu/cpu_device.h"
#include "compile/compiler.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "runtime/load.h"
#include "vision/image.h"

namespace tenon {

/// A detector of three classes on 32 x 32 images, one box for each of 16 places.
inline std::string FloatNet(int batch) {
  return R"(graph "net" {
    meta "task" "detect"
    input %images: f32[)" +
         std::to_string(batch) + R"(,3,32,32]
    const %w: f32[7,3,8,8] = random(1)
    const %shape: i64[3] = [0, 7, 16]
    %c = Conv(%images, %w) {strides=[8,8], dilations=[1,1], pads=[0,0,0,0]}
    %y = Unary(%c) {kind=sigmoid}
    %r = Reshape(%y, %shape)
    output %r "output0"
  })";
}

/// The same with its image and weights in INT8. @param zero_point of the image, "" for none
inline std::string QuantizedNet(int batch, const std::string& scale, const std::string& zero_point) {
  const std::string z = zero_point.empty() ? "" : ", %z";
  return R"(graph "net" {
    meta "task" "detect"
    input %images: f32[)" +
         std::to_string(batch) + R"(,3,32,32]
    const %wq: i8[7,3,8,8] = random(1)
    const %ws: f32[] = [0.002]
    const %s: f32[] = [)" +
         scale + "]\n" + (zero_point.empty() ? "" : "const %z: u8[] = [" + zero_point + "]\n") + R"(
    const %shape: i64[3] = [0, 7, 16]
    %q = QuantizeLinear(%images, %s)" +
         z + R"() {to=u8}
    %x = DequantizeLinear(%q, %s)" +
         z + R"()
    %w = DequantizeLinear(%wq, %ws)
    %c = Conv(%x, %w) {strides=[8,8], dilations=[1,1], pads=[0,0,0,0]}
    %y = Unary(%c) {kind=sigmoid}
    %r = Reshape(%y, %shape)
    output %r "output0"
  })";
}

inline Engine EngineOf(const std::string& net, const CpuDevice& device = CpuDevice::Detect()) {
  TimingCache cache;
  return MakeEngine(CompileFor(Parse(net, &MakeOp), device, {.tune = {.effort = 0}}, cache).engine, device);
}

inline Image RandomImage(int height, int width, uint32_t seed) {
  Image image(height, width);
  std::mt19937 random(seed);
  for (uint8_t& byte : image.bgr) byte = static_cast<uint8_t>(random());
  return image;
}

}  // namespace tenon
