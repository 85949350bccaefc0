#pragma once
#include <array>
#include <optional>
#include <span>

#include "backends/cpu/jit_code.h"
#include "ops/quantization.h"

namespace tenon::cpu {

/// SiLU from integer sums to bytes in 16-bit integers, 32 outputs in a vector: twice as many as floats, and
/// convolutions of few channels spend half of their time here. x comes in whole units of 2^-bits, saturated to 16 bits;
/// its upper 5 bits choose one of 32 parabolas in the lower 11, whose values are 1/128 steps of the output's grid,
/// zero point included. Exact integer arithmetic after the one rounding of x: the same on every instruction set.
class WordSilu {
 public:
  static constexpr int kTables = 3;
  /// Largest error of the approximation, in real units; beyond that a hundredth of a step of rounding.
  static constexpr double kError = 1.6e-3;

  /// Nothing for grids so fine that the error would show (steps below 0.004), and for outputs above 16, where the
  /// parabolas are too wide.
  static std::optional<WordSilu> For(const AffineScale& stored);

  /// x times this has units of 1: a power of two, so that multiplying by it loses nothing.
  float input_scale() const { return input_scale_; }

  /// AVX-512. Emits the loads of the tables into registers that EmitWords may then be given.
  void EmitLoadTables(JitCode& code, std::span<const Xbyak::Xmm, kTables> tables) const;
  /// AVX-512. 32 signed words of x in units become the stored values, as words yet to be saturated to bytes.
  /// `temps` are overwritten; `tables` is empty or what EmitLoadTables filled.
  void EmitWords(JitCode& code, const Xbyak::Xmm& x, const std::array<Xbyak::Xmm, 4>& temps,
                 std::span<const Xbyak::Xmm> tables) const;
  /// AVX2. The same from 8 floats in units (NaN is the least) to 8 stored values as floats.
  void EmitFloats(JitCode& code, const Xbyak::Xmm& x, const std::array<Xbyak::Xmm, 4>& temps) const;

 private:
  static constexpr int kPieces = 32, kPieceBits = 11, kStepBits = 7;

  WordSilu(const AffineScale& stored, int range_bits);

  float input_scale_ = 1;
  std::array<std::array<int16_t, kPieces>, kTables> tables_;  ///< coefficients, the highest power first
};

}  // namespace tenon::cpu
