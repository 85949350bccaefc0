#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/cpu_device.h"
#include "backends/strided.h"
#include "backends/cpu/cpu_kernel.h"
#include "guarded_buffer.h"

namespace tenon::cpu {

/// Dense elements in [-1, 1), rounded to `dtype`.
inline Tensor RandomTensor(DType dtype, const Shape& shape, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(ElemCount(shape));
  for (float& value : values) value = uniform(random);
  return Tensor::Of<float>(shape, values).CastTo(dtype);
}

/// How an operand lies in memory: dense row-major, or with axis 1 innermost and `gap` elements between pixels.
enum class Layout { kRowMajor, kChannelsLast };

/// An operand of a step with its elements in guarded memory.
struct StepOperand {
  KernelOperand operand;
  std::unique_ptr<GuardedBuffer> buffer;
};

inline StepOperand MakeOperand(const Tensor& tensor, Layout layout, int64_t gap, int fill) {
  StepOperand made;
  made.operand = {.present = true, .dtype = tensor.dtype(), .shape = tensor.shape()};
  const int rank = static_cast<int>(tensor.rank());
  std::vector<int64_t>& strides = made.operand.strides_bytes;
  strides.resize(rank);
  int64_t step = SizeOf(tensor.dtype());
  std::vector<int> order;  // innermost first
  for (int d = rank - 1; d >= 0; --d) order.push_back(d);
  if (layout == Layout::kChannelsLast && rank > 1) {
    order.erase(std::find(order.begin(), order.end(), 1));
    order.insert(order.begin(), 1);
  }
  for (int i = 0; i < rank; ++i) {
    strides[order[i]] = step;
    step *= tensor.shape()[order[i]];
    if (i == 0) step += gap * SizeOf(tensor.dtype());
  }
  made.buffer = std::make_unique<GuardedBuffer>(step, fill);
  return made;
}

/// A step made of tensors: constants stay tensors, the others are laid out in memory.
class StepHarness {
 public:
  explicit StepHarness(const Op& op) { step_.op = &op; }

  void AddConstant(const Tensor& tensor) {
    KernelOperand operand{.present = true,
                          .dtype = tensor.dtype(),
                          .shape = tensor.shape(),
                          .strides_bytes = {},
                          .constant = tensor,
                          .is_constant = true};
    for (const int64_t stride : ContiguousStrides(tensor.shape()))
      operand.strides_bytes.push_back(stride * SizeOf(tensor.dtype()));
    Add(tensor, {std::move(operand), nullptr});
  }
  void AddInput(const Tensor& tensor, Layout layout, int64_t gap = 0) {
    StepOperand made = MakeOperand(tensor, layout, gap, 0xff);
    ScatterOperand(tensor, made.operand, made.buffer->data());
    Add(tensor, std::move(made));
  }
  void AddAbsent() { Add(Tensor(), {}); }
  void SetOutput(Layout layout, int64_t gap = 0) {
    expected_ = step_.op->Evaluate(tensors_).at(0);
    output_ = MakeOperand(expected_, layout, gap, 0xa5);
    step_.outputs = {output_.operand};
  }

  const StepProblem& step() const { return step_; }

