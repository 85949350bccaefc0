#include "backends/cpu/tile_transpose.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "ir/float16.h"

// Written with intrinsics under a target attribute, so that the rest of the program stays runnable on any x86-64.
#define TENON_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define TENON_AVX2 __attribute__((target("avx2,fma")))

// GCC 12 takes its own _mm512_undefined_ps for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace tenon::cpu {
namespace {

TENON_AVX512 inline __m512 Load16(DType dtype, const std::byte* from, __mmask16 mask) {
  if (dtype == DType::kFloat32) return _mm512_maskz_loadu_ps(mask, from);
  if (dtype == DType::kUInt8) return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, from)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16));
}

TENON_AVX512 inline void Store16(DType dtype, std::byte* to, __mmask16 mask, __m512 x) {
  if (dtype == DType::kFloat32) return _mm512_mask_storeu_ps(to, mask, x);
  if (dtype == DType::kUInt8) return _mm_mask_storeu_epi8(to, mask, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(x)));
  const __m512i word = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(1));
  __m512i bits = _mm512_srli_epi32(_mm512_add_epi32(word, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(word, 16), _mm512_set1_epi32(0x40));
  bits = _mm512_mask_mov_epi32(bits, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), quiet);
  _mm256_mask_storeu_epi16(to, mask, _mm512_cvtepi32_epi16(bits));
}

TENON_AVX512 inline void Transpose16(__m512 (&r)[16]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    const auto pair = [&](int k) __attribute__((target("avx512f"))) { return _mm512_castps_pd(t[i + k]); };
    r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(pair(0), pair(2)));
    r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(pair(0), pair(2)));
    r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(pair(1), pair(3)));
    r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(pair(1), pair(3)));
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

TENON_AVX512 void LoadTile512(const TileView& view, const std::byte* tile, float* columns, int64_t pitch) {
  const auto mask = static_cast<__mmask16>((1u << view.columns) - 1);
  const int64_t next_columns = view.columns * SizeOf(view.dtype);
  for (int64_t row = 0; row < view.rows; row += 16) {
    const int64_t last = std::min<int64_t>(15, view.rows - row - 1);
    __m512 r[16];
    for (int64_t i = 0; i < 16; ++i) {
      const std::byte* from = tile + (row + std::min(i, last)) * view.row_stride;
      r[i] = Load16(view.dtype, from, mask);
      // The columns behind these are the next tile, and no hardware prefetcher sees a pattern in rows of these strides.
      _mm_prefetch(reinterpret_cast<const char*>(from + next_columns), _MM_HINT_T0);
    }
    Transpose16(r);
    for (int c = 0; c < 16; ++c) {
      if (c < view.columns) _mm512_storeu_ps(columns + c * pitch + row, r[c]);
    }
  }
}

/// Where the lanes of interleaved columns' vectors come from: pixels of an image, halves of a channel shuffle.
struct InterleaveTable {
  int32_t row[4][16];    ///< of each output vector's lanes
  uint16_t lanes[4][4];  ///< those of output vector v that column c fills
};

constexpr InterleaveTable MakeInterleaveTable(int columns) {
  InterleaveTable table{};
  for (int i = 0; i < 16 * columns; ++i) {
    table.row[i / 16][i % 16] = i / columns;
    uint16_t& lanes = table.lanes[i / 16][i % columns];
    lanes = static_cast<uint16_t>(lanes | 1u << i % 16);
  }
  return table;
}
alignas(64) constexpr InterleaveTable kInterleave2 = MakeInterleaveTable(2), kInterleave3 = MakeInterleaveTable(3),
                                      kInterleave4 = MakeInterleaveTable(4);

/// Rows without gaps, 2 to 4 columns: whole vectors. A masked store per row takes eight times as long.
TENON_AVX512 void StoreDenseTile(const InterleaveTable& table, const TileView& view, std::byte* tile,
                                 const float* columns, int64_t pitch) {
  for (int64_t row = 0; row < view.rows; row += 16) {
    int64_t left = std::min<int64_t>(16, view.rows - row) * view.columns;
    for (int v = 0; v < view.columns && left > 0; ++v, left -= 16) {
      __m512 mixed = _mm512_setzero_ps();
      for (int c = 0; c < view.columns; ++c) {
        mixed = _mm512_mask_permutexvar_ps(mixed, table.lanes[v][c], _mm512_loadu_si512(table.row[v]),
                                           _mm512_loadu_ps(columns + c * pitch + row));
      }
      const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffff : (1 << left) - 1);
      Store16(view.dtype, tile + row * view.row_stride + v * 16 * SizeOf(view.dtype), mask, mixed);
    }
  }
}

