#include <algorithm>
#include <numeric>
#include <random>

#include "backends/cuda/cuda_device.h"
#include "backends/cuda/cuda_kernel.h"
#include "backends/cuda/step_recorder.h"
#include "base/interrupt.h"
#include "engine/step_dependencies.h"
#include "engine/validate.h"

namespace tenon {
namespace {

/// Launches of one step in a graph: a kernel of some microseconds is timed to a hundredth.
constexpr int kLaunches = 20;
/// The fastest candidates of a task by themselves that are tried in the whole program.
constexpr size_t kFinalists = 8;
/// Times that all tasks are gone through in the whole program, as long as it gets faster: what is best for a step depends
/// on what runs beside it.
constexpr int kPasses = 3;
/// A whole program must get faster by more than its time differs between two measurements.
constexpr double kGain = 0.998;

double MedianOf(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A candidate of a task, compiled and loaded.
struct Trial {
  size_t task = 0, candidate = 0;
  std::vector<KernelLaunch> launches;
  std::vector<cuda::GpuKernel> kernels;
};

/// The program's memory, filled with noise, and a stream to time steps in.
class Bench {
 public:
  Bench(const CudaDevice& device, const TuneSubject& subject)
      : driver_(device.gpu().driver()),
        subject_(subject),
        stream_(driver_),
        begin_(driver_),
        end_(driver_),
        arena_(driver_, static_cast<size_t>(subject.program.arena_bytes), "activations") {
    Fill(arena_);
    for (size_t i = 0; i < subject.problems.size(); ++i) {
      const ProgramStep& step = subject.program.steps[i];
      for (const auto* operands : {&step.inputs, &step.outputs}) {
        for (const ProgramOperand& operand : *operands) AddExternal(operand);
      }
      AddConstants(subject.problems[i]);
    }
    packed_.resize(subject.problems.size());
  }

  /// Room for the packed constants of a step: what lies there matters to no kernel's time.
  void Reserve(size_t step, size_t packed_bytes, int64_t scratch_bytes) {
    Grow(packed_[step], packed_bytes, "weights");
    Grow(scratch_, static_cast<size_t>(scratch_bytes), "scratch memory");
  }

  void Launch(const Trial& trial, size_t step, cuda::LaunchOrder order) {
    const StepAddresses addresses = AddressesOf(step);
    for (size_t k = 0; k < trial.launches.size(); ++k) {
      const KernelLaunch& launch = trial.launches[k];
      stream_.Launch(trial.kernels[k],
                     {.grid_x = launch.grid_x,
                      .grid_y = launch.grid_y,
                      .grid_z = launch.grid_z,
                      .block_x = launch.threads,
                      .shared_bytes = static_cast<unsigned>(launch.shared_bytes)},
                     k == 0 ? order : cuda::LaunchOrder::kProgrammatic, ArgumentsOf(launch.pointers, addresses).data());
    }
  }

  const cuda::Stream& stream() const { return stream_; }

  /// Median microseconds of what `record` launches, as a graph.
  template <class Record>
  double TimeUs(int rounds, const Record& record) {
    const cuda::Graph graph(driver_, stream_, record);
    std::vector<double> times;
    for (int round = 0; round <= rounds; ++round) {  // the first one warms up
      begin_.Record(stream_);
      graph.Launch(stream_);
      end_.Record(stream_);
      const double us = end_.MicrosecondsSince(begin_);
      if (round > 0) times.push_back(us);
    }
    return MedianOf(std::move(times));
  }

 private:
  void Grow(std::unique_ptr<cuda::DeviceBuffer>& buffer, size_t bytes, std::string_view what) {
    if (buffer && buffer->size_bytes() >= bytes) return;
    buffer = std::make_unique<cuda::DeviceBuffer>(driver_, bytes, what);
    Fill(*buffer);
  }

  void AddExternal(const ProgramOperand& operand) {
    if (operand.memory != MemoryKind::kInput && operand.memory != MemoryKind::kOutput) return;
    Grow(external_[{operand.memory, operand.index}],
         static_cast<size_t>(operand.offset_bytes + ExtentBytes(operand)), "a tensor");
  }

  void AddConstants(const StepProblem& problem) {
    std::vector<cuda::DevicePtr>& addresses = constant_at_.emplace_back(problem.inputs.size(), 0);
    for (size_t i = 0; i < problem.inputs.size(); ++i) {
      if (!problem.inputs[i].is_constant) continue;
      const Tensor& constant = problem.inputs[i].constant;
      constants_.emplace_back(driver_, static_cast<size_t>(constant.size_bytes()), "a constant");
      if (constant.size_bytes() > 0) constants_.back().CopyFrom(constant.bytes());
      addresses[i] = constants_.back().address();
    }
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

  StepAddresses AddressesOf(size_t index) const {
    const ProgramStep& step = subject_.program.steps[index];
    const auto address = [](const auto& buffer) { return buffer ? buffer->address() : cuda::DevicePtr{0}; };
    StepAddresses addresses{.packed = address(packed_[index]), .scratch = address(scratch_)};
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      const cuda::DevicePtr constant = constant_at_[index][i];
      addresses.inputs.push_back(constant != 0 ? constant : AddressOf(step.inputs[i]));
    }
    for (const ProgramOperand& output : step.outputs) addresses.outputs.push_back(AddressOf(output));
    return addresses;
  }

  const cuda::Driver& driver_;
  const TuneSubject& subject_;
  cuda::Stream stream_;
  cuda::Event begin_, end_;
  cuda::DeviceBuffer arena_;
  std::unique_ptr<cuda::DeviceBuffer> scratch_;
  std::vector<std::unique_ptr<cuda::DeviceBuffer>> packed_;  ///< by step
  std::vector<std::vector<cuda::DevicePtr>> constant_at_;    ///< by step and input
  std::vector<cuda::DeviceBuffer> constants_;
  std::map<std::pair<MemoryKind, int32_t>, std::unique_ptr<cuda::DeviceBuffer>> external_;
};

/// Chooses the tactics of a program: candidates are timed by themselves first, then the best few in the whole program,
/// where instruction caches are cold and neighbours overlap: the best alone is not always the best there.
class Search {
 public:
  Search(const CudaDevice& device, std::vector<TuneTask>& tasks, const TuneSubject& subject,
         const TimingOptions& options)
      : device_(device),
        tasks_(tasks),
        subject_(subject),
        options_(options),
        bench_(device, subject),
        dependencies_(StepDependencies(subject.program, [](const ProgramStep&) { return false; })) {
    step_task_.resize(subject.problems.size());
    for (size_t t = 0; t < tasks.size(); ++t) {
      for (const size_t step : tasks[t].steps) step_task_[step] = t;
    }
  }

  void Run() {
    Compile();
    TimeAlone();
    TryInProgram();
  }

 private:
  void Compile() {
    std::vector<cuda::KernelSource> sources;
    trials_.resize(tasks_.size());
    for (size_t t = 0; t < tasks_.size(); ++t) {
      for (size_t c = 0; c < tasks_[t].candidates.size(); ++c) {
        if (tasks_[t].known && c != tasks_[t].best) {
          trials_[t].emplace_back();
          continue;
        }
        const TacticCandidate& candidate = tasks_[t].candidates[c];
        const CudaKernelFamily& family = *FindCudaKernelFamily(candidate.family->name());
        const StepProblem& problem = subject_.problems[tasks_[t].steps[0]];
        trials_[t].push_back({t, c, family.Lower(problem, candidate.tactic, device_), {}});
        for (const KernelLaunch& launch : trials_[t].back().launches) sources.push_back(launch.source);
        const size_t packed_bytes = family.PackedBytes(problem, candidate.tactic, device_);
        for (const size_t step : tasks_[t].steps)
          bench_.Reserve(step, packed_bytes, family.ScratchBytes(problem, candidate.tactic, device_));
      }
    }
    Load(sources);
  }

  void Load(const std::vector<cuda::KernelSource>& sources) {
    if (sources.empty()) return;
    Progress progress("compiling", "kernels", static_cast<int64_t>(sources.size()), options_.progress);
    const std::vector<cuda::Cubin> cubins = cuda::Nvrtc::Get().CompileAll(
        sources, device_.compile_options(), device_.threads, [&] { progress.Advance(); });
    size_t next = 0;
    for (auto& task : trials_) {
      for (Trial& trial : task) {
        for (const KernelLaunch& launch : trial.launches)
          trial.kernels.emplace_back(device_.gpu().driver(), cubins[next++].code, launch.source.entry,
                                     launch.shared_bytes);
      }
    }
  }

  void TimeAlone() {
    Progress progress("tuning", "tactics", static_cast<int64_t>(tasks_.size()), options_.progress);
    for (size_t t = 0; t < tasks_.size(); ++t, progress.Advance()) {
      TuneTask& task = tasks_[t];
      if (task.known) continue;
      for (const Trial& trial : trials_[t]) {
        CheckInterrupt();
        if (trial.launches.empty()) continue;  // the host's
        task.times_us[trial.candidate] = bench_.TimeUs(options_.rounds, [&] {
          for (int i = 0; i < kLaunches; ++i)
            bench_.Launch(trial, task.steps[0], i == 0 ? cuda::LaunchOrder::kSerial : cuda::LaunchOrder::kProgrammatic);
        }) / kLaunches;
      }
      task.best = Ranked(task).front();
    }
  }

  /// Candidates, fastest first.
  static std::vector<size_t> Ranked(const TuneTask& task) {
    std::vector<size_t> order(task.candidates.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return task.times_us[a] < task.times_us[b]; });
    return order;
  }

  /// The whole program but for the host's steps, with every task's best. Short programs are run more often: their times
  /// differ by less between two tactics.
  double ProgramUs() {
    constexpr double kEnoughUs = 10e3;
    const int rounds = std::clamp(static_cast<int>(kEnoughUs / program_us_), options_.rounds, 6 * options_.rounds);
    cuda::StepRecorder recorder(device_.gpu(), bench_.stream(), dependencies_);
    return program_us_ = bench_.TimeUs(rounds, [&] {
      for (size_t step = 0; step < step_task_.size(); ++step) {
        const Trial& trial = trials_[step_task_[step]][tasks_[step_task_[step]].best];
        bench_.Launch(trial, step, recorder.Begin(step));
        recorder.End(!trial.launches.empty());
      }
    });
  }

  void TryInProgram() {
    double best_us = ProgramUs();
    for (int pass = 0; pass < kPasses; ++pass) {
      const double before_us = best_us;
      Progress progress("tuning", "tactics in the program", static_cast<int64_t>(tasks_.size()), options_.progress);
      for (TuneTask& task : tasks_) {
        if (!task.known) TryFinalists(task, best_us);
        progress.Advance();
      }
      if (best_us > kGain * before_us) break;
    }
  }

  void TryFinalists(TuneTask& task, double& best_us) {
    const std::vector<size_t> order = Ranked(task);
    for (size_t rank = 0; rank < std::min(kFinalists, order.size()); ++rank) {
      CheckInterrupt();
      const size_t before = task.best;
      if (order[rank] == before) continue;
      task.best = order[rank];
      // Confirmed by a second look: over many candidates chance alone makes some look better.
      if (const double us = ProgramUs(); us < kGain * best_us && ProgramUs() < kGain * best_us)
        best_us = us;
      else
        task.best = before;
    }
  }

  const CudaDevice& device_;
  std::vector<TuneTask>& tasks_;
  const TuneSubject& subject_;
  const TimingOptions& options_;
  Bench bench_;
  const std::vector<std::vector<size_t>> dependencies_;  ///< the host's steps, which are left out, hold nothing up
  std::vector<std::vector<Trial>> trials_;  ///< by task and candidate
  std::vector<size_t> step_task_;
  double program_us_ = 1e6;  ///< when it ran last
};

}  // namespace

void CudaDevice::TimeCandidates(std::vector<TuneTask>& tasks, const TuneSubject& subject,
                                const TimingOptions& options) const {
  gpu().Use();
  Search(*this, tasks, subject, options).Run();
}

}  // namespace tenon
