#pragma once
#include "backends/cpu/activation.h"
#include "backends/cpu/jit_code.h"

namespace tenon::cpu {

/// How exact an activation has to be: a few units in the last place of the type that is stored.
enum class MathPrecision : uint8_t { kFloat32, kBFloat16 };

/// Vector registers that an activation may overwrite; always enough.
struct MathTemps {
  Xbyak::Xmm a, b, c;
};
inline constexpr int kMathTempCount = 3;

/// Emits x = activation(x) for a vector of floats. Safe for every input: +-inf saturates, NaN stays NaN.
/// FP32: exp within 2e-7 relative (Cody-Waite reduction, polynomial of degree 5), tanh and erf within 4e-7 absolute.
/// BF16: exp within 1e-4, reciprocals within 2^-14; below the rounding of the stored value.
void EmitActivation(JitCode& code, const ActivationSpec& activation, MathPrecision precision, const Xbyak::Xmm& x,
                    const MathTemps& temps);

/// Emits x = exp(x): infinity and 0 (also denormals) at the ends, NaN stays NaN.
void EmitExp(JitCode& code, MathPrecision precision, const Xbyak::Xmm& x, const MathTemps& temps);

}  // namespace tenon::cpu
