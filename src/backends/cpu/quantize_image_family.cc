#include "backends/cpu/quantize_image_family.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "backends/cpu/cpu_device.h"
#include "base/error.h"
#include "ops/quantize.h"

// Written with intrinsics under a target attribute, so that the rest of the program stays runnable on any x86-64.
#define TENON_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

// GCC 12 takes its own undefined vectors for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace tenon {
namespace {

constexpr int kMostChannels = 4, kLanes = 16;

/// Orders that close the gaps behind the pixels of a vector, one pixel of `channels` bytes in each 32 bits.
struct PixelPacking {
  uint8_t within[64];   ///< inside every 128 bits
  uint32_t across[16];  ///< then of 32-bit words
};

constexpr PixelPacking MakePacking(int channels) {
  PixelPacking packing{};
  for (int i = 0; i < 64; ++i) {
    const int byte = i % 16;
    packing.within[i] = static_cast<uint8_t>(byte < 4 * channels ? byte / channels * 4 + byte % channels : 0x80);
  }
  for (int i = 0; i < 4 * channels; ++i) packing.across[i] = static_cast<uint32_t>(i / channels * 4 + i % channels);
  return packing;
}
alignas(64) constexpr PixelPacking kPackings[kMostChannels] = {MakePacking(1), MakePacking(2), MakePacking(3),
                                                               MakePacking(4)};

struct ImageRow {
  const float* planes[kMostChannels];
  int channels;
  int64_t pixels;
  float scale, zero_point;
};

TENON_AVX512 inline __m512i QuantizeLane(const float* from, __mmask16 mask, __m512 scale, __m512 zero_point) {
  constexpr int kNearestEven = 8;
  const __m512 steps = _mm512_roundscale_ps(_mm512_div_ps(_mm512_maskz_loadu_ps(mask, from), scale), kNearestEven);
  // max gives its second operand where the first is NaN.
  const __m512 low = _mm512_max_ps(_mm512_add_ps(steps, zero_point), _mm512_setzero_ps());
  return _mm512_cvtps_epi32(_mm512_min_ps(low, _mm512_set1_ps(255)));
}

TENON_AVX512 void QuantizeRow(const ImageRow& row, std::byte* to) {
  const PixelPacking& packing = kPackings[row.channels - 1];
  const __m512i within = _mm512_load_si512(packing.within), across = _mm512_load_si512(packing.across);
  const __m512 scale = _mm512_set1_ps(row.scale), zero_point = _mm512_set1_ps(row.zero_point);
  for (int64_t x = 0; x < row.pixels; x += kLanes, to += kLanes * row.channels) {
    const int count = static_cast<int>(std::min<int64_t>(kLanes, row.pixels - x));
    const auto mask = static_cast<__mmask16>((1u << count) - 1);
    __m512i pixels = _mm512_setzero_si512();
    for (int c = row.channels - 1; c >= 0; --c)
      pixels = _mm512_or_si512(_mm512_slli_epi32(pixels, 8), QuantizeLane(row.planes[c] + x, mask, scale, zero_point));
    pixels = _mm512_permutexvar_epi32(across, _mm512_shuffle_epi8(pixels, within));
    const int bytes = count * row.channels;
    if (bytes == 64) {
      _mm512_storeu_si512(to, pixels);
    } else {
      _mm512_mask_storeu_epi8(to, (uint64_t{1} << bytes) - 1, pixels);
    }
  }
}

class QuantizeImageKernel final : public Kernel {
 public:
  explicit QuantizeImageKernel(const StepProblem& problem)
      : shape_(problem.inputs[0].shape),
        in_(problem.inputs[0].strides_bytes),
        out_(problem.outputs[0].strides_bytes),
        has_zero_point_(problem.inputs.size() > 2 && problem.inputs[2].present),
        rows_per_item_(std::clamp<int64_t>(kItemPixels / shape_[3], 1, shape_[2])),
        row_blocks_((shape_[2] + rows_per_item_ - 1) / rows_per_item_) {}

  int64_t work_items() const override { return shape_[0] * row_blocks_; }

  void Run(const KernelArgs& args, int64_t item, std::byte*) const override {
    ImageRow row{
        .planes = {}, .channels = static_cast<int>(shape_[1]), .pixels = shape_[3], .scale = 1, .zero_point = 0};
    std::memcpy(&row.scale, args.inputs[1], sizeof row.scale);
    if (has_zero_point_) row.zero_point = static_cast<float>(std::to_integer<int>(*args.inputs[2]));
    const int64_t image = item / row_blocks_, begin = item % row_blocks_ * rows_per_item_;
    for (int64_t y = begin; y < std::min(begin + rows_per_item_, shape_[2]); ++y) {
      for (int c = 0; c < row.channels; ++c)
        row.planes[c] = reinterpret_cast<const float*>(args.inputs[0] + image * in_[0] + c * in_[1] + y * in_[2]);
      QuantizeRow(row, args.outputs[0] + image * out_[0] + y * out_[2]);
    }
  }

 private:
  static constexpr int64_t kItemPixels = 16 << 10;

  Shape shape_;
  std::vector<int64_t> in_, out_;
  bool has_zero_point_;
  int64_t rows_per_item_, row_blocks_;
};

}  // namespace

std::string QuantizeImageFamily::Supports(const StepProblem& problem, const CpuDevice& device) const {
  const auto* op = dynamic_cast<const QuantizeLinear*>(problem.op);
  if (!op) return fmt::format("{} is no QuantizeLinear", problem.op->name());
  if (!device.features.avx512) return "the CPU lacks AVX-512";
  const KernelOperand &x = problem.inputs[0], &scale = problem.inputs[1], &y = problem.outputs[0];
  if (x.dtype != DType::kFloat32 || y.dtype != DType::kUInt8 || scale.dtype != DType::kFloat32)
    return "other types than f32 and u8";
  if (ElemCount(scale.shape) != 1) return "more than one scale";
  if (x.shape.size() != 4 || ElemCount(x.shape) == 0 || x.shape[1] > kMostChannels)
    return "no image of 1 to 4 channels";
  const bool is_planar = x.strides_bytes[3] == SizeOf(x.dtype) || x.shape[3] == 1;
  const bool is_dense =
      (y.strides_bytes[1] == 1 || x.shape[1] == 1) && (y.strides_bytes[3] == x.shape[1] || x.shape[3] == 1);
  return is_planar && is_dense ? "" : "not from planes to pixels without gaps";
}

std::vector<std::string> QuantizeImageFamily::Candidates(const StepProblem&, const CpuDevice&) const { return {""}; }

std::unique_ptr<Kernel> QuantizeImageFamily::Create(const StepProblem& problem, const std::string& tactic,
                                                    const CpuDevice& device) const {
  const std::string reason = tactic.empty() ? Supports(problem, device) : tactic;
  if (!reason.empty())
    ThrowInvalid(
        {.what = "damaged plan", .where = "quantize_image", .got = reason, .expected = "a step that the family takes"});
  return std::make_unique<QuantizeImageKernel>(problem);
}

}  // namespace tenon
