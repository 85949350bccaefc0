#pragma once
#include <memory>
#include <span>
#include <vector>

#include "backends/cpu/aligned_buffer.h"
#include "backends/cpu/cpu_device.h"
#include "backends/cpu/cpu_kernel.h"
#include "backends/cpu/expanded_weights.h"
#include "backends/cpu/quantized_image.h"
#include "base/thread_pool.h"
#include "engine/program.h"

namespace tenon {

/// A program made ready to run on this CPU: kernels generated, weights in place. Immutable: contexts share it.
class CpuProgram {
 public:
  /// Throws Error(kUnsupportedDevice) when a kernel needs a feature that this CPU lacks, Error(kInvalidInput) when the
  /// program is damaged or was built by a version of Tenon with other kernels. `program` must have passed
  /// ValidateProgram.
  /// @param expanded shared by the programs of an engine
  CpuProgram(std::shared_ptr<const Program> program, const CpuDevice& device,
             std::shared_ptr<ExpandedWeights> expanded = std::make_shared<ExpandedWeights>());

  const Program& program() const { return *program_; }
  const Kernel& kernel(size_t step) const { return *kernels_[step]; }
  size_t scratch_bytes() const { return scratch_bytes_; }
  /// What a step's kernel reads as packed constants.
  const std::byte* packed(size_t step) const { return packed_[step]; }
  const std::optional<QuantizedImage>& quantized_image() const { return quantized_image_; }

 private:
  void MakeReady(size_t step, const CpuDevice& device);

  std::shared_ptr<const Program> program_;
  std::optional<QuantizedImage> quantized_image_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::shared_ptr<ExpandedWeights> expanded_;
  std::vector<const std::byte*> packed_;  ///< by step; of the program or expanded
  size_t scratch_bytes_ = 0;
};

/// Runs all work items of a kernel; the first exception of an item is thrown again here.
void Launch(const Kernel& kernel, const KernelArgs& args, ThreadPool& pool, std::byte* scratch,
            int64_t scratch_per_thread);

/// Addresses of every step's operands for one binding of inputs and outputs; packed constants are for others to add.
class StepArgs {
 public:
  void Bind(const Program& program, std::byte* arena, std::span<const void* const> inputs,
            std::span<void* const> outputs);
  KernelArgs Of(size_t step) const {
    return {.inputs = inputs_.data() + steps_[step].first_input,
            .outputs = outputs_.data() + steps_[step].first_output};
  }

 private:
  struct Step {
    size_t first_input, first_output;
  };
  std::vector<Step> steps_;
  std::vector<const std::byte*> inputs_;
  std::vector<std::byte*> outputs_;
};

/// One stream of runs of a program: an arena, scratch memory and threads of its own. Not for two threads at once.
class CpuExecution {
 public:
  CpuExecution(std::shared_ptr<const CpuProgram> program, int threads);

  /// Runs all steps; where the first input is quantized_image(), those behind the one that would quantise it.
  /// `step_us`, where given, gets the time of each step in microseconds.
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us = nullptr);
  const CpuProgram& program() const { return *program_; }
  /// Where the quantised image of the next run may be written, as program().quantized_image() says; null where that is
  /// none. A run leaves other values there.
  uint8_t* quantized_image() const;
  int threads() const { return pool_.threads(); }
  int64_t memory_bytes() const { return arena_.allocated_bytes() + scratch_.allocated_bytes(); }

 private:
  std::shared_ptr<const CpuProgram> program_;
  AlignedBuffer arena_, scratch_;
  int64_t scratch_per_thread_ = 0;
  ThreadPool pool_;
  StepArgs args_;
};

}  // namespace tenon
