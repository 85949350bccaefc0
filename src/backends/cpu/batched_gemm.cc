#include "backends/cpu/batched_gemm.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

/// Matrix i begins where the rows of matrix i - 1 end.
bool RowsContinue(const GemmOperand& operand, int rows) {
  for (size_t i = 0; i < operand.batch_offsets.size(); ++i) {
    if (operand.batch_offsets[i] != operand.batch_offsets[0] + static_cast<int64_t>(i) * rows * operand.row_stride)
      return false;
  }
  return true;
}

bool IsShared(const GemmOperand& operand) {
  const auto& offsets = operand.batch_offsets;
  return std::all_of(offsets.begin(), offsets.end(), [&](int64_t offset) { return offset == offsets[0]; });
}

View RowView(const GemmOperand& operand) {
  return {.dtype = operand.dtype, .w_stride = operand.row_stride, .c_stride = operand.column_stride};
}

float LoadFloat(const std::byte* at, float) {
  float value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
float LoadFloat(const std::byte* at, BFloat16) {
  BFloat16 value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<float>(value);
}

struct BlockSize {
  int steps, per_step, depth;  ///< steps of per_step rows of B each; depth: rows that exist
  int lanes, columns;          ///< lanes of the block, columns that exist
};

/// to[lane * pitch] = from[lane], `count` elements, zeros behind them up to `lanes`. A stride known when this is
/// compiled makes vectors of the loop.
template <class In, class Out>
void PackRow(const std::byte* from, int64_t stride, int count, int lanes, Out* to, int pitch) {
  const auto copy = [&](int64_t step) {
    for (int lane = 0; lane < count; ++lane) to[lane * pitch] = Out(LoadFloat(from + lane * step, In{}));
  };
  stride == static_cast<int64_t>(sizeof(In)) && pitch == 1 ? copy(sizeof(In)) : copy(stride);
  for (int lane = count; lane < lanes; ++lane) to[lane * pitch] = Out(0.0f);
}

/// Two rows of BF16 whose elements are neighbours, as keys of an image's pixels are: pairs are moved as they are.
bool IsPaired(const GemmOperand& operand, const BlockSize& size) {
  return operand.row_stride == 2 && size.per_step == 2 && size.depth % 2 == 0;
}

void PackPairs(const std::byte* b, const GemmOperand& operand, const BlockSize& size, std::byte* out) {
  for (int lane = 0; lane < size.lanes; ++lane) {
    const std::byte* from = b + lane * operand.column_stride;
    std::byte* to = out + int64_t{lane} * 4;
    for (int step = 0; step < size.steps; ++step, to += int64_t{size.lanes} * 4)
      lane < size.columns ? void(std::memcpy(to, from + int64_t{step} * 4, 4)) : void(std::memset(to, 0, 4));
  }
}

/// out[step][lane][i] = B[step * per_step + i][lane], zero beyond the matrix.
template <class In, class Out>
void PackSteps(const std::byte* b, const GemmOperand& operand, const BlockSize& size, std::byte* out) {
  if constexpr (std::is_same_v<In, BFloat16> && std::is_same_v<Out, BFloat16>) {
    if (IsPaired(operand, size)) return PackPairs(b, operand, size, out);
  }
  for (int step = 0; step < size.steps; ++step) {
    for (int i = 0; i < size.per_step; ++i) {
      const int row = step * size.per_step + i;
      Out* to = reinterpret_cast<Out*>(out) + int64_t{step} * size.lanes * size.per_step + i;
      PackRow<In>(b + row * operand.row_stride, operand.column_stride, row < size.depth ? size.columns : 0, size.lanes,
                  to, size.per_step);
    }
  }
}

}  // namespace

GemmOperand GemmOperand::Transposed() const {
  GemmOperand swapped = *this;
  std::swap(swapped.row_stride, swapped.column_stride);
  return swapped;
}

GemmProblem MergeBatch(const GemmProblem& problem) {
  const bool rows_continue = RowsContinue(problem.a, problem.m) && RowsContinue(problem.c, problem.m) &&
                             (!problem.residual || RowsContinue(*problem.residual, problem.m));
  if (!rows_continue || !IsShared(problem.b) || problem.m * problem.batches() > INT32_MAX) return problem;
  GemmProblem merged = problem;
  merged.m = static_cast<int>(problem.m * problem.batches());
  for (GemmOperand* operand : {&merged.a, &merged.b, &merged.c}) operand->batch_offsets.resize(1);
  if (merged.residual) merged.residual->batch_offsets.resize(1);
  return merged;
}

GemmProblem TransposeIfNeeded(const GemmProblem& problem) {
  const int64_t elem = SizeOf(problem.c.dtype);
  if (problem.n == 1 || problem.c.column_stride == elem || problem.c.row_stride != elem) return problem;
  GemmProblem swapped = problem;
  std::swap(swapped.m, swapped.n);
  swapped.a = problem.b.Transposed();
  swapped.b = problem.a.Transposed();
  swapped.c = problem.c.Transposed();
  if (problem.residual) swapped.residual = problem.residual->Transposed();
  swapped.is_transposed = !problem.is_transposed;
  swapped.b_is_packed = false;
  return swapped;
}

ConvProblem AsConv(const GemmProblem& problem) {
  ConvProblem conv{.ic = problem.k, .iw = problem.m, .oc = problem.n, .ow = problem.m};
  conv.input = RowView(problem.a);
  conv.output = RowView(problem.c);
  conv.epilogue.activation = problem.activation;
  conv.epilogue.post_activation = problem.post_activation;
  if (problem.residual) conv.epilogue.residual = RowView(*problem.residual);
  conv.compute = problem.compute;
  conv.quantization = problem.quantization;
  return conv;
}

