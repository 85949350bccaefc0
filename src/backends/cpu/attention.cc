#include "backends/cpu/attention.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

int CeilDiv(int a, int b) { return (a + b - 1) / b; }

void RunAll(const DirectConv& conv, const ConvArgs& args) {
  for (int64_t i = 0; i < conv.work_items(); ++i) conv.Run(args, i);
}

/// Dense rows of floats in scratch memory.
GemmOperand ScratchRows(int columns) { return {DType::kFloat32, int64_t{columns} * 4, 4, {0}}; }

GemmProblem ScoresProblem(const AttentionProblem& p, int rows, int padded_l) {
  return {.m = rows,
          .n = padded_l,
          .k = p.d,
          .a = p.q,
          .b = p.k,
          .c = ScratchRows(padded_l),
          .residual = {},
          .compute = p.compute};
}

GemmProblem OutputProblem(const AttentionProblem& p, int rows, int padded_l, bool writes_direct) {
  return {.m = rows,
          .n = p.e,
          .k = p.l,
          .a = ScratchRows(padded_l),
          .b = p.v,
          .c = writes_direct ? p.out : ScratchRows(p.e),
          .residual = {}};
}

bool IsStorable(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kBFloat16; }

}  // namespace

std::string WhyUnsupported(const AttentionProblem& p, const CpuFeatures& features) {
  if (!(p.scale > 0) || p.scale > std::numeric_limits<float>::max()) return "a scale that is not positive";
  for (const GemmOperand* operand : {&p.q, &p.k, &p.v, &p.out}) {
    if (!IsStorable(operand->dtype)) return "type of an operand";
    if (operand->dtype == DType::kBFloat16 && !features.avx512_bf16) return "the CPU lacks AVX512_BF16";
  }
  if (!IsStorable(p.compute)) return "compute type";
  return features.avx2_fma ? "" : "the CPU lacks AVX2 or FMA";
}

std::vector<ConvTactic> AttentionCandidates(const AttentionProblem& problem, const CpuFeatures& features, int threads) {
  // Every item packs the keys and values anew: blocks of rows must be large against that.
  constexpr int kLeastRows = 48;
  const int wanted =
      static_cast<int>(std::clamp<int64_t>(8 * threads / problem.batches(), 1, CeilDiv(problem.m, kLeastRows)));
  const int rows = CeilDiv(problem.m, wanted);
  std::vector<ConvTactic> candidates;
  const bool wide = BestIsa(features) == Isa::kAvx512;
  for (const auto& [vectors, pixels] : wide ? std::vector<std::pair<int, int>>{{4, 6}, {4, 5}, {2, 12}}
                                            : std::vector<std::pair<int, int>>{{3, 4}, {2, 5}}) {
    candidates.push_back({vectors, pixels, rows, ItemOrder::kChannelsInner});
  }
  if (rows * 2 <= problem.m)
    candidates.push_back({candidates[0].vectors, candidates[0].pixels, rows * 2, ItemOrder::kChannelsInner});
  return candidates;
}

AttentionKernel::AttentionKernel(const AttentionProblem& problem, const ConvTactic& tactic, const CpuFeatures& features)
    : problem_(problem), row_blocks_(CeilDiv(problem.m, tactic.row_block)) {
  const int lanes = LanesOf(BestIsa(features));
  padded_l_ = CeilDiv(problem.l, lanes) * lanes;
  writes_direct_ = problem.e == 1 || problem.out.column_stride == SizeOf(problem.out.dtype);
  const int small = problem.m / row_blocks_, large = CeilDiv(problem.m, row_blocks_);
  products_.push_back(MakeProducts(large, tactic, features));
  if (small != large) products_.push_back(MakeProducts(small, tactic, features));
  const auto place = [&](size_t bytes) {
    const size_t offset = scratch_bytes_;
    scratch_bytes_ += (bytes + 63) / 64 * 64;
    return offset;
  };
  keys_offset_ = place(products_[0].scores->packing().size);
  values_offset_ = place(products_[0].output->packing().size);
  scores_offset_ = place(size_t{4} * large * padded_l_);
  output_offset_ = place(writes_direct_ ? 0 : size_t{4} * large * problem.e);
  size_t softmax = 0;
  softmax_code_ = GenerateCode(
      BestIsa(features), [&](JitCode& code) { softmax = EmitSoftmaxRows(code, padded_l_ / lanes, problem.scale); });
  softmax_ = softmax_code_->At<SoftmaxRowsFunction>(softmax);
}

