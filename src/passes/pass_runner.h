#pragma once
#include <set>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace tenon {

struct PassRunnerOptions {
  std::string dump_dir;            ///< the graph after every pass that changed it, as NN-name.txt; empty: none
  std::set<std::string> disabled;  ///< names of passes to leave out
};

/// One execution of a pass.
struct PassTiming {
  std::string pass;
  bool changed = false;
  double seconds = 0;
};

/// Runs the groups in order; times every pass, verifies the graph after each that changed it, dumps text IR.
/// The only caller of passes. Throws Error(kInvalidInput) for an unknown name in `disabled` or an unwritable dump
/// folder, Error(kInternal) naming the pass when the graph no longer verifies or a group does not come to rest.
std::vector<PassTiming> RunPassGroups(Graph& graph, const PassContext& context, const std::vector<PassGroup>& groups,
                                      const PassRunnerOptions& options = {});

/// RunPassGroups over the list of pass_list.h.
std::vector<PassTiming> RunPasses(Graph& graph, const PassContext& context, const PassRunnerOptions& options = {});

}  // namespace tenon
