#pragma once
#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "backends/cuda/cuda_kernel.h"
#include "backends/step.h"

namespace tenon {

/// A step ready to launch.
struct CudaStep {
  struct Launch {
    const cuda::GpuKernel* kernel;
    cuda::LaunchConfig config;
    std::vector<KernelPointer> pointers;
  };
  std::vector<Launch> launches;
  bool on_host = false;  ///< `description` is evaluated there
  StepDescription description;
  cuda::DevicePtr packed = 0;
  std::vector<cuda::DevicePtr> constants;  ///< by input; 0 where it is none
  int64_t scratch_offset_bytes = 0;        ///< of its part of the scratch memory: other steps may run beside it
};

/// A program made ready to run on this GPU: code loaded, weights in its memory. Immutable: contexts share it.
class CudaProgram {
 public:
  /// Throws Error(kUnsupportedDevice) when the GPU fails or lacks memory, Error(kInvalidInput) when the program is
  /// damaged or was built by a version of Tenon with other kernels. `program` must have passed ValidateProgram.
  CudaProgram(std::shared_ptr<const Program> program, const CudaDevice& device);
  ~CudaProgram();

  const Program& program() const { return *program_; }
  const CudaStep& step(size_t i) const { return steps_[i]; }
  size_t size() const { return steps_.size(); }
  /// For each step, those that it waits for.
  const std::vector<std::vector<size_t>>& dependencies() const { return dependencies_; }
  int64_t scratch_bytes() const { return scratch_bytes_; }
  const cuda::GpuContext& gpu() const { return *gpu_; }

 private:
  void UploadConstants();
  CudaStep MakeStep(const ProgramStep& step, const CudaDevice& device);
  const cuda::GpuKernel& Kernel(const ProgramStep& step, const KernelLaunch& launch);

  std::shared_ptr<const Program> program_;
  std::shared_ptr<const cuda::GpuContext> gpu_;
  std::unique_ptr<cuda::DeviceBuffer> weights_;
  std::vector<cuda::DevicePtr> packed_, constants_;  ///< addresses, as the program numbers them
  std::map<std::pair<Digest, int>, std::unique_ptr<cuda::GpuKernel>> kernels_;  ///< by source and shared memory
  std::vector<CudaStep> steps_;
  std::vector<std::vector<size_t>> dependencies_;
  int64_t scratch_bytes_ = 0;
};

/// One stream of runs of a program: an arena and buffers of its own, the whole program as one graph, whose steps wait for no
/// others than they must. Not for two threads
/// at once; any thread may use it.
class CudaExecution {
 public:
  CudaExecution(std::shared_ptr<const CudaProgram> program, const std::vector<int64_t>& input_bytes,
                const std::vector<int64_t>& output_bytes);
  ~CudaExecution();

  /// Runs all steps. Inputs and outputs are dense tensors in host or device memory, copied beside the graph. `step_us`,
  /// where given, gets the time that each step adds to the graph of the steps before it, so that they add up to the
  /// whole.
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us = nullptr);
  /// Of the last run, without copies.
  double last_graph_us() const { return last_graph_us_; }
  int64_t memory_bytes() const { return memory_bytes_; }

 private:
  /// A step that the host computes, in the middle of the graph.
  struct HostStep {
    const CudaStep* step;
    std::vector<cuda::HostBuffer> inputs, outputs;
    std::vector<int64_t> input_bytes, output_bytes;
    std::exception_ptr failure;
    void Evaluate();
  };

  cuda::DevicePtr AddressOf(const ProgramOperand& operand) const;
  void MakeHostStep(size_t index);
  void LaunchHostStep(size_t index);
  /// `order`: of the first one.
  void LaunchKernels(size_t index, cuda::LaunchOrder order);
  /// The first `count` steps as a graph.
  const cuda::Graph& GraphOf(size_t count);
  double TimeGraph(size_t count);
  void ThrowHostFailures();

  std::shared_ptr<const CudaProgram> program_;
  cuda::Stream stream_;
  cuda::Event begin_, end_;
  std::vector<int64_t> input_bytes_, output_bytes_;
  std::vector<cuda::DeviceBuffer> inputs_, outputs_;
  std::unique_ptr<cuda::DeviceBuffer> arena_, scratch_;
  std::map<size_t, std::unique_ptr<HostStep>> host_steps_;  ///< by step
  std::map<size_t, std::unique_ptr<cuda::Graph>> graphs_;   ///< by count of steps
  double last_graph_us_ = 0;
  int64_t memory_bytes_ = 0;
};

}  // namespace tenon