  /// Packs, forgets the constants, creates and runs; the result must be within `tolerance` (absolute) of the reference.
  std::vector<std::byte> RunAndCheck(const CpuKernelFamily& family, const std::string& tactic, const CpuDevice& device,
                                     double tolerance) {
    const std::vector<std::byte> packed = family.Pack(step_, tactic, device);
    std::vector<std::byte> storage(packed.size() + 64);
    std::byte* aligned = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64) % 64;
    std::copy(packed.begin(), packed.end(), aligned);
    CheckUnpack(family, tactic, device, packed);
    StepProblem at_load = step_;
    for (KernelOperand& operand : at_load.inputs) operand.constant = Tensor();
    const auto kernel = family.Create(at_load, tactic, device);
    EXPECT_LE(kernel->packed_bytes(), packed.size());
    GuardedBuffer scratch((kernel->scratch_bytes() + 63) / 64 * 64, 0xff);
    std::vector<const std::byte*> inputs;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const bool is_plain_constant = step_.inputs[i].is_constant && !family.PacksInput(step_, i);
      inputs.push_back(inputs_[i].buffer ? inputs_[i].buffer->data() : is_plain_constant ? tensors_[i].raw() : nullptr);
    }
    std::memset(output_.buffer->data(), 0xa5, output_.buffer->size());
    std::byte* output = output_.buffer->data();
    const AlignedBuffer expanded = family.Expand(step_, device, packed);
    const KernelArgs args{
        .inputs = inputs.data(), .outputs = &output, .packed = expanded.data() ? expanded.data() : aligned};
    for (int64_t i = kernel->work_items(); i-- > 0;) kernel->Run(args, i, scratch.data());
    CheckOutput(tolerance);
    return {output, output + output_.buffer->size()};
  }

  /// Every candidate of a supported step, which must agree to the bit.
  void CheckAllCandidates(const CpuKernelFamily& family, const CpuDevice& device, double tolerance) {
    ASSERT_EQ(family.Supports(step_, device), "");
    std::vector<std::byte> first;
    for (const std::string& tactic : family.Candidates(step_, device)) {
      SCOPED_TRACE(tactic);
      const auto bytes = RunAndCheck(family, tactic, device, tolerance);
      if (first.empty()) first = bytes;
      EXPECT_TRUE(bytes == first) << "differs from the first candidate";
      if (testing::Test::HasFailure()) return;
    }
    ASSERT_FALSE(first.empty());
  }

 private:
  void Add(const Tensor& tensor, StepOperand operand) {
    tensors_.push_back(tensor);
    step_.inputs.push_back(operand.operand);
    inputs_.push_back(std::move(operand));
  }

  void CheckUnpack(const CpuKernelFamily& family, const std::string& tactic, const CpuDevice& device,
                   std::span<const std::byte> packed) {
    for (size_t i = 0; i < step_.inputs.size(); ++i) {
      if (!family.PacksInput(step_, i)) continue;
      const Tensor back = family.Unpack(step_, tactic, device, packed, i);
      ASSERT_EQ(back.shape(), step_.inputs[i].shape);
      for (int64_t k = 0; k < back.elems(); ++k) {
        const double original = step_.inputs[i].constant.AsDouble(k);
        ASSERT_NEAR(back.AsDouble(k), original, std::fabs(original) / 256) << "unpacked operand " << i;
      }
    }
  }

  void CheckOutput(double tolerance) {
    const Tensor got = GatherOperand(output_.operand, output_.buffer->data());
    int wrong = 0;
    for (int64_t i = 0; i < got.elems(); ++i) {
      const double expected = expected_.AsDouble(i), value = got.AsDouble(i);
      const double rounding = got.dtype() == DType::kBFloat16 ? std::fabs(expected) / 100 : 0;
      if (std::fabs(value - expected) <= tolerance + rounding) continue;
      if (++wrong <= 3) ADD_FAILURE() << "element " << i << ": got " << value << ", expected " << expected;
    }
    EXPECT_EQ(wrong, 0) << "of " << got.elems();
  }

  StepProblem step_;
  std::vector<Tensor> tensors_;
  std::vector<StepOperand> inputs_;
  StepOperand output_;
  Tensor expected_;
};

/// This machine, with AVX-512 masked away where asked for.
enum class Features { kAll, kAvx2 };
inline CpuDevice DeviceWith(Features which) {
  CpuDevice device = CpuDevice::Detect();
  device.threads = 2;
  if (which == Features::kAvx2)
    device.features.avx512 = device.features.avx512_bf16 = device.features.amx_bf16 = device.features.avx512_vnni =
        false;
  return device;
}

}  // namespace tenon::cpu
