#include "engine/validate.h"

#include <algorithm>

#include "base/error.h"
#include "ir/limits.h"

namespace tenon {
namespace {

[[noreturn]] void ThrowDamaged(const std::string& where, const std::string& what) {
  ThrowInvalid(
      {.what = "the engine's plan is damaged", .where = where, .got = what, .hint = "Export the engine again."});
}

int64_t DenseBytes(const TensorInfo& info) { return ElemCount(info.shape) * SizeOf(info.dtype); }

/// Size of the memory that an operand names; -1 when there is no such memory.
int64_t MemoryBytes(const Program& program, const ProgramOperand& operand, const std::vector<TensorInfo>& inputs,
                    const std::vector<TensorInfo>& outputs) {
  const auto size = [&](const auto& list, auto&& bytes_of) {
    return operand.index >= 0 && static_cast<size_t>(operand.index) < list.size() ? bytes_of(list[operand.index]) : -1;
  };
  switch (operand.memory) {
    case MemoryKind::kArena:
      return program.arena_bytes;
    case MemoryKind::kInput:
      return size(inputs, DenseBytes);
    case MemoryKind::kOutput:
      return size(outputs, DenseBytes);
    case MemoryKind::kConstant:
      return size(program.constants, [](const Tensor& tensor) { return tensor.size_bytes(); });
    case MemoryKind::kAbsent:
    case MemoryKind::kPacked:
      break;
  }
  return -1;
}

/// Kernels read constants as the tensors that they are, too: type, shape and order have to be the tensor's own.
void CheckConstant(const Program& program, const ProgramStep& step, const ProgramOperand& operand) {
  if (operand.index < 0 || static_cast<size_t>(operand.index) >= program.constants.size())
    ThrowDamaged("step " + step.name, fmt::format("constant {} of {}", operand.index, program.constants.size()));
  const Tensor& constant = program.constants[static_cast<size_t>(operand.index)];
  bool is_same = constant.dtype() == operand.dtype && constant.shape() == operand.shape && operand.offset_bytes == 0;
  const std::vector<int64_t> dense = ContiguousStrides(operand.shape);
  const bool is_empty = constant.elems() == 0;  // strides of nothing say nothing
  for (size_t d = 0; is_same && !is_empty && d < dense.size() && d < operand.strides_bytes.size(); ++d) {
    is_same = operand.shape[d] == 1 || operand.strides_bytes[d] == dense[d] * SizeOf(operand.dtype);
  }
  if (!is_same) ThrowDamaged("step " + step.name, fmt::format("an operand that isn't its constant {}", operand.index));
}

bool IsAligned(const ProgramOperand& operand) {
  const int64_t size = SizeOf(operand.dtype);
  return operand.offset_bytes % size == 0 && std::all_of(operand.strides_bytes.begin(), operand.strides_bytes.end(),
                                                         [&](int64_t stride) { return stride % size == 0; });
}

}  // namespace

int64_t ExtentBytes(const ProgramOperand& operand) {
  int64_t extent = SizeOf(operand.dtype);
  if (operand.strides_bytes.size() != operand.shape.size())
    ThrowInvalid("an operand has {} strides for {} dimensions", operand.strides_bytes.size(), operand.shape.size());
  if (ElemCount(operand.shape) == 0) return 0;
  for (size_t d = 0; d < operand.shape.size(); ++d) {
    int64_t span = 0;
    if (operand.strides_bytes[d] < 0 || __builtin_mul_overflow(operand.shape[d] - 1, operand.strides_bytes[d], &span) ||
        __builtin_add_overflow(extent, span, &extent)) {
      ThrowInvalid("an operand of {} has impossible strides", ToString(operand.shape));
    }
  }
  return extent;
}

void ValidateProgram(const Program& program, const std::vector<TensorInfo>& inputs,
                     const std::vector<TensorInfo>& outputs) {
  const auto check = [&](const ProgramStep& step, const ProgramOperand& operand, bool is_output) {
    if (operand.memory == MemoryKind::kAbsent) return;
    CheckTensorSize("step " + step.name, operand.dtype, operand.shape);
    if (operand.memory == MemoryKind::kConstant) CheckConstant(program, step, operand);
    const bool writable = operand.memory == MemoryKind::kArena || operand.memory == MemoryKind::kOutput;
    const int64_t size = MemoryBytes(program, operand, inputs, outputs);
    const int64_t extent = ExtentBytes(operand);
    if (!IsAligned(operand)) ThrowDamaged("step " + step.name, "an operand whose elements lie askew");
    if (operand.memory == MemoryKind::kPacked && !is_output && step.packed >= 0) return;
    if (size < 0 || (is_output && !writable) || operand.offset_bytes < 0 || extent > size ||
        operand.offset_bytes > size - extent) {
      ThrowDamaged("step " + step.name,
                   fmt::format("an operand of {} bytes at {} in memory of {}", extent, operand.offset_bytes, size));
    }
  };
  for (const ProgramStep& step : program.steps) {
    if (step.packed >= static_cast<int32_t>(program.packed.size()) || step.packed < -1)
      ThrowDamaged("step " + step.name, fmt::format("packed constants {}", step.packed));
    for (const auto& operand : step.inputs) check(step, operand, false);
    for (const auto& operand : step.outputs) check(step, operand, true);
  }
}

}  // namespace tenon
