#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/conv_direct.h"

namespace tenon::cpu {

/// A batch of matrices in memory; element (row, column) of matrix i lies at
/// base + batch_offsets[i] + row * row_stride + column * column_stride, in bytes.
struct GemmOperand {
  DType dtype = DType::kFloat32;
  int64_t row_stride = 0, column_stride = 0;
  std::vector<int64_t> batch_offsets = {0};

  GemmOperand Transposed() const;
};

/// C[i] = post(activation(A[i] B[i] + bias) + residual[i]), A [M,K], B [K,N], C and residual [M,N], bias [N], sums in
/// FP32.
struct GemmProblem {
  int m = 1, n = 1, k = 1;
  GemmOperand a, b, c;
  std::optional<GemmOperand> residual;
  ActivationSpec activation, post_activation;
  DType compute = DType::kFloat32;  ///< kInt8: A u8, B s8, constant and packed (ConvProblem)
  Quantization quantization;
  bool b_is_packed = false;    ///< B is constant and one matrix for the whole batch: packed ahead of time
  bool is_transposed = false;  ///< the operands were swapped: C^T = B^T A^T

  int64_t batches() const { return static_cast<int64_t>(c.batch_offsets.size()); }
};

/// Makes one tall product of a batch that shares B where the rows of A, C and residual follow each other from one
/// matrix to the next. Unchanged otherwise.
GemmProblem MergeBatch(const GemmProblem& problem);
/// Where columns of C are not next to each other but rows are (channels-last images): the transposed product.
GemmProblem TransposeIfNeeded(const GemmProblem& problem);

/// The product as a 1x1 convolution over M pixels, one batch.
ConvProblem AsConv(const GemmProblem& problem);

std::vector<ConvTactic> GemmCandidates(const GemmProblem& problem, const CpuFeatures& features, int threads);

/// B (row-major [K,N] floats), bias (empty: zeros) and INT8's weight scales, packed; B is empty where it is not packed
/// ahead of time.
std::vector<std::byte> PackGemm(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                std::span<const float> b, std::span<const float> bias,
                                std::span<const float> weight_scales = {});
std::vector<float> UnpackGemmB(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                               std::span<const std::byte> packed);
std::vector<float> UnpackGemmBias(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                  std::span<const std::byte> packed);

/// Packs the columns of one block of a B [k, n] in memory as `packing` wants its weights; zero beyond the matrix.
/// `b` is the address of element (0, 0), `packed` that of the whole packed form.
void PackGemmBlock(const ConvPacking& packing, const GemmOperand& operand, int k, int n, const ChannelBlock& block,
                   const std::byte* b, std::byte* packed);

struct GemmArgs {
  const std::byte* a = nullptr;
  const std::byte* b = nullptr;  ///< null where B is packed
  const std::byte* packed = nullptr;
  const std::byte* residual = nullptr;
  std::byte* c = nullptr;
};

/// Batched matrix product on the register-tile generator. A B that comes at run time is packed block by block into
/// scratch memory by whoever needs the block. Immutable; Run may be called by many threads at once.
class BatchedGemm {
 public:
  BatchedGemm(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features);

  int64_t work_items() const { return problem_.batches() * conv_.work_items(); }
  size_t scratch_bytes() const { return problem_.b_is_packed ? 0 : conv_.packing().size; }
  size_t packed_bytes() const;
  void Run(const GemmArgs& args, int64_t item, std::byte* scratch) const;

 private:
  void PackBlock(const std::byte* b, const std::byte* bias, const ChannelBlock& block, std::byte* scratch) const;

  GemmProblem problem_;
  DirectConv conv_;
};

}  // namespace tenon::cpu
