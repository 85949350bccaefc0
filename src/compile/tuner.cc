#include "compile/tuner.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/log.h"

namespace tenon {
namespace {

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
  text += operand.is_constant ? "]c" : "]";
  constexpr int64_t kVector = 16;
  return operand.alignment_bytes < kVector ? text + fmt::format("@{}", operand.alignment_bytes) : text;
}

/// What the choice may depend on: equal texts, equal best tactics.
std::string DescribeProblem(const ProgramStep& step, const StepProblem& problem) {
  std::string text = step.op + step.attrs;
  for (const auto& operand : problem.inputs) text += " " + DescribeOperand(operand);
  text += " ->";
  for (const auto& operand : problem.outputs) text += " " + DescribeOperand(operand);
  return text;
}

Digest ProblemKey(const std::string& description, const Device& device) {
  std::string text = fmt::format("{}|{}|{}", description, device.Fingerprint(), device.TuningContext());
  for (const KernelFamily* family : device.families()) text += fmt::format("|{}:{}", family->name(), family->version());
  return HashString(text);
}

/// The family that computes the step in place of the others, if one does; null: those that round alike compete.
const KernelFamily* FindTakeover(const ProgramStep& step, const StepProblem& problem, const Device& device,
                                 OwnRounding allowed) {
  const bool is_integer = step.compute == DType::kInt8;
  if (allowed == OwnRounding::kNone || (is_integer && allowed != OwnRounding::kAll)) return nullptr;
  for (const KernelFamily* family : device.families()) {
    if (!family->has_own_rounding() || !family->Supports(problem, device).empty()) continue;
    if (family->TakesOver(problem, device)) return family;
  }
  return nullptr;
}

/// The candidates of `takeover`, else of all families that can compute the step and round alike; the reference only
/// where nobody else can.
std::vector<TacticCandidate> FindCandidates(const ProgramStep& step, const StepProblem& problem, const Device& device,
                                            const KernelFamily* takeover, const TuneOptions& options) {
  std::vector<TacticCandidate> candidates;
  for (const KernelFamily* family : device.families()) {
    if (takeover ? family != takeover : family->has_own_rounding()) continue;
    if (family->is_reference() && !candidates.empty()) continue;
    const std::string reason = family->Supports(problem, device);
    if (!reason.empty()) {
      if (options.verbose) Log().info("{}: {} refuses: {}", step.name, family->name(), reason);
      continue;
    }
    for (auto& tactic : family->Candidates(problem, device)) candidates.push_back({family, std::move(tactic)});
  }
  TENON_CHECK(!candidates.empty(), "no kernel for {}", step.name);
  return candidates;
}

void Assign(ProgramStep& step, const TacticCandidate& candidate) {
  step.family = candidate.family->name();
  step.family_version = candidate.family->version();
  step.tactic = candidate.tactic;
}

/// Chooses the cached winner, if it is still one of the candidates.
bool TakeFromCache(TuneTask& task, const TimingCache::Entry* entry) {
  for (size_t i = 0; entry && i < task.candidates.size(); ++i) {
    if (task.candidates[i].family->name() != entry->family || task.candidates[i].tactic != entry->tactic) continue;
    task.best = i;
    task.times_us[i] = entry->microseconds;
    return task.known = true;
  }
  return false;
}

void ChooseBest(TuneTask& task, const Digest& key, const TuneOptions& options, TimingCache& cache) {
  for (size_t i = 0; i < task.candidates.size(); ++i) {
    if (options.verbose)
      Log().info("{:.1f} us: {} {} for {}", task.times_us[i], task.candidates[i].family->name(),
                 task.candidates[i].tactic, task.description);
  }
  const TacticCandidate& winner = task.candidates[task.best];
  // As the file keeps it, so that it is the same when read again.
  task.times_us[task.best] = std::round(10 * task.times_us[task.best]) / 10;
  cache.Insert(key, {std::string(winner.family->name()), winner.tactic, task.description, task.times_us[task.best]});
}

/// The program's distinct problems; what the cache knows is chosen.
struct Tasks {
  std::vector<TuneTask> tasks;
  std::vector<Digest> keys;  ///< by task
};

Tasks CollectTasks(const Program& program, const std::vector<StepProblem>& problems, const Device& device,
                   const TuneOptions& options, const TimingCache& cache) {
  Tasks all;
  std::map<Digest, size_t> by_key;
  for (size_t i = 0; i < problems.size(); ++i) {
    std::string description = DescribeProblem(program.steps[i], problems[i]);
    const KernelFamily* takeover = FindTakeover(program.steps[i], problems[i], device, options.own_rounding);
    if (takeover) description += fmt::format(" by {}", takeover->name());
    const Digest key = ProblemKey(description, device);
    const auto [found, added] = by_key.emplace(key, all.tasks.size());
    if (added) {
      TuneTask task{.description = std::move(description),
                    .candidates = FindCandidates(program.steps[i], problems[i], device, takeover, options)};
      task.times_us.resize(task.candidates.size());
      if (!TakeFromCache(task, cache.Find(key))) {
        const size_t limit = kEfforts[options.effort].candidates;
        if (task.candidates.size() > limit) task.candidates.resize(limit);
        task.times_us.resize(task.candidates.size());
        task.known = options.effort == 0;  // else even what leaves no choice is timed: who compares precisions asks
      }
      all.tasks.push_back(std::move(task));
      all.keys.push_back(key);
    }
    all.tasks[found->second].steps.push_back(i);
  }
  return all;
}

}  // namespace

std::vector<double> ChooseTactics(Program& program, const std::vector<StepProblem>& problems, const Device& device,
                                  const TuneOptions& options, TimingCache& cache) {
  TENON_CHECK(options.effort >= 0 && options.effort <= 3, "effort {}", options.effort);
  Tasks all = CollectTasks(program, problems, device, options, cache);
  std::vector<TuneTask>& tasks = all.tasks;
  std::vector<bool> is_new;
  for (const TuneTask& task : tasks) is_new.push_back(!task.known);
  if (std::find(is_new.begin(), is_new.end(), true) != is_new.end()) {
    device.TimeCandidates(tasks, {program, problems},
                          {.rounds = kEfforts[options.effort].rounds, .progress = options.progress});
  }
  std::vector<double> times_us(problems.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    TuneTask& task = tasks[i];
    if (is_new[i]) ChooseBest(task, all.keys[i], options, cache);
    for (const size_t step : task.steps) {
      Assign(program.steps[step], task.candidates[task.best]);
      times_us[step] = task.times_us[task.best];
    }
  }
  return times_us;
}

}  // namespace tenon
