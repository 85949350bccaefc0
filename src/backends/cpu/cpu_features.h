#pragma once
#include <cstddef>
#include <string>

namespace tenon::cpu {

/// What the generators may use and what the cost models assume. Passed in everywhere, so that a test can mask a feature
/// and an engine can be planned for a machine other than this one.
struct CpuFeatures {
  bool avx2_fma = false;     ///< AVX2 and FMA3: the least that the generators need
  bool avx512 = false;       ///< AVX-512 F, BW, DQ and VL, with the OS saving the state
  bool avx512_bf16 = false;  ///< vdpbf16ps and vcvtne2ps2bf16
  bool avx512_vnni = false;  ///< vpdpbusd
  bool amx_bf16 = false;     ///< AMX tiles with tdpbf16ps
  size_t l1d_bytes = 32 << 10;
  size_t l2_bytes = 1 << 20;

  /// "avx2 avx512 avx512_bf16 ..."; for messages and keys of the timing cache.
  std::string ToString() const;
};

/// The features of the processor that this runs on.
CpuFeatures DetectCpuFeatures();

}  // namespace tenon::cpu
