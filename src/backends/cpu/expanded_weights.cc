#include "backends/cpu/expanded_weights.h"

namespace tenon {

const std::byte* ExpandedWeights::Get(const CpuKernelFamily& family, const ProgramStep& step,
                                      const StepProblem& problem, const CpuDevice& device, const Blob& packed) {
  Slot* slot = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Slot>& found = slots_[{packed.data.get(), &family, step.attrs}];
    if (!found) found = std::make_unique<Slot>();
    slot = found.get();
  }
  std::call_once(slot->once, [&] { slot->buffer = family.Expand(problem, device, packed.bytes()); });
  return slot->buffer.data();
}

int64_t ExpandedWeights::allocated_bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t bytes = 0;
  for (const auto& [key, slot] : slots_) bytes += slot->buffer.allocated_bytes();
  return bytes;
}

}  // namespace tenon
