#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "verify/checks.h"

namespace tenon {

/// What is asked of an engine; the defaults are the contract's.
struct MatrixOptions {
  double map_drop = 0.5, top_class_drop = 1.0;  ///< points
  std::string top_class;                        ///< empty: the class with the most labels
  std::string precision;                        ///< what was asked for; empty: what the engine says it is
  LatencyCheckOptions latency;
};

/// An engine, and all that it is compared with. Pointers are not owned and not null unless they say so.
struct MatrixSubject {
  Detector* engine;
  const Program* plan;  ///< that `engine` runs
  const Device* device;
  std::string build_warnings;  ///< EngineModel::reports["warnings"]
  AccuracyPair accuracy;
  SourceGraphs source;
  const Engine* half = nullptr;  ///< the model in half, for INT8 engines; may be null
  OtherProcess other_process;
};

struct MatrixResult {
  std::vector<Check> checks;
  /// No check failed, and mAP and determinism could be judged: a matrix that could judge nothing proves nothing. Others
  /// that could not be judged (no budget, no INT8) are shown and don't count.
  bool passed() const;
  /// Names of the checks with this status.
  std::vector<std::string> Named(CheckStatus status) const;
};

/// Runs all checks, in the order of the contract. Throws Error(kInterrupted) after Ctrl-C.
MatrixResult RunMatrix(const MatrixSubject& subject, const MatrixOptions& options);

}  // namespace tenon
