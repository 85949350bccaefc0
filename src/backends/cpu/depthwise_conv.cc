#include "backends/cpu/depthwise_conv.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/depthwise_tile.h"
#include "backends/cpu/vector_math.h"
#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

int CeilDiv(int a, int b) { return (a + b - 1) / b; }

int64_t PaddedChannels(const ConvProblem& problem, Isa isa) {
  return int64_t{CeilDiv(problem.oc, LanesOf(isa))} * LanesOf(isa);
}

/// Floats in the packed form: all taps, one bias and one multiplier for every padded channel.
int64_t PackedFloats(const ConvProblem& problem, Isa isa) {
  return ElemCount({PaddedChannels(problem, isa), int64_t{problem.kh} * problem.kw + (problem.is_int8() ? 2 : 1)});
}

/// Calls visit(index in [C, KH, KW], index in the packed floats) for every weight.
template <class Visit>
void ForEachWeight(const ConvProblem& problem, const ConvTactic& tactic, Isa isa, const Visit& visit) {
  const int lanes = LanesOf(isa), positions = problem.kh * problem.kw;
  for (const ChannelBlock& block : SplitChannels(problem.oc, tactic.vectors, lanes)) {
    const int64_t first = int64_t{block.first_vector} * lanes;
    const int count = (block.vectors - 1) * lanes + block.tail_lanes;
    for (int c = 0; c < count; ++c) {
      for (int k = 0; k < positions; ++k) {
        visit((first + c) * positions + k, first * positions + int64_t{k} * block.vectors * lanes + c);
      }
    }
  }
}

void CheckSize(std::string_view what, size_t got, int64_t expected) {
  if (static_cast<int64_t>(got) == expected) return;
  ThrowInvalid({.what = fmt::format("{} of a depthwise convolution", what),
                .got = fmt::format("{}", got),
                .expected = fmt::format("{}", expected)});
}

bool Fits(Isa isa, const ConvTactic& tactic) {
  return tactic.pixels * tactic.vectors + kEpilogueTemps <= RegistersOf(isa);
}

}  // namespace

std::string WhyNotDepthwise(const ConvProblem& problem) {
  if (!problem.is_depthwise()) return "not one channel a group";
  if (problem.input.c_stride != SizeOf(problem.input.dtype)) return "input channels are not next to each other";
  constexpr double kMostExact = 1 << 24;  // whole numbers in FP32
  if (problem.is_int8() && double(problem.kh) * problem.kw * 255 * 128 >= kMostExact)
    return "a kernel of too many taps";
  return "";
}

std::vector<ConvTactic> DepthwiseCandidates(const ConvProblem& problem, const CpuFeatures& features, int threads) {
  constexpr double kItemFlops = 2e5;  // bound by loads and stores: less work per item than a dense convolution
  const Isa isa = BestIsa(features);
  const double items = std::clamp(problem.Flops() / kItemFlops, 1.0, 16.0 * threads) / problem.n;
  const int row_block = std::max(1, static_cast<int>(problem.oh / items));
  const int total_vectors = CeilDiv(problem.oc, LanesOf(isa));
  struct Tile {
    int vectors, pixels;
  };
  const std::vector<Tile> tiles = isa == Isa::kAvx512
                                      ? std::vector<Tile>{{2, 8}, {1, 14}, {2, 6}, {1, 10}, {3, 6}, {4, 4}, {1, 20}}
                                      : std::vector<Tile>{{1, 8}, {2, 4}, {1, 6}, {1, 10}, {2, 5}};
  std::vector<ConvTactic> candidates;
  for (const Tile& tile : tiles) {
    if (tile.vectors > total_vectors && tile.vectors > 1) continue;
    candidates.push_back({tile.vectors, tile.pixels, row_block, ItemOrder::kChannelsInner});
  }
  const ConvTactic best = candidates.front();
  candidates.push_back({best.vectors, best.pixels, row_block, ItemOrder::kRowsInner});
  candidates.push_back({best.vectors, best.pixels, row_block * 2, ItemOrder::kChannelsInner});
  return candidates;
}

std::vector<std::byte> PackDepthwise(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                     std::span<const float> weights, std::span<const float> bias,
                                     std::span<const float> weight_scales) {
  const Isa isa = BestIsa(features);
  CheckSize("weights", weights.size(), problem.WeightCount());
  if (!bias.empty()) CheckSize("bias", bias.size(), problem.oc);
  CheckSize("weight scales", weight_scales.size(), problem.is_int8() ? problem.oc : 0);
  std::vector<std::byte> packed(PackedFloats(problem, isa) * 4);
  const auto store = [&](int64_t index, float value) { std::memcpy(&packed[index * 4], &value, 4); };
  const bool rounds = problem.compute == DType::kBFloat16;
  ForEachWeight(problem, tactic, isa, [&](int64_t from, int64_t to) {
    store(to, rounds ? static_cast<float>(BFloat16(weights[from])) : weights[from]);
  });
  const int64_t channels = PaddedChannels(problem, isa), biases = channels * problem.kh * problem.kw;
  const float scale = SumScale(problem);
  for (size_t c = 0; c < bias.size(); ++c) store(biases + static_cast<int64_t>(c), bias[c] * scale);
  for (size_t c = 0; c < weight_scales.size(); ++c) {
    store(biases + channels + static_cast<int64_t>(c), problem.quantization.x.scale * weight_scales[c] * scale);
  }
  return packed;
}

