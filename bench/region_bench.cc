// Time of the region family on one thread: the YOLOv8 detection tail and plain elementwise steps.
// Usage: region_bench [repetitions]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "backends/cpu/cpu_device.h"
#include "backends/cpu/region_family.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "ops/region.h"

namespace tenon {
namespace {

constexpr std::string_view kTail = R"(graph "tail" {
  input %x: f32[1,144,8400]
  input %anchors: f32[1,2,8400]
  input %strides: f32[1,8400]
  const %sizes: i64[2] = [64, 80]
  const %bins_shape: i64[4] = [1, 4, 16, 8400]
  const %box_shape: i64[3] = [1, 4, 8400]
  const %bins: f32[1,16,1,1] = [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]
  const %half: f32[] = [0.5]
  %box, %cls = Split(%x, %sizes) {axis=1, num_outputs=2}
  %b = Reshape(%box, %bins_shape)
  %t = Transpose(%b) {perm=[0,2,1,3]}
  %p = Softmax(%t) {axis=1}
  %d = Conv(%p, %bins) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %r = Reshape(%d, %box_shape)
  %lt, %rb = Split(%r) {axis=1, num_outputs=2}
  %x1y1 = Binary(%anchors, %lt) {kind=sub}
  %x2y2 = Binary(%anchors, %rb) {kind=add}
  %sum = Binary(%x1y1, %x2y2) {kind=add}
  %centre = Binary(%sum, %half) {kind=mul}
  %size = Binary(%x2y2, %x1y1) {kind=sub}
  %xywh = Concat(%centre, %size) {axis=1}
  %scaled = Binary(%xywh, %strides) {kind=mul}
  %scores = Unary(%cls) {kind=sigmoid}
  %y = Concat(%scaled, %scores) {axis=1}
  output %y "output0"
})";

constexpr std::string_view kAdd = R"(graph "add" {
  input %x: f32[1,64,80,80]
  input %y: f32[1,64,80,80]
  %z = Binary(%x, %y) {kind=add}
  output %z "z"
})";

constexpr std::string_view kSigmoid = R"(graph "sigmoid" {
  input %x: f32[1,80,8400]
  %y = Unary(%x) {kind=sigmoid}
  output %y "y"
})";

constexpr std::string_view kImage = R"(graph "image" {
  input %x: f32[1,3,640,640]
  %y = Unary(%x) {kind=identity}
  output %y "y"
})";

enum class Order { kRowMajor, kChannelsLast };

struct Place {
  Order order = Order::kRowMajor;
  int64_t pitch = 0;  ///< channels of the buffer that a channels-last operand is part of; 0: its own
};

KernelOperand MakeOperand(const Value& value, const Place& place) {
  KernelOperand operand{.present = true,
                        .dtype = value.dtype(),
                        .shape = value.shape(),
                        .strides_bytes = ContiguousStrides(value.shape())};
  if (place.order == Order::kChannelsLast) {
    int64_t stride = place.pitch ? place.pitch : value.shape()[1];
    for (size_t d = value.shape().size(); d-- > 2;) {
      operand.strides_bytes[d] = stride;
      stride *= value.shape()[d];
    }
    operand.strides_bytes[1] = 1;
    operand.strides_bytes[0] = stride;
  }
  for (int64_t& stride : operand.strides_bytes) stride *= SizeOf(value.dtype());
  return operand;
}

void Measure(std::string_view name, std::string_view text, const std::vector<Place>& places, const Place& out,
             int repetitions) {
  Region region;
  region.body = Parse(text, MakeOp);
  StepProblem problem{.op = &region};
  std::vector<Tensor> memory;
  std::vector<const std::byte*> inputs;
  for (size_t i = 0; i < region.body->inputs().size(); ++i) {
    problem.inputs.push_back(MakeOperand(*region.body->inputs()[i], places[std::min(i, places.size() - 1)]));
    memory.emplace_back(DType::kFloat32,
                        Shape{4 * region.body->inputs()[i]->shape()[0] * ElemCount(region.body->inputs()[i]->shape())});
    inputs.push_back(memory.back().raw());
  }
  problem.outputs.push_back(MakeOperand(*region.body->outputs()[0], out));
  Tensor result(DType::kFloat32, {4 * ElemCount(region.body->outputs()[0]->shape())});
  std::byte* outputs[] = {result.raw()};
  const auto start = std::chrono::steady_clock::now();
  const auto kernel = RegionFamily().Create(problem, "", CpuDevice::Detect());
  const std::chrono::duration<double, std::milli> create = std::chrono::steady_clock::now() - start;
  const Tensor scratch(DType::kUInt8, {static_cast<int64_t>(kernel->scratch_bytes()) + 64});
  double best = 1e30;
  for (int i = 0; i < repetitions; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t item = 0; item < kernel->work_items(); ++item) {
      kernel->Run({inputs.data(), outputs, nullptr}, item, const_cast<std::byte*>(scratch.raw()));
    }
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  fmt::print("{:32} {:8.3f} ms  {:4} items  made in {:.1f} ms\n", name, best, kernel->work_items(), create.count());
}

}  // namespace
}  // namespace tenon

int main(int argc, char** argv) {
  using namespace tenon;
  const int repetitions = argc > 1 ? std::atoi(argv[1]) : 50;
  const Place rows{}, pixels{Order::kChannelsLast};
  Measure("yolov8 tail", kTail, {pixels, rows}, rows, repetitions);
  Measure("yolov8 tail, row-major", kTail, {rows}, rows, repetitions);
  Measure("sigmoid, channels-last to rows", kSigmoid, {{Order::kChannelsLast, 144}}, rows, repetitions);
  Measure("sigmoid, rows", kSigmoid, {rows}, rows, repetitions);
  Measure("add", kAdd, {pixels}, pixels, repetitions);
  Measure("add of slices", kAdd, {{Order::kChannelsLast, 128}}, {Order::kChannelsLast, 192}, repetitions);
  Measure("image to channels-last", kImage, {rows}, pixels, repetitions);
  return 0;
}
