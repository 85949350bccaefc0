#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>

#include "backends/cpu/cpu_device.h"
#include "backends/cpu/cpu_program.h"
#include "backends/cpu/tactic_list.h"
#include "base/interrupt.h"
#include "engine/validate.h"

namespace tenon {
namespace {

double LowerQuartile(std::vector<double> values) {
  const auto quartile = values.begin() + static_cast<ptrdiff_t>(values.size() / 4);
  std::nth_element(values.begin(), quartile, values.end());
  return *quartile;
}

/// The program with every candidate's kernel at hand, on its own memory filled with noise.
class Trial {
 public:
  Trial(const TuneSubject& subject, const CpuDevice& device)
      : program_(subject.program),
        problems_(subject.problems),
        device_(device),
        arena_(program_.arena_bytes),
        pool_(device.threads) {
    FillWithNoise();
  }

  void Add(size_t step, const TacticCandidate& candidate) {
    Ready ready;
    const CpuKernelFamily& family = *FindCpuKernelFamily(candidate.family->name());
    ready.kernel = family.Create(problems_[step], candidate.tactic, device_);
    ready.packed = Packed(step, family, candidate.tactic);
    scratch_per_thread_ =
        std::max(scratch_per_thread_, (static_cast<int64_t>(ready.kernel->scratch_bytes()) + 127) / 64 * 64);
    ready_[step].push_back(std::move(ready));
  }

  /// Runs all steps, step i with candidate pick(i); times in microseconds.
  template <class F>
  void Run(F&& pick, std::vector<double>& times_us) {
    if (scratch_.size_bytes() < scratch_per_thread_ * pool_.threads())
      scratch_ = AlignedBuffer(scratch_per_thread_ * pool_.threads());
    for (size_t i = 0; i < problems_.size(); ++i) {
      const Ready& ready = ready_[i][pick(i)];
      KernelArgs args = args_.Of(i);
      args.packed = ready.packed.get();
      std::vector<const std::byte*> inputs(args.inputs, args.inputs + problems_[i].inputs.size());
      for (size_t k = 0; k < inputs.size(); ++k) {
        // Constants have no place in the program before packing is decided.
        const auto& operand = problems_[i].inputs[k];
        if (operand.is_constant) inputs[k] = operand.constant.raw();
      }
      args.inputs = inputs.data();
      CheckInterrupt();
      const auto start = std::chrono::steady_clock::now();
      Launch(*ready.kernel, args, pool_, scratch_.data(), scratch_per_thread_);
      times_us[i] = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    }
  }

  /// Buffers of the caller's side, then the addresses of all operands.
  void BindBuffers(const std::vector<int64_t>& input_bytes, const std::vector<int64_t>& output_bytes) {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (const int64_t bytes : input_bytes) inputs.push_back(external_.emplace_back(bytes).data());
    for (const int64_t bytes : output_bytes) outputs.push_back(external_.emplace_back(bytes).data());
    args_.Bind(program_, arena_.data(), inputs, outputs);
  }

 private:
  struct Ready {
    std::unique_ptr<Kernel> kernel;
    std::shared_ptr<const std::byte> packed;  ///< as the kernel reads it; null where nothing is packed
  };

  /// What all candidates of a family read is made once a step: it may be four times the weights.
  std::shared_ptr<const std::byte> Packed(size_t step, const CpuKernelFamily& family, const std::string& tactic) {
    const auto known = expanded_.find({step, &family});
    if (known != expanded_.end()) return known->second;
    const std::vector<std::byte> packed = family.Pack(problems_[step], tactic, device_);
    auto expanded = std::make_shared<AlignedBuffer>(family.Expand(problems_[step], device_, packed));
    if (!expanded->data()) return Blob::Copy(packed).data;
    return expanded_[{step, &family}] = std::shared_ptr<const std::byte>(expanded, expanded->data());
  }

