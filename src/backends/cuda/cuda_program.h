#pragma once
#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "backends/cuda/cuda_kernel.h"
#include "backends/cuda/cuda_weights.h"
#include "backends/cuda/graph_cache.h"
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
  /// damaged or was built by a version of Tenon with other kernels. `program` must have passed ValidateProgram. Its
  /// constants go to `weights`, which programs of one engine share.
  CudaProgram(std::shared_ptr<const Program> program, const CudaDevice& device, std::shared_ptr<CudaWeights> weights);
  ~CudaProgram();

  const Program& program() const { return *program_; }
  const CudaStep& step(size_t i) const { return steps_[i]; }
  size_t size() const { return steps_.size(); }
  /// For each step, those that it waits for.
  const std::vector<std::vector<size_t>>& dependencies() const { return dependencies_; }
  int64_t scratch_bytes() const { return scratch_bytes_; }
  const cuda::GpuContext& gpu() const { return *gpu_; }
  std::shared_ptr<const cuda::GpuContext> shared_gpu() const { return gpu_; }

 private:
  void UploadConstants();
  CudaStep MakeStep(const ProgramStep& step, const CudaDevice& device);
  const cuda::GpuKernel& Kernel(const ProgramStep& step, const KernelLaunch& launch);

  std::shared_ptr<const Program> program_;
  std::shared_ptr<const cuda::GpuContext> gpu_;
  std::shared_ptr<CudaWeights> weights_;
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

  /// Runs all steps and waits for them. Inputs and outputs are dense tensors in host or device memory: device memory that
  /// kernels can use as it is (AddressInPlace) is used in place, the rest copied beside the graph. `step_us`, where given,
  /// gets the time that each step adds to the graph of the steps before it, so that they add up to the whole; then all
  /// tensors are copied.
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us = nullptr);
  /// Puts a run into the caller's stream, behind what is there and behind this execution's earlier runs in any stream.
  /// Tensors must stay until it is done. Throws Error(kInvalidInput) when the stream can't take it (CheckCallerStream).
  void RunAsync(std::span<const void* const> inputs, std::span<void* const> outputs, cuda::StreamHandle stream);
  /// Waits for all runs; throws what failed in them.
  void Synchronize();
  /// Of the last run that was waited for, without copies.
  double last_graph_us() const { return last_graph_us_; }
  /// Of the last run, between the caller's tensors and those of this execution.
  int64_t copied_bytes() const { return copied_bytes_; }
  /// As the driver counts it (cuda::TakenBytes).
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
  StepAddresses AddressesOf(size_t index) const;
  void MakeHostStep(size_t index);
  void LaunchHostStep(size_t index);
  /// `order`: of the first one.
  void LaunchKernels(size_t index, cuda::LaunchOrder order);
  /// The first `count` steps as a graph.
  const cuda::Graph& GraphOf(size_t count);
  void Launch(const cuda::Stream& stream, const cuda::Graph& graph);
  double TimeGraph(size_t count);
  void TimeSteps(std::vector<double>& step_us);
  /// What the next graph's steps read and write: the caller's tensors where they can be used, else this execution's.
  void Place(std::span<const void* const> inputs, std::span<void* const> outputs);
  TensorAddresses OwnAddresses() const;
  void CopyIn(const cuda::Stream& stream, std::span<const void* const> inputs);
  void CopyOut(const cuda::Stream& stream, std::span<void* const> outputs);
  void Enqueue(const cuda::Stream& stream, std::span<const void* const> inputs, std::span<void* const> outputs);
  void ThrowHostFailures();

  std::shared_ptr<const CudaProgram> program_;
  cuda::Stream stream_;
  cuda::Event begin_, end_;  ///< of the last run's graph
  cuda::Event done_;         ///< the last run, with its copies
  std::vector<int64_t> input_bytes_, output_bytes_;
  std::vector<cuda::DeviceBuffer> inputs_, outputs_;
  std::unique_ptr<cuda::DeviceBuffer> arena_, scratch_;
  std::map<size_t, std::unique_ptr<HostStep>> host_steps_;  ///< by step
  TensorAddresses at_;  ///< where the tensors lie of the graph that is recorded or launched
  GraphCache<cuda::Graph> graphs_;
  bool has_run_ = false;  ///< begin_ and end_ say a time
  double last_graph_us_ = 0;
  int64_t memory_bytes_ = 0, copied_bytes_ = 0;
};

}  // namespace tenon
