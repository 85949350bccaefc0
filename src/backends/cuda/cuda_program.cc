#include "backends/cuda/cuda_program.h"

#include <algorithm>

#include "backends/cuda/step_recorder.h"
#include "backends/strided.h"
#include "base/error.h"
#include "engine/step_dependencies.h"
#include "engine/validate.h"

namespace tenon {

CudaProgram::CudaProgram(std::shared_ptr<const Program> program, const CudaDevice& device,
                         std::shared_ptr<CudaWeights> weights)
    : program_(std::move(program)), gpu_(device.context), weights_(std::move(weights)) {
  device.gpu().Use();
  CheckForeignFamilies(*program_, device.families());
  UploadConstants();
  for (const ProgramStep& step : program_->steps) steps_.push_back(MakeStep(step, device));
  dependencies_ = StepDependencies(*program_, [](const ProgramStep& step) {
    return FindCudaKernelFamily(step.family)->is_reference();  // copies whole buffers, views included
  });
}

CudaProgram::~CudaProgram() {
  const cuda::CurrentContext current(*gpu_);
  kernels_.clear();
}

void CudaProgram::UploadConstants() {
  std::vector<std::span<const std::byte>> pieces;
  for (const Blob& blob : program_->packed) pieces.push_back(blob.bytes());
  for (const Tensor& constant : program_->constants) pieces.push_back(constant.bytes());
  packed_ = weights_->Add(pieces);
  const auto first_constant = packed_.begin() + static_cast<ptrdiff_t>(program_->packed.size());
  constants_.assign(first_constant, packed_.end());
  packed_.erase(first_constant, packed_.end());
}

CudaStep CudaProgram::MakeStep(const ProgramStep& step, const CudaDevice& device) {
  CudaStep ready{.description = DescribeStep(*program_, step)};
  const CudaKernelFamily& family = *FindCudaKernelFamily(step.family);
  CheckStep(step, ready.description.problem, family, device);
  CheckPackedBytes(*program_, step, family.PackedBytes(ready.description.problem, step.tactic, device));
  if (step.packed >= 0) ready.packed = packed_.at(static_cast<size_t>(step.packed));
  for (const ProgramOperand& input : step.inputs)
    ready.constants.push_back(input.memory == MemoryKind::kConstant ? constants_.at(static_cast<size_t>(input.index)) : 0);
  ready.on_host = family.is_reference();
  for (const KernelLaunch& launch : family.Lower(ready.description.problem, step.tactic, device)) {
    ready.launches.push_back({.kernel = &Kernel(step, launch),
                              .config = {.grid_x = launch.grid_x,
                                         .grid_y = launch.grid_y,
                                         .grid_z = launch.grid_z,
                                         .block_x = launch.threads,
                                         .shared_bytes = static_cast<unsigned>(launch.shared_bytes)},
                              .pointers = launch.pointers});
  }
  ready.scratch_offset_bytes = scratch_bytes_;
  const int64_t scratch_bytes = family.ScratchBytes(ready.description.problem, step.tactic, device);
  scratch_bytes_ += static_cast<int64_t>(cuda::RoundUpToAlignment(static_cast<size_t>(scratch_bytes)));
  return ready;
}

const cuda::GpuKernel& CudaProgram::Kernel(const ProgramStep& step, const KernelLaunch& launch) {
  const Digest source = cuda::SourceDigest(launch.source);
  auto& kernel = kernels_[{source, launch.shared_bytes}];
  if (kernel) return *kernel;
  const auto found = std::find_if(program_->code.begin(), program_->code.end(),
                                  [&](const ProgramCode& code) { return code.source == source; });
  if (found == program_->code.end())
    ThrowInvalid({.what = "the engine's plan was built by another version of Tenon, whose kernels differ",
                  .where = "step " + step.name,
                  .hint = "Build it again with tenon export, or with --build from the engine itself."});
  kernel = std::make_unique<cuda::GpuKernel>(gpu_->driver(), found->code.bytes(), launch.source.entry,
                                             launch.shared_bytes);
  return *kernel;
}

CudaExecution::CudaExecution(std::shared_ptr<const CudaProgram> program, const std::vector<int64_t>& input_bytes,
                             const std::vector<int64_t>& output_bytes)
    : program_((program->gpu().Use(), std::move(program))),
      stream_(program_->gpu().driver()),
      begin_(program_->gpu().driver()),
      end_(program_->gpu().driver()),
      done_(program_->gpu().driver()),
      input_bytes_(input_bytes),
      output_bytes_(output_bytes) {
  const cuda::Driver& driver = program_->gpu().driver();
  std::vector<size_t> sizes;
  const auto count = [&](int64_t bytes) { return sizes.emplace_back(static_cast<size_t>(bytes)); };
  for (const int64_t bytes : input_bytes) inputs_.emplace_back(driver, count(bytes), "an input");
  for (const int64_t bytes : output_bytes) outputs_.emplace_back(driver, count(bytes), "an output");
  arena_ = std::make_unique<cuda::DeviceBuffer>(driver, count(program_->program().arena_bytes), "activations");
  scratch_ = std::make_unique<cuda::DeviceBuffer>(driver, count(program_->scratch_bytes()), "scratch memory");
  memory_bytes_ = cuda::TakenBytes(sizes);
  arena_->Fill(0);
  for (size_t i = 0; i < program_->size(); ++i) {
    if (program_->step(i).on_host) MakeHostStep(i);
  }
}

cuda::DevicePtr CudaExecution::AddressOf(const ProgramOperand& operand) const {
  const auto offset = static_cast<cuda::DevicePtr>(operand.offset_bytes);
  switch (operand.memory) {
    case MemoryKind::kArena:
      return arena_->address() + offset;
    case MemoryKind::kInput:
      return at_.inputs.at(static_cast<size_t>(operand.index)) + offset;
    case MemoryKind::kOutput:
      return at_.outputs.at(static_cast<size_t>(operand.index)) + offset;
    case MemoryKind::kConstant:
    case MemoryKind::kAbsent:
    case MemoryKind::kPacked:
      break;
  }
  return 0;
}

void CudaExecution::HostStep::Evaluate() {
  try {
    const StepProblem& problem = step->description.problem;
    std::vector<Tensor> operands;
    for (size_t i = 0; i < problem.inputs.size(); ++i) {
      const KernelOperand& operand = problem.inputs[i];
      if (!operand.present)
        operands.emplace_back();
      else
        operands.push_back(operand.is_constant ? operand.constant : GatherOperand(operand, inputs[i].data()));
    }
    const std::vector<Tensor> results = problem.op->Evaluate(operands);
    for (size_t i = 0; i < problem.outputs.size(); ++i) {
      if (problem.outputs[i].present) ScatterOperand(results.at(i), problem.outputs[i], outputs[i].data());
    }
  } catch (...) {  // this is a thread of the driver's
    failure = std::current_exception();
  }
}

void CudaExecution::MakeHostStep(size_t index) {
  const ProgramStep& step = program_->program().steps[index];
  auto host = std::make_unique<HostStep>();
  host->step = &program_->step(index);
  const auto add = [&](const ProgramOperand& operand, std::vector<cuda::HostBuffer>& buffers, std::vector<int64_t>& sizes) {
    const bool is_copied = operand.memory != MemoryKind::kAbsent && operand.memory != MemoryKind::kConstant;
    sizes.push_back(is_copied ? ExtentBytes(operand) : 0);
    buffers.emplace_back(program_->gpu().driver(), static_cast<size_t>(sizes.back()));
  };
  for (const ProgramOperand& input : step.inputs) add(input, host->inputs, host->input_bytes);
  for (const ProgramOperand& output : step.outputs) add(output, host->outputs, host->output_bytes);
  host_steps_[index] = std::move(host);
}

void CudaExecution::LaunchHostStep(size_t index) {
  const ProgramStep& step = program_->program().steps[index];
  HostStep& host = *host_steps_.at(index);
  for (size_t i = 0; i < step.inputs.size(); ++i)
    stream_.CopyToHost(host.inputs[i].data(), AddressOf(step.inputs[i]), static_cast<size_t>(host.input_bytes[i]));
  // An output may be a view: what lies between its elements comes along and goes back as it was.
  for (size_t i = 0; i < step.outputs.size(); ++i)
    stream_.CopyToHost(host.outputs[i].data(), AddressOf(step.outputs[i]), static_cast<size_t>(host.output_bytes[i]));
  stream_.CallHost([](void* argument) { static_cast<HostStep*>(argument)->Evaluate(); }, &host);
  for (size_t i = 0; i < step.outputs.size(); ++i)
    stream_.CopyFromHost(AddressOf(step.outputs[i]), host.outputs[i].data(), static_cast<size_t>(host.output_bytes[i]));
}

StepAddresses CudaExecution::AddressesOf(size_t index) const {
  const ProgramStep& step = program_->program().steps[index];
  const CudaStep& ready = program_->step(index);
  StepAddresses addresses{
      .packed = ready.packed,
      .scratch = scratch_->address() + static_cast<cuda::DevicePtr>(ready.scratch_offset_bytes)};
  for (size_t i = 0; i < step.inputs.size(); ++i)
    addresses.inputs.push_back(ready.constants[i] != 0 ? ready.constants[i] : AddressOf(step.inputs[i]));
  for (const ProgramOperand& output : step.outputs) addresses.outputs.push_back(AddressOf(output));
  return addresses;
}

void CudaExecution::LaunchKernels(size_t index, cuda::LaunchOrder order) {
  const StepAddresses addresses = AddressesOf(index);
  for (const CudaStep::Launch& launch : program_->step(index).launches) {
    stream_.Launch(*launch.kernel, launch.config, order, ArgumentsOf(launch.pointers, addresses).data());
    order = cuda::LaunchOrder::kProgrammatic;
  }
}

const cuda::Graph& CudaExecution::GraphOf(size_t count) {
  std::unique_ptr<cuda::Graph>& graph = graphs_.Slot(at_, count);
  if (graph) return *graph;
  cuda::StepRecorder recorder(program_->gpu(), stream_, program_->dependencies());
  graph = std::make_unique<cuda::Graph>(program_->gpu().driver(), stream_, [&] {
    for (size_t i = 0; i < count; ++i) {
      const cuda::LaunchOrder order = recorder.Begin(i);
      const bool on_host = program_->step(i).on_host;
      if (on_host)
        LaunchHostStep(i);
      else
        LaunchKernels(i, order);
      recorder.End(!on_host);
    }
  });
  return *graph;
}

}  // namespace tenon
