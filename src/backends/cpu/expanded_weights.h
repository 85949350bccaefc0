#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "backends/cpu/cpu_kernel.h"
#include "engine/program.h"

namespace tenon {

/// What kernels read in place of packed constants (CpuKernelFamily::Expand), held once for all programs of an engine:
/// those of several batch sizes have packed constants in common. Many threads may ask at once.
class ExpandedWeights {
 public:
  /// The expanded form of a step's packed constants, made by who asks first and alive as long as this object; null
  /// where the family reads them as they are.
  const std::byte* Get(const CpuKernelFamily& family, const ProgramStep& step, const StepProblem& problem,
                       const CpuDevice& device, const Blob& packed);
  int64_t allocated_bytes() const;

 private:
  struct Slot {
    std::once_flag once;
    AlignedBuffer buffer;
  };
  /// Where the packed bytes lie, who reads them, and the op's text: what else the form depends on.
  using Key = std::tuple<const std::byte*, const CpuKernelFamily*, std::string>;

  mutable std::mutex mutex_;  ///< of slots_
  std::map<Key, std::unique_ptr<Slot>> slots_;
};

}  // namespace tenon
