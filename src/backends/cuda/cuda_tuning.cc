#include <algorithm>
#include <random>

#include "backends/cuda/cuda_device.h"
#include "backends/cuda/cuda_kernel.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "engine/validate.h"

namespace tenon {
namespace {

/// Launches of one step in a graph: a kernel of some microseconds is timed to a hundredth.
constexpr int kLaunches = 20;

/// A candidate of a step, compiled.
struct Trial {
  size_t task, candidate;
  std::vector<KernelLaunch> launches;
  std::vector<std::vector<std::byte>> code;
};

/// Memory that steps are timed on: the program's, filled with noise.
class Bench {
 public:
  Bench(const CudaDevice& device, const TuneSubject& subject)
      : driver_(device.gpu().driver()),
        device_(device),
        subject_(subject),
        stream_(driver_),
        begin_(driver_),
        end_(driver_),
        arena_(driver_, static_cast<size_t>(subject.program.arena_bytes), "activations") {
    Fill(arena_);
    for (const ProgramStep& step : subject.program.steps) {
      for (const auto* operands : {&step.inputs, &step.outputs}) {
        for (const ProgramOperand& operand : *operands) AddExternal(operand);
      }
    }
  }

  /// Microseconds of one run of the candidate: median over the rounds of a graph of launches.
  double TimeUs(const Trial& trial, size_t step, const TacticCandidate& candidate, int rounds) {
    const auto* family = FindCudaKernelFamily(candidate.family->name());
    const StepProblem& problem = subject_.problems[step];
    const std::vector<std::byte> packed_bytes = family->Pack(problem, candidate.tactic, device_);
    const cuda::DeviceBuffer packed(driver_, packed_bytes.size(), "weights"),
        scratch(driver_, static_cast<size_t>(family->ScratchBytes(problem, candidate.tactic, device_)), "scratch memory");
    if (!packed_bytes.empty()) packed.CopyFrom(packed_bytes);
    std::vector<cuda::DeviceBuffer> constants;
    std::vector<cuda::DevicePtr> constant_at(problem.inputs.size(), 0);
    for (size_t i = 0; i < problem.inputs.size(); ++i) {
      const KernelOperand& operand = problem.inputs[i];
      if (!operand.is_constant || family->PacksInput(problem, i)) continue;
      constants.emplace_back(driver_, static_cast<size_t>(operand.constant.size_bytes()), "a constant");
      constants.back().CopyFrom(operand.constant.bytes());
      constant_at[i] = constants.back().address();
    }
    std::vector<cuda::GpuKernel> kernels;
    for (size_t k = 0; k < trial.launches.size(); ++k)
      kernels.emplace_back(driver_, trial.code[k], trial.launches[k].source.entry, trial.launches[k].shared_bytes);
    const auto launch_all = [&](bool first) {
      for (size_t k = 0; k < trial.launches.size(); ++k) {
        const KernelLaunch& launch = trial.launches[k];
        std::vector<cuda::DevicePtr> arguments;
        for (const KernelPointer& pointer : launch.pointers)
          arguments.push_back(AddressOf(pointer, subject_.program.steps[step], constant_at, packed, scratch));
        stream_.Launch(kernels[k],
                       {.grid_x = launch.grid_x,
                        .grid_y = launch.grid_y,
                        .grid_z = launch.grid_z,
                        .block_x = launch.threads,
                        .shared_bytes = static_cast<unsigned>(launch.shared_bytes)},
                       first && k == 0 ? cuda::LaunchOrder::kSerial : cuda::LaunchOrder::kProgrammatic, arguments.data());
      }
    };
    const cuda::Graph graph(driver_, stream_, [&] {
      for (int i = 0; i < kLaunches; ++i) launch_all(i == 0);
    });
    std::vector<double> times;
    for (int round = 0; round <= rounds; ++round) {  // the first one warms up
      begin_.Record(stream_);
      graph.Launch(stream_);
      end_.Record(stream_);
      const double us = end_.MicrosecondsSince(begin_) / kLaunches;
      if (round > 0) times.push_back(us);
    }
    std::nth_element(times.begin(), times.begin() + static_cast<ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
  }

 private:
  void AddExternal(const ProgramOperand& operand) {
    if (operand.memory != MemoryKind::kInput && operand.memory != MemoryKind::kOutput) return;
    const auto key = std::pair(operand.memory, operand.index);
    const int64_t bytes = operand.offset_bytes + ExtentBytes(operand);
    const auto found = external_.find(key);
    if (found != external_.end() && static_cast<int64_t>(found->second->size_bytes()) >= bytes) return;
    auto& buffer = external_[key];
    buffer = std::make_unique<cuda::DeviceBuffer>(driver_, static_cast<size_t>(bytes), "a tensor");
    Fill(*buffer);
  }

  /// Small positive numbers in FP32 and half: zeros would run faster than real data.
  static void Fill(const cuda::DeviceBuffer& buffer) {
    std::minstd_rand generator(1);
    std::vector<uint32_t> words(std::min<size_t>(buffer.size_bytes(), 64 << 20) / 4);
    for (uint32_t& word : words) word = 0x38003800u | (generator() & 0x03ff03ffu);
    if (!words.empty()) buffer.CopyFrom(std::as_bytes(std::span(words)));
  }

  cuda::DevicePtr AddressOf(const ProgramOperand& operand) const {
    const auto offset = static_cast<cuda::DevicePtr>(operand.offset_bytes);
    if (operand.memory == MemoryKind::kArena) return arena_.address() + offset;
    const auto found = external_.find({operand.memory, operand.index});
    return found == external_.end() ? 0 : found->second->address() + offset;
  }

  cuda::DevicePtr AddressOf(const KernelPointer& pointer, const ProgramStep& step,
                            const std::vector<cuda::DevicePtr>& constant_at, const cuda::DeviceBuffer& packed,
                            const cuda::DeviceBuffer& scratch) const {
    using Memory = KernelPointer::Memory;
    const auto operand = static_cast<size_t>(pointer.index);
    cuda::DevicePtr base = 0;
    if (pointer.memory == Memory::kInput)
      base = constant_at.at(operand) != 0 ? constant_at[operand] : AddressOf(step.inputs.at(operand));
    if (pointer.memory == Memory::kOutput) base = AddressOf(step.outputs.at(operand));
    if (pointer.memory == Memory::kPacked) base = packed.address();
    if (pointer.memory == Memory::kScratch) base = scratch.address();
    return base == 0 ? 0 : base + static_cast<cuda::DevicePtr>(pointer.offset_bytes);
  }

  const cuda::Driver& driver_;
  const CudaDevice& device_;
  const TuneSubject& subject_;
  cuda::Stream stream_;
  cuda::Event begin_, end_;
  cuda::DeviceBuffer arena_;
  std::map<std::pair<MemoryKind, int32_t>, std::unique_ptr<cuda::DeviceBuffer>> external_;
};

std::vector<Trial> CompileTrials(const std::vector<TuneTask>& tasks, const TuneSubject& subject,
                                 const CudaDevice& device) {
  std::vector<Trial> trials;
  std::vector<cuda::KernelSource> sources;
  for (size_t t = 0; t < tasks.size(); ++t) {
    for (size_t c = 0; !tasks[t].known && c < tasks[t].candidates.size(); ++c) {
      const TacticCandidate& candidate = tasks[t].candidates[c];
      const CudaKernelFamily& family = *FindCudaKernelFamily(candidate.family->name());
      trials.push_back({t, c, family.Lower(subject.problems[tasks[t].steps[0]], candidate.tactic, device), {}});
      for (const KernelLaunch& launch : trials.back().launches) sources.push_back(launch.source);
    }
  }
  if (sources.empty()) return trials;
  std::vector<cuda::Cubin> cubins =
      cuda::Nvrtc::Get().CompileAll(sources, device.compile_options(), device.threads);
  size_t next = 0;
  for (Trial& trial : trials) {
    for (size_t k = 0; k < trial.launches.size(); ++k) trial.code.push_back(std::move(cubins[next++].code));
  }
  return trials;
}

}  // namespace

void CudaDevice::TimeCandidates(std::vector<TuneTask>& tasks, const TuneSubject& subject,
                                const TimingOptions& options) const {
  gpu().Use();
  const std::vector<Trial> trials = CompileTrials(tasks, subject, *this);
  Bench bench(*this, subject);
  Progress progress("tuning", "kernels", static_cast<int64_t>(trials.size()), options.progress);
  for (const Trial& trial : trials) {
    CheckInterrupt();
    TuneTask& task = tasks[trial.task];
    if (!trial.launches.empty())
      task.times_us[trial.candidate] =
          bench.TimeUs(trial, task.steps[0], task.candidates[trial.candidate], options.rounds);
    progress.Advance();
  }
}

}  // namespace tenon
