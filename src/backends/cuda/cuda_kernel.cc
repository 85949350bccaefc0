#include "backends/cuda/cuda_kernel.h"

namespace tenon {
namespace {

cuda::DevicePtr BaseOf(const KernelPointer& pointer, const StepAddresses& addresses) {
  const auto operand = static_cast<size_t>(pointer.index);
  switch (pointer.memory) {
    case KernelPointer::Memory::kInput:
      return addresses.inputs.at(operand);
    case KernelPointer::Memory::kOutput:
      return addresses.outputs.at(operand);
    case KernelPointer::Memory::kPacked:
      return addresses.packed;
    case KernelPointer::Memory::kScratch:
      return addresses.scratch;
    case KernelPointer::Memory::kNull:
      break;
  }
  return 0;
}

}  // namespace

std::vector<cuda::DevicePtr> ArgumentsOf(const std::vector<KernelPointer>& pointers, const StepAddresses& addresses) {
  std::vector<cuda::DevicePtr> arguments;
  for (const KernelPointer& pointer : pointers) {
    const cuda::DevicePtr base = BaseOf(pointer, addresses);
    arguments.push_back(base == 0 ? 0 : base + static_cast<cuda::DevicePtr>(pointer.offset_bytes));
  }
  return arguments;
}

}  // namespace tenon