TENON_AVX512 void StoreTile512(const TileView& view, std::byte* tile, const float* columns, int64_t pitch) {
  const auto mask = static_cast<__mmask16>((1u << view.columns) - 1);
  const bool is_dense = view.row_stride == view.columns * SizeOf(view.dtype);
  if (is_dense && view.columns == 2) return StoreDenseTile(kInterleave2, view, tile, columns, pitch);
  if (is_dense && view.columns == 3) return StoreDenseTile(kInterleave3, view, tile, columns, pitch);
  if (is_dense && view.columns == 4) return StoreDenseTile(kInterleave4, view, tile, columns, pitch);
  for (int64_t row = 0; row < view.rows; row += 16) {
    __m512 r[16];
    for (int c = 0; c < 16; ++c) r[c] = _mm512_loadu_ps(columns + std::min(c, view.columns - 1) * pitch + row);
    Transpose16(r);
    for (int64_t i = 0; i < 16; ++i) {
      if (row + i < view.rows) Store16(view.dtype, tile + (row + i) * view.row_stride, mask, r[i]);
    }
  }
}

TENON_AVX2 inline void Transpose8(__m256 (&r)[8]) {
  __m256 t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
  for (int i = 0; i < 8; ++i) r[i] = t[i];
}

TENON_AVX2 inline __m256i FirstLanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

TENON_AVX2 inline __m256 Load8(DType dtype, const std::byte* from, int count) {
  if (dtype == DType::kFloat32) return _mm256_maskload_ps(reinterpret_cast<const float*>(from), FirstLanes(count));
  if (dtype == DType::kUInt8) {
    int64_t bytes = 0;
    std::memcpy(&bytes, from, static_cast<size_t>(count));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes)));
  }
  alignas(16) uint16_t bits[8] = {};
  std::memcpy(bits, from, static_cast<size_t>(count) * 2);
  const __m256i words = _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(bits)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
}

TENON_AVX2 inline void Store8(DType dtype, std::byte* to, int count, __m256 x) {
  if (dtype == DType::kFloat32) return _mm256_maskstore_ps(reinterpret_cast<float*>(to), FirstLanes(count), x);
  alignas(32) float values[8];
  _mm256_store_ps(values, x);
  for (int i = 0; i < count; ++i) {
    if (dtype == DType::kUInt8) {
      to[i] = static_cast<std::byte>(values[i]);
    } else {
      const BFloat16 half(values[i]);
      std::memcpy(to + i * 2, &half.bits, 2);
    }
  }
}

TENON_AVX2 void LoadTile256(const TileView& view, const std::byte* tile, float* columns, int64_t pitch) {
  const int64_t size = SizeOf(view.dtype);
  for (int first = 0; first < view.columns; first += 8) {
    const int count = std::min(8, view.columns - first);
    for (int64_t row = 0; row < view.rows; row += 8) {
      const int64_t last = std::min<int64_t>(7, view.rows - row - 1);
      __m256 r[8];
      for (int64_t i = 0; i < 8; ++i)
        r[i] = Load8(view.dtype, tile + (row + std::min(i, last)) * view.row_stride + first * size, count);
      Transpose8(r);
      for (int c = 0; c < 8; ++c) {
        if (c < count) _mm256_storeu_ps(columns + (first + c) * pitch + row, r[c]);
      }
    }
  }
}

TENON_AVX2 void StoreTile256(const TileView& view, std::byte* tile, const float* columns, int64_t pitch) {
  const int64_t size = SizeOf(view.dtype);
  for (int first = 0; first < view.columns; first += 8) {
    const int count = std::min(8, view.columns - first);
    for (int64_t row = 0; row < view.rows; row += 8) {
      __m256 r[8];
      for (int c = 0; c < 8; ++c) r[c] = _mm256_loadu_ps(columns + (first + std::min(c, count - 1)) * pitch + row);
      Transpose8(r);
      for (int64_t i = 0; i < 8; ++i) {
        if (row + i < view.rows) Store8(view.dtype, tile + (row + i) * view.row_stride + first * size, count, r[i]);
      }
    }
  }
}

}  // namespace

TileTranspose TileTransposeFor(const CpuFeatures& features) {
  if (features.avx512) return {LoadTile512, StoreTile512};
  return {LoadTile256, StoreTile256};
}

}  // namespace tenon::cpu
