#include "backends/cpu/cpu_program.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>

#include "backends/cpu/tactic_list.h"
#include "backends/step.h"
#include "base/error.h"

namespace tenon {
namespace {

/// Threads to load with: fewer where the process may not start so many.
std::unique_ptr<ThreadPool> MakeLoaders(int threads) {
  constexpr int kMost = 8;
  try {
    return std::make_unique<ThreadPool>(std::clamp(threads, 1, kMost));
  } catch (const Error&) {
    return std::make_unique<ThreadPool>(1);
  }
}

}  // namespace

// Kernels don't know one another: generating their code is shared out, and so is the transform of their weights.
CpuProgram::CpuProgram(std::shared_ptr<const Program> program, const CpuDevice& device,
                       std::shared_ptr<ExpandedWeights> expanded)
    : program_(std::move(program)), expanded_(std::move(expanded)) {
  // First: what other kernels mean by a step, this version can't tell.
  CheckForeignFamilies(*program_, device.families());
  kernels_.resize(program_->steps.size());
  packed_.resize(kernels_.size());
  std::vector<std::exception_ptr> failures(kernels_.size());
  MakeLoaders(device.threads)->Run(static_cast<int64_t>(kernels_.size()), [&](int64_t i, int) {
    try {
      MakeReady(static_cast<size_t>(i), device);
    } catch (...) {
      failures[i] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  for (const auto& kernel : kernels_) scratch_bytes_ = std::max(scratch_bytes_, kernel->scratch_bytes());
  quantized_image_ = FindQuantizedImage(*program_);
}

void CpuProgram::MakeReady(size_t i, const CpuDevice& device) {
  const ProgramStep& step = program_->steps[i];
  const StepDescription description = DescribeStep(*program_, step);
  const CpuKernelFamily& family = *FindCpuKernelFamily(step.family);
  CheckStep(step, description.problem, family, device);
  kernels_[i] = family.Create(description.problem, step.tactic, device);
  CheckPackedBytes(*program_, step, kernels_[i]->packed_bytes());
  if (step.packed < 0) return;
  const Blob& packed = program_->packed[step.packed];
  packed_[i] = expanded_->Get(family, step, description.problem, device, packed);
  if (!packed_[i]) packed_[i] = packed.data.get();
}

void Launch(const Kernel& kernel, const KernelArgs& args, ThreadPool& pool, std::byte* scratch,
            int64_t scratch_per_thread) {
  std::exception_ptr failure;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  pool.Run(kernel.work_items(), [&](int64_t item, int thread) {
    try {
      kernel.Run(args, item, scratch + thread * scratch_per_thread);
    } catch (...) {  // data-dependent errors of the reference family, such as an index out of range
      if (!failed.test_and_set()) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

void StepArgs::Bind(const Program& program, std::byte* arena, std::span<const void* const> inputs,
                    std::span<void* const> outputs) {
  steps_.clear();
  inputs_.clear();
  outputs_.clear();
  const auto address = [&](const ProgramOperand& operand) -> std::byte* {
    switch (operand.memory) {
      case MemoryKind::kArena:
        return arena + operand.offset_bytes;
      // Kernels get one pointer type; they never write through inputs.
      case MemoryKind::kInput:
        return static_cast<std::byte*>(const_cast<void*>(inputs[operand.index])) + operand.offset_bytes;
      case MemoryKind::kOutput:
        return static_cast<std::byte*>(outputs[operand.index]) + operand.offset_bytes;
      case MemoryKind::kConstant:
        return const_cast<std::byte*>(program.constants[operand.index].raw()) + operand.offset_bytes;
      case MemoryKind::kAbsent:
      case MemoryKind::kPacked:
        break;
    }
    return nullptr;
  };
  for (const ProgramStep& step : program.steps) {
    steps_.push_back({inputs_.size(), outputs_.size()});
    for (const auto& operand : step.inputs) inputs_.push_back(address(operand));
    for (const auto& operand : step.outputs) outputs_.push_back(address(operand));
  }
}

CpuExecution::CpuExecution(std::shared_ptr<const CpuProgram> program, int threads)
    : program_(std::move(program)), arena_(program_->program().arena_bytes), pool_(std::max(1, threads)) {
  scratch_per_thread_ = (static_cast<int64_t>(program_->scratch_bytes()) + 127) / 64 * 64;
  scratch_ = AlignedBuffer(scratch_per_thread_ * pool_.threads());
}

uint8_t* CpuExecution::quantized_image() const {
  const std::optional<QuantizedImage>& image = program_->quantized_image();
  return image ? reinterpret_cast<uint8_t*>(arena_.data() + image->offset_bytes) : nullptr;
}

void CpuExecution::Run(std::span<const void* const> inputs, std::span<void* const> outputs,
                       std::vector<double>* step_us) {
  using Clock = std::chrono::steady_clock;
  // One reading of the clock between two steps: the steps' times leave no gap and add up to the run's.
  auto last = step_us ? Clock::now() : Clock::time_point();
  args_.Bind(program_->program(), arena_.data(), inputs, outputs);
  const size_t steps = program_->program().steps.size();
  if (step_us) step_us->assign(steps, 0);
  const bool is_quantized = !inputs.empty() && inputs[0] && inputs[0] == quantized_image();
  for (size_t i = is_quantized ? 1 : 0; i < steps; ++i) {
    const Kernel& kernel = program_->kernel(i);
    KernelArgs args = args_.Of(i);
    args.packed = program_->packed(i);
    Launch(kernel, args, pool_, scratch_.data(), scratch_per_thread_);
    if (!step_us) continue;
    const auto now = Clock::now();
    (*step_us)[i] = std::chrono::duration<double, std::micro>(now - last).count();
    last = now;
  }
}

}  // namespace tenon
