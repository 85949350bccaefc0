#pragma once
#include <array>

#include "backends/cpu/jit_code.h"

namespace tenon::cpu {

/// SiLU for values that become bytes: silu(x) = max(x, 0) - h(|x|) with h(t) = t / (1 + e^t) as parabolas over 16 equal
/// pieces. Within kByteSiluError of the true function, and the same to the bit on every instruction set. NaN stays NaN.
/// Fewer and cheaper instructions than an exponential and a reciprocal: the epilogue is what bounds INT8 layers with
/// few input channels.
inline constexpr float kByteSiluError = 4e-4f;

/// Emits x = silu(x). `temps` are overwritten.
void EmitByteSilu(JitCode& code, const Xbyak::Xmm& x, const std::array<Xbyak::Xmm, 4>& temps);

}  // namespace tenon::cpu
