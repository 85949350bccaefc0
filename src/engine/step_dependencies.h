#pragma once
#include <functional>
#include <vector>

#include "engine/program.h"

namespace tenon {

/// Whether two operands may share a byte. Exact for boxes of one tensor: neighbouring channels of a pixel share none,
/// although their extents overlap.
bool MayOverlap(const ProgramOperand& a, const ProgramOperand& b);

/// For each step the earlier ones that it has to wait for: those that wrote what it reads, and those that read or wrote
/// what it writes. Without those that another of them waits for already. `is_barrier`: everything before such a step
/// must be done, and everything after it waits for it.
std::vector<std::vector<size_t>> StepDependencies(const Program& program,
                                                  const std::function<bool(const ProgramStep&)>& is_barrier);

/// For each step, whether it has to wait for each of the earlier ones, by `dependencies` of dependencies.
std::vector<std::vector<bool>> StepAncestors(const std::vector<std::vector<size_t>>& dependencies);

}  // namespace tenon
