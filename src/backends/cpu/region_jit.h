#pragma once
#include "backends/cpu/jit_code.h"
#include "backends/cpu/region_body.h"

namespace tenon::cpu {

/// Why the generator can't take the program (integer arithmetic); empty when it can.
std::string GeneratorObstacle(const Program& program);

/// Machine code for the program: all lanes of a vector in registers from loads to stores. Integers and bools come and
/// go as floats. `is_broadcast[load]`: its array is one element.
std::unique_ptr<RegionBody> MakeGeneratedBody(const Program& program, const std::vector<bool>& is_broadcast, Isa isa);

}  // namespace tenon::cpu
