#pragma once
#include <memory>
#include <string>

#include "backends/region/region_program.h"

namespace tenon::cpu {
using region::Access;
using region::Affine;
using region::Instr;
using region::Nest;
using region::Opcode;
using region::Program;
using region::RegionPlan;
using region::RegionUnsupported;
using region::Store;

/// A program made ready to run over many lanes at once.
class RegionBody {
 public:
  virtual ~RegionBody() = default;
  /// Computes `lanes` lanes. `arrays`: where each load's lanes lie, then where each store's go. The arrays are dense:
  /// floats for floats; integers and bools as the body's kind wants them (region_staging.h). Generated code computes
  /// whole vectors: arrays are readable and writable up to the next multiple of kLaneMultiple.
  virtual void Run(std::byte* const* arrays, int64_t lanes, std::byte* scratch) const = 0;
  /// For `lanes` lanes at a time.
  virtual size_t scratch_bytes(int64_t lanes) const = 0;
};

inline constexpr int64_t kLaneMultiple = 16;

/// Executes any program, an instruction at a time over all lanes: exact for integers, slow for floats.
std::unique_ptr<RegionBody> MakeInterpretedBody(const Program& program);

}  // namespace tenon::cpu
