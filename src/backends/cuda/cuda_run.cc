// How a CudaExecution runs its graphs: in a stream of its own or in the caller's, on tensors in place or copied.
#include <algorithm>

#include "backends/cuda/caller_memory.h"
#include "backends/cuda/cuda_program.h"

namespace tenon {

CudaExecution::~CudaExecution() {
  const cuda::DriverApi& api = program_->gpu().driver().api();  // unchecked: a GPU may be lost by now
  api.context_set(program_->gpu().handle());
  api.event_synchronize(done_.handle());  // a run may still use all that goes now
}

TensorAddresses CudaExecution::OwnAddresses() const {
  TensorAddresses own;
  for (const cuda::DeviceBuffer& input : inputs_) own.inputs.push_back(input.address());
  for (const cuda::DeviceBuffer& output : outputs_) own.outputs.push_back(output.address());
  return own;
}

void CudaExecution::Place(std::span<const void* const> inputs, std::span<void* const> outputs) {
  at_ = OwnAddresses();
  const auto place = [&](cuda::DevicePtr& address, const void* buffer) {
    address = cuda::AddressInPlace(program_->gpu(), buffer).value_or(address);
  };
  for (size_t i = 0; i < inputs.size(); ++i) place(at_.inputs[i], inputs[i]);
  for (size_t i = 0; i < outputs.size(); ++i) place(at_.outputs[i], outputs[i]);
}

void CudaExecution::CopyIn(const cuda::Stream& stream, std::span<const void* const> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (at_.inputs[i] != inputs_[i].address()) continue;
    stream.CopyFromHost(at_.inputs[i], inputs[i], static_cast<size_t>(input_bytes_[i]));
    copied_bytes_ += input_bytes_[i];
  }
}

void CudaExecution::CopyOut(const cuda::Stream& stream, std::span<void* const> outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (at_.outputs[i] != outputs_[i].address()) continue;
    stream.CopyToHost(outputs[i], at_.outputs[i], static_cast<size_t>(output_bytes_[i]));
    copied_bytes_ += output_bytes_[i];
  }
}

void CudaExecution::Launch(const cuda::Stream& stream, const cuda::Graph& graph) {
  begin_.Record(stream);
  graph.Launch(stream);
  end_.Record(stream);
  has_run_ = true;
}

double CudaExecution::TimeGraph(size_t count) {
  Launch(stream_, GraphOf(count));
  return end_.MicrosecondsSince(begin_);
}

void CudaExecution::Enqueue(const cuda::Stream& stream, std::span<const void* const> inputs,
                            std::span<void* const> outputs) {
  Place(inputs, outputs);
  const cuda::Graph& graph = GraphOf(program_->size());
  done_.HoldBack(stream);  // there is one arena, whatever streams the runs are in
  copied_bytes_ = 0;
  CopyIn(stream, inputs);
  Launch(stream, graph);
  CopyOut(stream, outputs);
  done_.Record(stream);
}

void CudaExecution::TimeSteps(std::vector<double>& step_us) {
  step_us.assign(program_->size(), 0);
  double before = 0;
  for (size_t i = 0; i < step_us.size(); ++i) {
    const double until = TimeGraph(i + 1);
    step_us[i] = std::max(0.0, until - before);
    before = std::max(before, until);
  }
}

void CudaExecution::Run(std::span<const void* const> inputs, std::span<void* const> outputs,
                        std::vector<double>* step_us) {
  program_->gpu().Use();
  if (step_us) {  // the first steps' graphs are many: they are made once, for tensors whose place never changes
    done_.HoldBack(stream_);
    at_ = OwnAddresses();
    copied_bytes_ = 0;
    CopyIn(stream_, inputs);
    TimeSteps(*step_us);
    CopyOut(stream_, outputs);
    done_.Record(stream_);
  } else {
    Enqueue(stream_, inputs, outputs);
  }
  Synchronize();
}

void CudaExecution::RunAsync(std::span<const void* const> inputs, std::span<void* const> outputs,
                             cuda::StreamHandle stream) {
  program_->gpu().Use();
  cuda::CheckCallerStream(program_->gpu(), stream);
  Enqueue(cuda::Stream(program_->gpu().driver(), stream), inputs, outputs);
}

void CudaExecution::Synchronize() {
  program_->gpu().Use();
  done_.Synchronize();
  if (has_run_) last_graph_us_ = end_.MicrosecondsSince(begin_);
  ThrowHostFailures();
}

void CudaExecution::ThrowHostFailures() {
  for (auto& [index, host] : host_steps_) {
    if (host->failure) std::rethrow_exception(std::exchange(host->failure, nullptr));
  }
}

}  // namespace tenon
