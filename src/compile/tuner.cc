#include "compile/tuner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <random>

#include "backends/cpu/cpu_program.h"
#include "backends/cpu/tactic_list.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engine/validate.h"

namespace tenon {
namespace {

struct Candidate {
  const KernelFamily* family;
  std::string tactic;
};

/// Candidates per problem and rounds of timing, by effort.
struct Effort {
  size_t candidates;
  int rounds;
};
constexpr Effort kEfforts[] = {{1, 0}, {4, 3}, {10, 5}, {1000, 9}};

std::string DescribeOperand(const KernelOperand& operand) {
  if (!operand.present) return "_";
  std::string text = fmt::format("{}[", ToString(operand.dtype));
  for (size_t d = 0; d < operand.shape.size(); ++d)
    text += fmt::format("{}{}:{}", d ? "," : "", operand.shape[d], operand.strides_bytes[d]);
  return text + (operand.is_constant ? "]c" : "]");
}

/// What the choice may depend on: equal texts, equal best tactics.
std::string DescribeProblem(const TuneStep& tune) {
  std::string text = tune.step->op + tune.step->attrs;
  for (const auto& operand : tune.problem->inputs) text += " " + DescribeOperand(operand);
  text += " ->";
  for (const auto& operand : tune.problem->outputs) text += " " + DescribeOperand(operand);
  return text;
}

Digest ProblemKey(const std::string& description, const CpuDevice& device) {
  std::string text = fmt::format("{}|{}|{} threads", description, device.Fingerprint(), device.threads);
  for (const KernelFamily* family : CpuKernelFamilies())
    text += fmt::format("|{}:{}", family->name(), family->version());
  return HashString(text);
}

/// The candidates of all families that can compute the step; the reference only where nobody else can.
std::vector<Candidate> FindCandidates(const TuneStep& tune, const CpuDevice& device, const TuneOptions& options) {
  std::vector<Candidate> candidates;
  for (const KernelFamily* family : CpuKernelFamilies()) {
    if (family->name() == "reference" && !candidates.empty()) continue;
    const std::string reason = family->Supports(*tune.problem, device);
    if (!reason.empty()) {
      if (options.verbose) Log().info("{}: {} refuses: {}", tune.step->name, family->name(), reason);
      continue;
    }
    for (auto& tactic : family->Candidates(*tune.problem, device)) candidates.push_back({family, std::move(tactic)});
  }
  TENON_CHECK(!candidates.empty(), "no kernel for {}", tune.step->name);
  return candidates;
}

/// A distinct problem and the steps that pose it.
struct Task {
  Digest key;
  std::string description;
  std::vector<size_t> steps;
  std::vector<Candidate> candidates;
  std::vector<std::vector<double>> times_us;  ///< per candidate
  size_t best = 0;
  bool known = false;
  double best_us = 0;  ///< 0: never timed
};

void Assign(ProgramStep& step, const Candidate& candidate) {
  step.family = candidate.family->name();
  step.family_version = candidate.family->version();
  step.tactic = candidate.tactic;
}

/// The cached winner, if it is still one of the candidates.
bool TakeFromCache(Task& task, const TimingCache& cache) {
  const TimingCache::Entry* entry = cache.Find(task.key);
  if (!entry) return false;
  for (size_t i = 0; i < task.candidates.size(); ++i) {
    if (task.candidates[i].family->name() != entry->family || task.candidates[i].tactic != entry->tactic) continue;
    task.best = i;
    task.best_us = entry->microseconds;
    return task.known = true;
  }
  return false;
}

double LowerQuartile(std::vector<double> values) {
  const auto quartile = values.begin() + static_cast<ptrdiff_t>(values.size() / 4);
  std::nth_element(values.begin(), quartile, values.end());
  return *quartile;
}

/// The program with every candidate's kernel at hand, on its own memory filled with noise.
class Trial {
 public:
  Trial(const std::vector<TuneStep>& steps, const Program& program, const CpuDevice& device)
      : steps_(steps), program_(program), device_(device), arena_(program.arena_bytes), pool_(device.threads) {
    FillWithNoise();
  }

  void Add(size_t step, const Candidate& candidate) {
    Ready ready;
    ready.packed = Blob::Copy(candidate.family->Pack(*steps_[step].problem, candidate.tactic, device_));
    ready.kernel = candidate.family->Create(*steps_[step].problem, candidate.tactic, device_);
    scratch_per_thread_ =
        std::max(scratch_per_thread_, (static_cast<int64_t>(ready.kernel->scratch_bytes()) + 127) / 64 * 64);
    ready_[step].push_back(std::move(ready));
  }

