#include "engine/step_dependencies.h"

#include <algorithm>
#include <optional>

#include "engine/validate.h"

namespace tenon {
namespace {

/// Bytes [first, end) of each period that an operand touches.
struct Slice {
  int64_t first = 0, end = 0;
};

/// Nothing when the operand's elements don't repeat with the period.
std::optional<Slice> SliceOf(const ProgramOperand& operand, int64_t period) {
  Slice slice{operand.offset_bytes % period, operand.offset_bytes % period + SizeOf(operand.dtype)};
  for (size_t d = 0; d < operand.shape.size(); ++d) {
    if (operand.strides_bytes[d] % period == 0) continue;
    slice.end += (operand.shape[d] - 1) * operand.strides_bytes[d];
  }
  if (slice.end > period) return {};
  return slice;
}

/// Whether some stride of theirs is a period in which they touch different bytes.
bool AreInterleaved(const ProgramOperand& a, const ProgramOperand& b) {
  for (const auto* operand : {&a, &b}) {
    for (const int64_t period : operand->strides_bytes) {
      if (period <= 0) continue;
      const std::optional<Slice> in_a = SliceOf(a, period), in_b = SliceOf(b, period);
      if (in_a && in_b && (in_a->end <= in_b->first || in_b->end <= in_a->first)) return true;
    }
  }
  return false;
}

bool HasAddress(const ProgramOperand& operand) {
  return operand.memory == MemoryKind::kArena || operand.memory == MemoryKind::kInput ||
         operand.memory == MemoryKind::kOutput;
}

bool AnyOverlaps(const std::vector<ProgramOperand>& some, const std::vector<ProgramOperand>& others) {
  return std::any_of(some.begin(), some.end(), [&](const ProgramOperand& a) {
    return std::any_of(others.begin(), others.end(), [&](const ProgramOperand& b) { return MayOverlap(a, b); });
  });
}

bool MustFollow(const ProgramStep& later, const ProgramStep& earlier) {
  return AnyOverlaps(later.inputs, earlier.outputs) || AnyOverlaps(later.outputs, earlier.inputs) ||
         AnyOverlaps(later.outputs, earlier.outputs);
}

/// A step waits for `earlier`, and so for all that that one waits for.
void AddAncestor(size_t earlier, const std::vector<bool>& of_earlier, std::vector<bool>& of_later) {
  of_later[earlier] = true;
  for (size_t i = 0; i < of_earlier.size(); ++i)
    if (of_earlier[i]) of_later[i] = true;
}

}  // namespace

bool MayOverlap(const ProgramOperand& a, const ProgramOperand& b) {
  if (!HasAddress(a) || a.memory != b.memory || a.index != b.index) return false;
  const int64_t a_end = a.offset_bytes + ExtentBytes(a), b_end = b.offset_bytes + ExtentBytes(b);
  if (a_end <= b.offset_bytes || b_end <= a.offset_bytes) return false;
  return !AreInterleaved(a, b);
}

std::vector<std::vector<size_t>> StepDependencies(const Program& program,
                                                  const std::function<bool(const ProgramStep&)>& is_barrier) {
  const auto& steps = program.steps;
  std::vector<std::vector<size_t>> dependencies(steps.size());
  std::vector<std::vector<bool>> ancestors(steps.size());
  for (size_t later = 0; later < steps.size(); ++later) {
    ancestors[later].assign(later, false);
    // From the latest on: what a dependency waits for need not be named again.
    for (size_t earlier = later; earlier-- > 0;) {
      if (ancestors[later][earlier]) continue;
      const bool is_bound = is_barrier(steps[later]) || is_barrier(steps[earlier]);
      if (!is_bound && !MustFollow(steps[later], steps[earlier])) continue;
      dependencies[later].push_back(earlier);
      AddAncestor(earlier, ancestors[earlier], ancestors[later]);
    }
  }
  return dependencies;
}

std::vector<std::vector<bool>> StepAncestors(const std::vector<std::vector<size_t>>& dependencies) {
  std::vector<std::vector<bool>> ancestors(dependencies.size());
  for (size_t later = 0; later < dependencies.size(); ++later) {
    ancestors[later].assign(later, false);
    for (const size_t earlier : dependencies[later]) AddAncestor(earlier, ancestors[earlier], ancestors[later]);
  }
  return ancestors;
}

}  // namespace tenon
