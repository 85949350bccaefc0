#include "backends/cpu/quantized_image.h"

#include <algorithm>

#include "backends/cpu/quantize_image_family.h"
#include "ops/quantize.h"

namespace tenon {
namespace {

bool IsImage(const ProgramOperand& operand) { return operand.memory == MemoryKind::kInput && operand.index == 0; }

Tensor ConstantOf(const Program& program, const ProgramOperand& operand) {
  return operand.memory == MemoryKind::kConstant ? program.constants.at(static_cast<size_t>(operand.index)) : Tensor();
}

}  // namespace

std::array<uint8_t, 256> QuantizedImage::Quantize(const std::array<float, 256>& values) const {
  QuantizeLinear op;
  op.to = DType::kUInt8;
  op.axis = 0;
  Tensor x(DType::kFloat32, {256});
  std::copy(values.begin(), values.end(), x.data<float>());
  const Tensor y = op.Evaluate(std::array{x, scale, zero_point}).at(0);
  std::array<uint8_t, 256> bytes;
  std::copy_n(y.data<uint8_t>(), bytes.size(), bytes.begin());
  return bytes;
}

std::optional<QuantizedImage> FindQuantizedImage(const Program& program) {
  if (program.steps.empty()) return std::nullopt;
  const ProgramStep& first = program.steps[0];
  const ProgramOperand &image = first.inputs.at(0), &quantized = first.outputs.at(0);
  if (first.family != QuantizeImageFamily().name() || !IsImage(image) || image.shape[1] != 3 ||
      quantized.memory != MemoryKind::kArena)
    return std::nullopt;
  const bool is_read_elsewhere = std::any_of(program.steps.begin() + 1, program.steps.end(), [](const auto& step) {
    return std::any_of(step.inputs.begin(), step.inputs.end(), IsImage);
  });
  const Tensor scale = ConstantOf(program, first.inputs.at(1));
  const bool has_zero_point = first.inputs.size() > 2 && first.inputs[2].memory != MemoryKind::kAbsent;
  const Tensor zero_point = has_zero_point ? ConstantOf(program, first.inputs[2]) : Tensor();
  if (is_read_elsewhere || scale.is_null() || has_zero_point != !zero_point.is_null()) return std::nullopt;
  return QuantizedImage{.offset_bytes = quantized.offset_bytes,
                        .shape = quantized.shape,
                        .batch_pitch = quantized.strides_bytes[0],
                        .row_pitch = quantized.strides_bytes[2],
                        .scale = scale,
                        .zero_point = zero_point};
}

}  // namespace tenon
