#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "backends/cpu/jit_code.h"
#include "ir/types.h"

namespace tenon::cpu {

enum class Combine : uint8_t {
  kSum,       ///< scale * (row 0 + row 1 + ...)
  kMax,       ///< ignores NaN; of no rows: -infinity
  kMaxOrNan,  ///< NaN where there is one
  kMinOrNan,  ///< the same; of no rows: infinity
  kWeighted,  ///< weights[0] * row 0 + weights[1] * row 1 + ...
};

/// out[i] = the combination of rows[0][i], rows[1][i], ... in this order, for i < elems.
struct CombineCall {
  const std::byte* const* rows = nullptr;
  int64_t row_count = 0;
  const float* weights = nullptr;  ///< of kWeighted
  std::byte* out = nullptr;
  int64_t elems = 0;
  float scale = 1;  ///< of kSum
};

/// Generated code that combines rows of neighbouring elements: what channels-last pooling, resizing and reductions over
/// pixels consist of. Sums are FP32. Reads and writes nothing beyond `elems` elements.
class RowCombiner {
 public:
  /// f32 or bf16 (which needs AVX-512); kMax also of u8, of one row at least.
  RowCombiner(Isa isa, Combine kind, DType in, DType out);
  void operator()(const CombineCall& call) const { function_(&call); }

 private:
  std::unique_ptr<JitCode> code_;
  void (*function_)(const CombineCall*) = nullptr;
};

}  // namespace tenon::cpu
