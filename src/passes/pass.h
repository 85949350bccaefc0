#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace tenon {

/// The element type that convolutions, matrix products and attention compute in.
enum class Precision { kFp32, kHalf };

/// A node that computes in FP32 although half was asked for, and why.
struct KeptInFp32 {
  std::string node;
  std::string op;
  std::string reason;
};

/// What passes have to tell the user.
struct PassReport {
  std::vector<KeptInFp32> kept_in_fp32;
};

/// What passes may depend on beside the graph.
struct PassContext {
  Precision precision = Precision::kFp32;
  DType half_type = DType::kBFloat16;  ///< what `half` is on the device
  /// A convolution of an FP32 image computes in half: the device rounds while it reads. Else it stays in FP32.
  bool converts_images = false;
  /// Each step waits for the one before for longer than a small pool takes (a GPU): maxima that feed one another become
  /// one step.
  bool joins_pools = false;
  PassReport* report = nullptr;  ///< may be null; not owned
};

/// One rewrite of the graph. `run` returns whether it changed anything; it leaves a graph that verifies.
struct Pass {
  std::string_view name;
  bool (*run)(Graph&, const PassContext&);
};

/// Passes that run in order. A group that repeats runs again until none of its passes changes the graph.
struct PassGroup {
  enum class Repeat { kOnce, kToFixedPoint };
  std::string_view name;
  Repeat repeat = Repeat::kOnce;
  std::vector<Pass> passes;
};

}  // namespace tenon
