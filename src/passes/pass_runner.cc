#include "passes/pass_runner.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "ir/text.h"
#include "passes/pass_list.h"

namespace tenon {
namespace {

/// A group that still changes the graph after so many rounds has two passes that undo each other.
constexpr int kMaxRounds = 50;

class Runner {
 public:
  Runner(Graph& graph, const PassContext& context, const PassRunnerOptions& options)
      : graph_(graph), context_(context), options_(options) {}

  void Dump(std::string_view name) {
    if (options_.dump_dir.empty()) return;
    const std::string file = fmt::format("{:02}-{}.txt", next_dump_++, name);
    WriteTextFileAtomically(options_.dump_dir + "/" + file, Print(graph_, {.elide_constants = true}));
  }

  void RunGroup(const PassGroup& group) {
    for (int round = 0; RunOnce(group) && group.repeat == PassGroup::Repeat::kToFixedPoint; ++round) {
      TENON_CHECK(round < kMaxRounds, "passes of group {} don't come to rest", group.name);
    }
  }

  std::vector<PassTiming> timings;

 private:
  bool RunOnce(const PassGroup& group) {
    bool changed = false;
    for (const Pass& pass : group.passes) {
      if (!options_.disabled.contains(std::string(pass.name))) changed |= RunPass(pass);
    }
    return changed;
  }

  bool RunPass(const Pass& pass) {
    CheckInterrupt();
    const auto start = std::chrono::steady_clock::now();
    const bool changed = pass.run(graph_, context_);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    timings.push_back({std::string(pass.name), changed, elapsed.count()});
    if (!changed) return false;
    VerifyAfter(pass);
    Dump(pass.name);
    return true;
  }

  void VerifyAfter(const Pass& pass) {
    try {
      Verify(graph_);
    } catch (const Error& error) {
      Dump(fmt::format("{}-broken", pass.name));
      throw Error(ErrorCode::kInternal, fmt::format("after pass {}: {}", pass.name, error.what()));
    }
  }

  Graph& graph_;
  const PassContext& context_;
  const PassRunnerOptions& options_;
  int next_dump_ = 0;
};

void CheckNames(const std::vector<PassGroup>& groups, const std::set<std::string>& disabled) {
  for (const std::string& name : disabled) {
    const bool known = std::any_of(groups.begin(), groups.end(), [&](const PassGroup& group) {
      return std::any_of(group.passes.begin(), group.passes.end(), [&](const Pass& pass) { return pass.name == name; });
    });
    if (!known) ThrowInvalid({.what = "can't disable a pass", .got = name, .expected = "the name of a pass"});
  }
}

void MakeDumpFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) ThrowInvalid({.what = "can't make the folder for IR dumps", .where = path, .got = error.message()});
}

}  // namespace

std::vector<PassTiming> RunPassGroups(Graph& graph, const PassContext& context, const std::vector<PassGroup>& groups,
                                      const PassRunnerOptions& options) {
  CheckNames(groups, options.disabled);
  if (!options.dump_dir.empty()) MakeDumpFolder(options.dump_dir);
  Runner runner(graph, context, options);
  runner.Dump("source");
  for (const PassGroup& group : groups) runner.RunGroup(group);
  return std::move(runner.timings);
}

std::vector<PassTiming> RunPasses(Graph& graph, const PassContext& context, const PassRunnerOptions& options) {
  return RunPassGroups(graph, context, MakePassList(), options);
}

}  // namespace tenon