std::vector<ConvTactic> GemmCandidates(const GemmProblem& problem, const CpuFeatures& features, int threads) {
  std::vector<ConvTactic> candidates = ConvCandidates(AsConv(problem), features, threads);
  if (problem.b_is_packed) return candidates;
  // Every item packs its block of B: as many rows as there are make that worth while.
  std::vector<ConvTactic> unique;
  for (ConvTactic tactic : candidates) {
    tactic.row_block = (problem.m + tactic.pixels - 1) / tactic.pixels;
    tactic.order = ItemOrder::kChannelsInner;
    if (std::find(unique.begin(), unique.end(), tactic) == unique.end()) unique.push_back(tactic);
  }
  ConvTactic halves = unique.front();
  if (halves.row_block > 8) {
    halves.row_block = (halves.row_block + 1) / 2;
    unique.push_back(halves);
  }
  return unique;
}

std::vector<std::byte> PackGemm(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                std::span<const float> b, std::span<const float> bias,
                                std::span<const float> weight_scales) {
  const int64_t k = problem.k, n = problem.n;
  std::vector<float> transposed(ElemCount({n, k}));  // a convolution's weights are [OC, IC]
  if (problem.b_is_packed) {
    TENON_CHECK(static_cast<int64_t>(b.size()) == k * n, "{} elements of B", b.size());
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = 0; j < n; ++j) transposed[j * k + i] = b[i * n + j];
    }
    return PackConv(AsConv(problem), tactic, features, transposed, bias, weight_scales);
  }
  const ConvPacking packing(AsConv(problem), tactic.vectors, features);
  std::vector<std::byte> packed(packing.size - packing.bias_offset);
  TENON_CHECK(bias.size() * 4 <= packed.size(), "{} elements of bias", bias.size());
  if (!bias.empty()) std::memcpy(packed.data(), bias.data(), bias.size() * 4);
  return packed;
}

std::vector<float> UnpackGemmB(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                               std::span<const std::byte> packed) {
  const int64_t k = problem.k, n = problem.n;
  const std::vector<float> transposed = UnpackConvWeights(AsConv(problem), tactic, features, packed);
  std::vector<float> b(transposed.size());
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) b[i * n + j] = transposed[j * k + i];
  }
  return b;
}

std::vector<float> UnpackGemmBias(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                  std::span<const std::byte> packed) {
  if (problem.b_is_packed) return UnpackConvBias(AsConv(problem), tactic, features, packed);
  std::vector<float> bias(problem.n);
  TENON_CHECK(bias.size() * 4 <= packed.size(), "{} bytes of bias", packed.size());
  std::memcpy(bias.data(), packed.data(), bias.size() * 4);
  return bias;
}

BatchedGemm::BatchedGemm(const GemmProblem& problem, const ConvTactic& tactic, const CpuFeatures& features)
    : problem_(problem), conv_(AsConv(problem), tactic, features) {}

void PackGemmBlock(const ConvPacking& packing, const GemmOperand& operand, int k, int n, const ChannelBlock& block,
                   const std::byte* b, std::byte* packed) {
  const int first = block.first_vector * packing.lanes;
  const BlockSize size{.steps = packing.steps,
                       .per_step = ChannelsPerStep(packing.dot),
                       .depth = k,
                       .lanes = block.vectors * packing.lanes,
                       .columns = std::clamp(n - first, 0, block.vectors * packing.lanes)};
  const std::byte* from = b + first * operand.column_stride;
  std::byte* to = packed + packing.WeightOffset(0, block);
  const bool from_bf16 = operand.dtype == DType::kBFloat16, to_bf16 = packing.dot == Dot::kBFloat16;
  if (from_bf16) {
    to_bf16 ? PackSteps<BFloat16, BFloat16>(from, operand, size, to)
            : PackSteps<BFloat16, float>(from, operand, size, to);
  } else {
    to_bf16 ? PackSteps<float, BFloat16>(from, operand, size, to) : PackSteps<float, float>(from, operand, size, to);
  }
}

void BatchedGemm::PackBlock(const std::byte* b, const std::byte* bias, const ChannelBlock& block,
                            std::byte* scratch) const {
  const ConvPacking& packing = conv_.packing();
  PackGemmBlock(packing, problem_.b, problem_.k, problem_.n, block, b, scratch);
  const int64_t first = int64_t{block.first_vector} * packing.lanes;
  std::memcpy(scratch + packing.BiasOffset(0, block), bias + first * 4, int64_t{block.vectors} * packing.lanes * 4);
}

size_t BatchedGemm::packed_bytes() const {
  const ConvPacking& packing = conv_.packing();
  return problem_.b_is_packed ? packing.size : packing.size - packing.bias_offset;
}

void BatchedGemm::Run(const GemmArgs& args, int64_t item, std::byte* scratch) const {
  TENON_CHECK(item >= 0 && item < work_items());
  const int64_t batch = item / conv_.work_items(), piece = item % conv_.work_items();
  const std::byte* packed = args.packed;
  if (!problem_.b_is_packed) {
    PackBlock(args.b + problem_.b.batch_offsets[batch], args.packed, conv_.packing().blocks[conv_.BlockOf(piece)],
              scratch);
    packed = scratch;
  }
  const std::byte* residual = problem_.residual ? args.residual + problem_.residual->batch_offsets[batch] : nullptr;
  conv_.Run({.input = args.a + problem_.a.batch_offsets[batch],
             .packed = packed,
             .residual = residual,
             .outputs = {args.c + problem_.c.batch_offsets[batch]}},
            piece);
}

}  // namespace tenon::cpu