std::vector<float> UnpackDepthwiseWeights(const ConvProblem& problem, const ConvTactic& tactic,
                                          const CpuFeatures& features, std::span<const std::byte> packed) {
  const Isa isa = BestIsa(features);
  CheckSize("packed weights", packed.size(), PackedFloats(problem, isa) * 4);
  std::vector<float> weights(problem.WeightCount());
  ForEachWeight(problem, tactic, isa,
                [&](int64_t to, int64_t from) { std::memcpy(&weights[to], &packed[from * 4], 4); });
  return weights;
}

std::vector<float> UnpackDepthwiseBias(const ConvProblem& problem, const ConvTactic&, const CpuFeatures& features,
                                       std::span<const std::byte> packed) {
  const Isa isa = BestIsa(features);
  CheckSize("packed weights", packed.size(), PackedFloats(problem, isa) * 4);
  std::vector<float> bias(problem.oc);
  std::memcpy(bias.data(), &packed[PaddedChannels(problem, isa) * problem.kh * problem.kw * 4], bias.size() * 4);
  for (float& b : bias) b /= SumScale(problem);
  return bias;
}

DepthwiseConv::DepthwiseConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features)
    : problem_(problem),
      isa_(BestIsa(features)),
      order_(tactic.order),
      blocks_(SplitChannels(problem.oc, tactic.vectors, LanesOf(isa_))),
      tiling_(TileRow(RowOf(problem), tactic.pixels)),
      row_blocks_(CeilDiv(problem.oh, tactic.row_block)) {
  if (!Fits(isa_, tactic)) {
    ThrowInvalid({.what = "a tactic needs more registers than there are", .got = tactic.ToString()});
  }
  Generate();
}

void DepthwiseConv::Generate() {
  const View& in = problem_.input;
  TileEpilogue epilogue = MakeTileEpilogue(problem_);
  if (problem_.is_int8()) {
    epilogue.sums = Sums::kIntegerFloats;
    epilogue.multiplier_bytes = PaddedChannels(problem_, isa_) * 4;
  }
  std::vector<std::vector<size_t>> offsets;
  code_ = GenerateCode(isa_, [&](JitCode& code) {
    offsets.assign(blocks_.size(), {});
    for (size_t b = 0; b < blocks_.size(); ++b) {
      const ChannelBlock& block = blocks_[b];
      if (b > 0 && blocks_[b - 1].vectors == block.vectors && blocks_[b - 1].tail_lanes == block.tail_lanes) {
        offsets[b] = offsets[b - 1];
        continue;
      }
      for (const TileVariant& variant : tiling_.variants) {
        offsets[b].push_back(EmitDepthwiseTile(
            code, {.shape = {.pixels = variant.pixels, .vectors = block.vectors, .tail_lanes = block.tail_lanes},
                   .input_dtype = in.dtype,
                   .zero_point = problem_.quantization.x.zero_point,
                   .stride = problem_.stride_w,
                   .dilation = problem_.dilation_w,
                   .columns = variant.columns,
                   .input_pixel_bytes = in.w_stride,
                   .row_bytes = problem_.dilation_h * in.h_stride,
                   .epilogue = epilogue}));
      }
    }
  });
  for (const auto& of_block : offsets) {
    functions_.emplace_back();
    for (const size_t offset : of_block) functions_.back().push_back(code_->At<TileFunction>(offset));
  }
}

size_t DepthwiseConv::packed_bytes() const { return PackedFloats(problem_, isa_) * 4; }

void DepthwiseConv::Run(const ConvArgs& args, int64_t item) const {
  TENON_CHECK(item >= 0 && item < work_items());
  const int image = static_cast<int>(item / row_blocks_), part = static_cast<int>(item % row_blocks_);
  const int begin = EvenSplit(problem_.oh, row_blocks_, part), end = EvenSplit(problem_.oh, row_blocks_, part + 1);
  const int blocks = static_cast<int>(blocks_.size());
  if (order_ == ItemOrder::kChannelsInner) {
    for (int row = begin; row < end; ++row) {
      for (int b = 0; b < blocks; ++b) RunRow(args, image, row, b);
    }
  } else {
    for (int b = 0; b < blocks; ++b) {
      for (int row = begin; row < end; ++row) RunRow(args, image, row, b);
    }
  }
}

void DepthwiseConv::RunRow(const ConvArgs& args, int image, int row, int block_index) const {
  const ConvProblem& p = problem_;
  const ChannelBlock& block = blocks_[block_index];
  const int lanes = LanesOf(isa_);
  const int64_t first_row = int64_t{row} * p.stride_h - p.pad_top, channel = int64_t{block.first_vector} * lanes;
  const KernelRange rows = ValidKernelRange(first_row, p.kh, p.dilation_h, p.ih);
  const auto* packed = reinterpret_cast<const float*>(args.packed);
  const int64_t positions = int64_t{p.kh} * p.kw;
  // Addresses of skipped taps may lie outside of the image: formed as integers, never read.
  const uintptr_t input = reinterpret_cast<uintptr_t>(args.input) +
                          p.input.OffsetOf(image, channel, first_row + int64_t{rows.begin} * p.dilation_h, -p.pad_left);
  for (const TileRun& run : tiling_.runs) {
    TileArgs tile;
    tile.input = reinterpret_cast<const void*>(input + int64_t{run.first_output} * p.stride_w * p.input.w_stride);
    tile.weights = packed + channel * positions + int64_t{rows.begin} * p.kw * block.vectors * lanes;
    tile.bias = packed + PaddedChannels(p, isa_) * positions + channel;
    SetOutputs(p, args, image, channel, row, run.first_output, tile);
    tile.tiles = run.tiles;
    tile.kernel_rows = rows.size();
    functions_[block_index][run.variant](&tile);
  }
}

}  // namespace tenon::cpu
