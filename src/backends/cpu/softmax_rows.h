#pragma once
#include "backends/cpu/jit_code.h"

namespace tenon::cpu {

/// Emits void(float* rows, int64_t count): every row of `vectors` whole vectors becomes
/// exp(scale * (x - max)) / sum, in place; scale > 0, -inf gives 0.
/// Returns the function's offset in the code.
size_t EmitSoftmaxRows(JitCode& code, int vectors, float scale);

using SoftmaxRowsFunction = void (*)(float* rows, int64_t count);

}  // namespace tenon::cpu
