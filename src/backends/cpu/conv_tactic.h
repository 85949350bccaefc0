#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/conv_problem.h"
#include "backends/cpu/cpu_features.h"
#include "backends/cpu/gemm_tile.h"

namespace tenon::cpu {

/// Which index of the work items runs faster.
enum class ItemOrder : uint8_t {
  kChannelsInner,  ///< the input rows stay in the cache
  kRowsInner,      ///< the weights stay in the cache
};

/// Parameters of the direct convolution. None of them changes the result.
struct ConvTactic {
  int vectors = 1;    ///< register tile: vectors of output channels, at most
  int pixels = 1;     ///< register tile: output pixels, at most
  int row_block = 1;  ///< output rows of one work item; tiles where the problem is one long row
  ItemOrder order = ItemOrder::kChannelsInner;

  /// "v4 p5 rb4 oc" (or "rows"): the inner index of the work items last.
  std::string ToString() const;
  /// Throws Error(kInvalidInput) for anything that ToString doesn't write.
  static ConvTactic Parse(std::string_view text);
  friend bool operator==(const ConvTactic&, const ConvTactic&) = default;
};

/// Takes "NAME<positive integer> " off the front of a tactic's text; nothing, and the text as it was, where it begins
/// otherwise.
std::optional<int> TakeNumber(std::string_view& text, std::string_view name);

/// The dot instruction for a problem.
Dot DotOf(const ConvProblem& problem, const CpuFeatures& features);

/// A 1x1 convolution over dense rows is one long row of pixels: no ragged rows. Other problems come back unchanged.
ConvProblem Flatten(const ConvProblem& problem);
bool IsOneRow(const ConvProblem& problem);

/// Output channels of a group, in vectors, split evenly into blocks of at most `tactic.vectors`.
struct ChannelBlock {
  int first_vector = 0;
  int vectors = 1;
  int tail_lanes = 1;  ///< channels in the last vector
};
std::vector<ChannelBlock> SplitChannels(int channels, int vectors, int lanes);

/// Tactics for a supported problem, the cost model's favourite first; pure, at least one.
std::vector<ConvTactic> ConvCandidates(const ConvProblem& problem, const CpuFeatures& features, int threads);

}  // namespace tenon::cpu