  /// Small positive floats: zeros would run faster than real data, denormals far slower.
  void FillWithNoise() {
    std::minstd_rand generator(1);
    auto* words = reinterpret_cast<uint32_t*>(arena_.data());
    for (int64_t i = 0; i < arena_.size_bytes() / 4; ++i) words[i] = 0x3e800000u | (generator() & 0x7fffffu);
  }

  const Program& program_;
  const std::vector<StepProblem>& problems_;
  const CpuDevice& device_;
  AlignedBuffer arena_, scratch_;
  std::vector<AlignedBuffer> external_;
  int64_t scratch_per_thread_ = 0;
  ThreadPool pool_;
  StepArgs args_;
  std::map<size_t, std::vector<Ready>> ready_;
  std::map<std::pair<size_t, const CpuKernelFamily*>, std::shared_ptr<const std::byte>> expanded_;
};

/// Sizes of the caller's buffers as far as the program's operands reach.
std::vector<int64_t> ExternalBytes(const Program& program, MemoryKind kind) {
  std::vector<int64_t> sizes;
  const auto visit = [&](const ProgramOperand& operand) {
    if (operand.memory != kind) return;
    if (static_cast<size_t>(operand.index) >= sizes.size()) sizes.resize(operand.index + 1, 0);
    sizes[operand.index] = std::max(sizes[operand.index], operand.offset_bytes + ExtentBytes(operand));
  };
  for (const ProgramStep& step : program.steps) {
    for (const auto& operand : step.inputs) visit(operand);
    for (const auto& operand : step.outputs) visit(operand);
  }
  return sizes;
}

}  // namespace

// Each candidate sees the caches as its neighbours leave them: all steps try their k-th candidate in the same run.
void CpuDevice::TimeCandidates(std::vector<TuneTask>& tasks, const TuneSubject& subject,
                               const TimingOptions& options) const {
  Trial trial(subject, *this);
  const size_t steps = subject.problems.size();
  std::vector<size_t> task_of(steps);
  std::vector<std::vector<std::vector<double>>> samples(tasks.size());  // by task and candidate
  size_t runs = 1;
  for (size_t t = 0; t < tasks.size(); ++t) {
    samples[t].resize(tasks[t].candidates.size());
    for (const size_t step : tasks[t].steps) {
      task_of[step] = t;
      CheckInterrupt();
      if (tasks[t].known) {
        trial.Add(step, tasks[t].candidates[tasks[t].best]);
      } else {
        for (const TacticCandidate& candidate : tasks[t].candidates) trial.Add(step, candidate);
      }
    }
    if (!tasks[t].known) runs = std::max(runs, tasks[t].candidates.size());
  }
  trial.BindBuffers(ExternalBytes(subject.program, MemoryKind::kInput),
                    ExternalBytes(subject.program, MemoryKind::kOutput));
  std::vector<double> times_us(steps);
  Progress progress("tuning", "runs", static_cast<int64_t>(runs) * (options.rounds + 1), options.progress);
  for (int round = 0; round < options.rounds + 1; ++round) {  // the first one warms up
    for (size_t run = 0; run < runs; ++run) {
      const auto pick = [&](size_t step) {
        const TuneTask& task = tasks[task_of[step]];
        return task.known ? 0 : (run + static_cast<size_t>(round) * 7 + step) % task.candidates.size();
      };
      trial.Run(pick, times_us);
      progress.Advance();
      for (size_t i = 0; round > 0 && i < steps; ++i) {
        if (!tasks[task_of[i]].known) samples[task_of[i]][pick(i)].push_back(times_us[i]);
      }
    }
  }
  for (size_t t = 0; t < tasks.size(); ++t) {
    TuneTask& task = tasks[t];
    if (task.known) continue;
    for (size_t i = 0; i < samples[t].size(); ++i) task.times_us[i] = LowerQuartile(samples[t][i]);
    task.best =
        static_cast<size_t>(std::min_element(task.times_us.begin(), task.times_us.end()) - task.times_us.begin());
  }
}

}  // namespace tenon
