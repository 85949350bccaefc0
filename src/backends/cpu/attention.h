#pragma once
#include <array>
#include <memory>
#include <vector>

#include "backends/cpu/batched_gemm.h"
#include "backends/cpu/softmax_rows.h"

namespace tenon::cpu {

/// out[i] = softmax(scale * q[i] k[i]) v[i] over a batch: q [M,D], k [D,L], v [L,E], out [M,E], any strides. Sums are
/// FP32; q and k may be multiplied in BF16, probabilities and v are multiplied in FP32.
struct AttentionProblem {
  int m = 1, d = 1, l = 1, e = 1;
  GemmOperand q, k, v, out;
  float scale = 1;  ///< above 0
  DType compute = DType::kFloat32;

  int64_t batches() const { return static_cast<int64_t>(out.batch_offsets.size()); }
};

/// Why the kernel can't run the problem; empty when it can.
std::string WhyUnsupported(const AttentionProblem& problem, const CpuFeatures& features);
/// Tactics (row_block: rows of q of one work item), the best guess first.
std::vector<ConvTactic> AttentionCandidates(const AttentionProblem& problem, const CpuFeatures& features, int threads);

struct AttentionArgs {
  const std::byte* q = nullptr;
  const std::byte* k = nullptr;
  const std::byte* v = nullptr;
  std::byte* out = nullptr;
};

/// Scores of a block of rows stay in scratch memory between the two products. Immutable; Run may be called by many
/// threads at once.
class AttentionKernel {
 public:
  AttentionKernel(const AttentionProblem& problem, const ConvTactic& tactic, const CpuFeatures& features);

  int64_t work_items() const { return problem_.batches() * row_blocks_; }
  size_t scratch_bytes() const { return scratch_bytes_; }
  void Run(const AttentionArgs& args, int64_t item, std::byte* scratch) const;

 private:
  /// The two products for a block of so many rows.
  struct Products {
    int rows;
    std::unique_ptr<DirectConv> scores, output;
  };

  Products MakeProducts(int rows, const ConvTactic& tactic, const CpuFeatures& features) const;
  void PackKeys(const std::byte* k, std::byte* packed) const;
  void PackValues(const std::byte* v, std::byte* packed) const;
  void ScatterOutput(const float* rows, int count, std::byte* out) const;

  AttentionProblem problem_;
  int row_blocks_ = 1;
  int padded_l_ = 1;                ///< keys in whole vectors; those beyond L score -inf
  bool writes_direct_ = true;       ///< columns of the output are next to each other
  std::vector<Products> products_;  ///< one or two sizes
  size_t keys_offset_ = 0, values_offset_ = 0, scores_offset_ = 0, output_offset_ = 0, scratch_bytes_ = 0;
  std::unique_ptr<JitCode> softmax_code_;
  SoftmaxRowsFunction softmax_ = nullptr;
};

}  // namespace tenon::cpu
