#pragma once
#include <array>
#include <span>

#include "backends/cpu/jit_code.h"

namespace tenon::cpu {

/// scale * silu(x) + offset for values that become bytes: silu(x) = max(x, 0) - h(|x|) with h(t) = t / (1 + e^t) as
/// parabolas over 16 equal pieces. silu within kError, and the same to the bit on every instruction set. NaN
/// stays NaN. Fewer and cheaper instructions than an exponential and a reciprocal, and none for scale and offset: the
/// epilogue is what bounds INT8 layers with few input channels.
class ByteSilu {
 public:
  static constexpr float kError = 4e-4f;
  static constexpr int kTables = 3;

  explicit ByteSilu(float scale = 1, float offset = 0);

  /// Emits the loads of the tables into registers that Emit may then be given (AVX-512).
  void EmitLoadTables(JitCode& code, std::span<const Xbyak::Xmm, kTables> tables) const;
  /// Emits x = scale * silu(x) + offset. `temps` are overwritten; `tables` is empty or what EmitLoadTables filled.
  void Emit(JitCode& code, const Xbyak::Xmm& x, const std::array<Xbyak::Xmm, 4>& temps,
            std::span<const Xbyak::Xmm> tables) const;

 private:
  static constexpr int kPieces = 16;
  using Table = std::array<float, kPieces>;

  float scale_;
  std::array<Table, kTables> tables_;  ///< coefficients of h * scale - offset, the highest power first
};

}  // namespace tenon::cpu
