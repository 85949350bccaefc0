#pragma once
// Steps and a device for tests of the CUDA families.
#include <random>

#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

inline CudaDevice Hopper() {
  CudaDevice device;
  device.name = "a Hopper of the tests";
  device.limits = {.capability = 90,
                   .multiprocessors = 132,
                   .shared_bytes_per_block = 227 << 10,
                   .shared_bytes_per_multiprocessor = 228 << 10};
  return device;
}

/// A channels-last (rank 4) or row-major operand at an aligned address.
inline KernelOperand Operand(DType dtype, const Shape& shape) {
  KernelOperand operand{.present = true, .dtype = dtype, .shape = shape, .strides_bytes = ContiguousStrides(shape)};
  for (int64_t& stride : operand.strides_bytes) stride *= SizeOf(dtype);
  if (shape.size() == 4) {
    const int64_t size = SizeOf(dtype), pixel = size * shape[1];
    operand.strides_bytes = {pixel * shape[2] * shape[3], size, pixel * shape[3], pixel};
  }
  operand.alignment_bytes = 64;
  return operand;
}

inline KernelOperand Constant(const Tensor& tensor) {
  KernelOperand operand = Operand(tensor.dtype(), tensor.shape());
  operand.is_constant = true;
  operand.constant = tensor;
  return operand;
}

inline Tensor Random(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<size_t>(ElemCount(shape)));
  for (float& value : values) value = uniform(random);
  return Tensor::Of<float>(shape, values);
}

/// The first family that takes the step, with its first tactic.
struct Choice {
  const CudaKernelFamily* family = nullptr;
  std::string tactic;
};
inline Choice Choose(const StepProblem& step, const CudaDevice& device) {
  for (const CudaKernelFamily* family : CudaKernelFamilies()) {
    if (family->Supports(step, device).empty()) return {family, family->Candidates(step, device).at(0)};
  }
  return {};
}

}  // namespace tenon::cuda