  /// Runs all steps, step i with candidate pick(i); times in microseconds.
  template <class F>
  void Run(F&& pick, std::vector<double>& times_us) {
    if (scratch_.size_bytes() < scratch_per_thread_ * pool_.threads())
      scratch_ = AlignedBuffer(scratch_per_thread_ * pool_.threads());
    for (size_t i = 0; i < steps_.size(); ++i) {
      const Ready& ready = ready_[i][pick(i)];
      KernelArgs args = args_.Of(i);
      args.packed = ready.packed.data.get();
      std::vector<const std::byte*> inputs(args.inputs, args.inputs + steps_[i].step->inputs.size());
      for (size_t k = 0; k < inputs.size(); ++k) {
        // Constants have no place in the program before packing is decided.
        const auto& operand = steps_[i].problem->inputs[k];
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
    Blob packed;
  };

  /// Small positive floats: zeros would run faster than real data, denormals far slower.
  void FillWithNoise() {
    std::minstd_rand generator(1);
    auto* words = reinterpret_cast<uint32_t*>(arena_.data());
    for (int64_t i = 0; i < arena_.size_bytes() / 4; ++i) words[i] = 0x3e800000u | (generator() & 0x7fffffu);
  }

  const std::vector<TuneStep>& steps_;
  const Program& program_;
  const CpuDevice& device_;
  AlignedBuffer arena_, scratch_;
  std::vector<AlignedBuffer> external_;
  int64_t scratch_per_thread_ = 0;
  ThreadPool pool_;
  StepArgs args_;
  std::map<size_t, std::vector<Ready>> ready_;
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

void TimeCandidates(std::vector<Task>& tasks, const std::vector<TuneStep>& steps, const Program& program,
                    const CpuDevice& device, const TuneOptions& options) {
  Trial trial(steps, program, device);
  std::vector<size_t> task_of(steps.size());
  size_t runs = 1;
  for (size_t t = 0; t < tasks.size(); ++t) {
    for (const size_t step : tasks[t].steps) {
      task_of[step] = t;
      CheckInterrupt();
      if (tasks[t].known) {
        trial.Add(step, tasks[t].candidates[tasks[t].best]);
      } else {
        for (const Candidate& candidate : tasks[t].candidates) trial.Add(step, candidate);
      }
    }
    if (!tasks[t].known) runs = std::max(runs, tasks[t].candidates.size());
  }
  trial.BindBuffers(ExternalBytes(program, MemoryKind::kInput), ExternalBytes(program, MemoryKind::kOutput));
  std::vector<double> times_us(steps.size());
  const int rounds = kEfforts[options.effort].rounds;
  Progress progress("tuning", "runs", static_cast<int64_t>(runs) * (rounds + 1), options.progress);
  for (int round = 0; round < rounds + 1; ++round) {  // the first one warms up
    for (size_t run = 0; run < runs; ++run) {
      const auto pick = [&](size_t step) {
        const Task& task = tasks[task_of[step]];
        return task.known ? 0 : (run + static_cast<size_t>(round) * 7 + step) % task.candidates.size();
      };
      trial.Run(pick, times_us);
      progress.Advance();
      for (size_t i = 0; round > 0 && i < steps.size(); ++i) {
        Task& task = tasks[task_of[i]];
        if (!task.known) task.times_us[pick(i)].push_back(times_us[i]);
      }
    }
  }
}

void ChooseBest(Task& task, const TuneOptions& options, TimingCache& cache) {
  for (size_t i = 0; i < task.candidates.size(); ++i) {
    const double time_us = LowerQuartile(task.times_us[i]);
    if (options.verbose)
      Log().info("{:.1f} us: {} {} for {}", time_us, task.candidates[i].family->name(), task.candidates[i].tactic,
                 task.description);
    if (i > 0 && time_us >= task.best_us) continue;
    task.best_us = time_us;
    task.best = i;
  }
  task.best_us = std::round(10 * task.best_us) / 10;  // as the file keeps it, so that it is the same when read again
  const Candidate& winner = task.candidates[task.best];
  cache.Insert(task.key, {std::string(winner.family->name()), winner.tactic, task.description, task.best_us});
}

}  // namespace

std::vector<double> ChooseTactics(const std::vector<TuneStep>& steps, const Program& program, const CpuDevice& device,
                                  const TuneOptions& options, TimingCache& cache) {
  TENON_CHECK(options.effort >= 0 && options.effort <= 3, "effort {}", options.effort);
  std::vector<Task> tasks;
  std::map<Digest, size_t> by_key;
  for (size_t i = 0; i < steps.size(); ++i) {
    std::string description = DescribeProblem(steps[i]);
    const Digest key = ProblemKey(description, device);
    const auto [found, added] = by_key.emplace(key, tasks.size());
    if (added) {
      Task task{
          .key = key, .description = std::move(description), .candidates = FindCandidates(steps[i], device, options)};
      if (!TakeFromCache(task, cache)) {
        const size_t limit = kEfforts[options.effort].candidates;
        if (task.candidates.size() > limit) task.candidates.resize(limit);
        task.known = options.effort == 0;  // else even what leaves no choice is timed: who compares precisions asks
      }
      task.times_us.resize(task.candidates.size());
      tasks.push_back(std::move(task));
    }
    tasks[found->second].steps.push_back(i);
  }
  const bool all_known = std::all_of(tasks.begin(), tasks.end(), [](const Task& task) { return task.known; });
  if (!all_known) TimeCandidates(tasks, steps, program, device, options);
  std::vector<double> times_us(steps.size());
  for (Task& task : tasks) {
    if (!task.known) ChooseBest(task, options, cache);
    for (const size_t step : task.steps) {
      Assign(*steps[step].step, task.candidates[task.best]);
      times_us[step] = task.best_us;
    }
  }
  return times_us;
}

}  // namespace tenon
