#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backends/device.h"
#include "compile/timing_cache.h"
#include "compile/tuner.h"
#include "engine/program.h"
#include "ir/graph.h"
#include "passes/pass.h"

namespace tenon {

struct CompileOptions {
  Precision precision = Precision::kFp32;
  TuneOptions tune;
  std::string dump_ir_dir;  ///< graph text after each pass; empty: none
  std::set<std::string> disabled_passes;
  Digest source_digest;  ///< of the source file, kept in the engine
  int64_t workspace_bytes = 0;  ///< of activations and scratch memory that a context may take; 0: as it needs
};

/// An engine and what the user should know of its making.
struct CompileResult {
  std::shared_ptr<EngineModel> engine;
  std::vector<std::string> warnings;
  int copies_inserted = 0;  ///< layout changes that could not be avoided
  std::vector<double> step_us;  ///< of the last plan's steps, as the timing cache has it; 0 where never timed
};

/// What passes do on this device.
PassContext PassContextFor(const Device& device, Precision precision);

/// Passes, layout, memory plan, tactics: graph in, engine with one plan for `device` out. Known tactics come from the
/// cache and new ones go to it. Throws Error(kInvalidInput) for graphs with data-dependent shapes,
/// Error(kUnsupportedDevice) when the device doesn't compute the precision natively or a context needs more than
/// `workspace_bytes`.
CompileResult CompileFor(std::unique_ptr<Graph> graph, const Device& device, const CompileOptions& options,
                            TimingCache& cache);

/// The same network for several batch sizes, ascending: an engine with a profile and a plan for each. What is equal in
/// them (weights that are packed alike, code) is held once.
CompileResult CompileFor(std::vector<std::unique_ptr<Graph>> graphs, const Device& device,
                         const CompileOptions& options, TimingCache& cache);

/// Adds plans for `device` to an engine that has none, one for each profile, from its portable part, in the precision
/// of its first plan.
void AddPlan(EngineModel& engine, const Device& device, const TuneOptions& options, TimingCache& cache);

}  // namespace tenon
