#pragma once
#include <span>

#include "backends/cpu/tile_epilogue.h"

namespace tenon::cpu {

/// Vectors of lanes that one store of bytes takes at most.
inline constexpr int kByteGroup = 4;

/// Bytes of the last group of a tile's pixel, and the register that masks them (AVX-512, where they are no power of
/// two).
inline const Xbyak::Opmask kByteMask(3);
/// Sets kByteMask for `count` bytes where EmitStoreBytes needs it. Changes reg::temp.
void EmitByteMask(JitCode& code, int count);

/// Emits the u8 of 1 to kByteGroup vectors of floats into the first of them, in their order:
/// saturate(round_half_even(x * (1 / scale)) + zero_point), 0 for NaN. {1, 0} for floats that count steps already. The
/// vectors and `temp` are overwritten.
void EmitPackBytes(JitCode& code, std::span<const Xbyak::Xmm> vectors, const AffineScale& scale,
                   const Xbyak::Xmm& temp);

/// Emits the u8 of two vectors of words into the first of them; `low` holds the first and second vector of
/// INT32 as vpackssdw leaves them, `high` the third and fourth. `temp` is overwritten.
void EmitPackWords(JitCode& code, const Xbyak::Xmm& low, const Xbyak::Xmm& high, const Xbyak::Xmm& temp);

/// Emits the store of the first `count` bytes of a vector. AVX2 may overwrite the vector.
void EmitStoreBytes(JitCode& code, const Xbyak::RegExp& to, const Xbyak::Xmm& bytes, int count);

/// Emits the load of `count` u8, at most one a lane, as INT32; AVX-512: fewer than all are those of kTailMask. What
/// lies behind them is not read.
void EmitLoadBytes(JitCode& code, const Xbyak::Xmm& to, const Xbyak::RegExp& from, int count);

}  // namespace tenon::cpu