AttentionKernel::Products AttentionKernel::MakeProducts(int rows, const ConvTactic& tactic,
                                                        const CpuFeatures& features) const {
  ConvTactic all_rows = tactic;
  all_rows.row_block = CeilDiv(rows, tactic.pixels);
  return {rows, std::make_unique<DirectConv>(AsConv(ScoresProblem(problem_, rows, padded_l_)), all_rows, features),
          std::make_unique<DirectConv>(AsConv(OutputProblem(problem_, rows, padded_l_, writes_direct_)), all_rows,
                                       features)};
}

// The bias of keys that don't exist is -inf: their probability is 0 without a mask.
void AttentionKernel::PackKeys(const std::byte* k, std::byte* packed) const {
  const ConvPacking& packing = products_[0].scores->packing();
  for (const ChannelBlock& block : packing.blocks)
    PackGemmBlock(packing, problem_.k, problem_.d, problem_.l, block, k, packed);
  auto* bias = reinterpret_cast<float*>(packed + packing.bias_offset);
  for (int i = 0; i < padded_l_; ++i) bias[i] = i < problem_.l ? 0.0f : -std::numeric_limits<float>::infinity();
}

void AttentionKernel::PackValues(const std::byte* v, std::byte* packed) const {
  const ConvPacking& packing = products_[0].output->packing();
  for (const ChannelBlock& block : packing.blocks)
    PackGemmBlock(packing, problem_.v, problem_.l, problem_.e, block, v, packed);
  std::memset(packed + packing.bias_offset, 0, packing.size - packing.bias_offset);
}

void AttentionKernel::ScatterOutput(const float* rows, int count, std::byte* out) const {
  for (int y = 0; y < count; ++y) {
    for (int x = 0; x < problem_.e; ++x) {
      std::byte* to = out + y * problem_.out.row_stride + x * problem_.out.column_stride;
      const float value = rows[int64_t{y} * problem_.e + x];
      if (problem_.out.dtype == DType::kFloat32) {
        std::memcpy(to, &value, 4);
      } else {
        const BFloat16 rounded(value);
        std::memcpy(to, &rounded, 2);
      }
    }
  }
}

void AttentionKernel::Run(const AttentionArgs& args, int64_t item, std::byte* scratch) const {
  TENON_CHECK(item >= 0 && item < work_items());
  const int64_t batch = item / row_blocks_;
  const int part = static_cast<int>(item % row_blocks_);
  const int begin = EvenSplit(problem_.m, row_blocks_, part),
            rows = EvenSplit(problem_.m, row_blocks_, part + 1) - begin;
  const Products& products =
      *std::find_if(products_.begin(), products_.end(), [&](const auto& p) { return p.rows == rows; });
  std::byte* scores = scratch + scores_offset_;
  PackKeys(args.k + problem_.k.batch_offsets[batch], scratch + keys_offset_);
  RunAll(*products.scores, {.input = args.q + problem_.q.batch_offsets[batch] + begin * problem_.q.row_stride,
                            .packed = scratch + keys_offset_,
                            .outputs = {scores}});
  softmax_(reinterpret_cast<float*>(scores), rows);
  PackValues(args.v + problem_.v.batch_offsets[batch], scratch + values_offset_);
  std::byte* out = args.out + problem_.out.batch_offsets[batch] + begin * problem_.out.row_stride;
  std::byte* to = writes_direct_ ? out : scratch + output_offset_;
  RunAll(*products.output, {.input = scores, .packed = scratch + values_offset_, .outputs = {to}});
  if (!writes_direct_) ScatterOutput(reinterpret_cast<const float*>(to), rows, out);
}

}  // namespace tenon::cpu
