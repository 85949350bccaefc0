#include "backends/cuda/attention_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdio>

#include "backends/cuda/matmul_problem.h"
#include "backends/cuda/offset_source.h"
#include "backends/cuda/type_names.h"
#include "backends/operands.h"
#include "base/error.h"
#include "ops/matmul.h"

namespace tenon::cuda {
namespace {

/// Shared memory that any GPU gives without being asked.
constexpr int64_t kRowsBytes = 48 << 10;
constexpr int kQueries = 16;  ///< of a block of kernels/attention_mma.cu

struct AttentionDims {
  int64_t m = 0, l = 0, d = 0, e = 0;
  Shape batch;
  MatMulDims::Matrices q, k, v, mask, out;
};

std::string LowerAttention(const StepProblem& step, AttentionDims& dims) {
  if (!dynamic_cast<const Attention*>(step.op)) return "not an Attention";
  const KernelOperand &q = OperandAt(step, 0), &k = OperandAt(step, 1), &v = OperandAt(step, 2),
                      &mask = OperandAt(step, 3), &out = step.outputs.at(0);
  for (const KernelOperand* operand : {&q, &k, &v, &out}) {
    if (!operand->present || operand->shape.size() < 2 || !FitsInt(operand->shape))
      return "an empty or very large operand";
    if (!IsFloat(operand->dtype) || TypeName(operand->dtype).empty())
      return fmt::format("elements are {}", ToString(operand->dtype));
  }
  dims = {.m = out.shape[out.shape.size() - 2], .l = k.shape.back(), .d = q.shape.back(), .e = out.shape.back()};
  dims.batch = {out.shape.begin(), out.shape.end() - 2};
  std::string why_not = MatricesOf(q, dims.batch, dims.m, dims.d, dims.q);
  if (why_not.empty()) why_not = MatricesOf(k, dims.batch, dims.d, dims.l, dims.k);
  if (why_not.empty()) why_not = MatricesOf(v, dims.batch, dims.l, dims.e, dims.v);
  if (why_not.empty()) why_not = MatricesOf(out, dims.batch, dims.m, dims.e, dims.out);
  if (!why_not.empty() || !mask.present) return why_not;
  if (!IsFloat(mask.dtype) || TypeName(mask.dtype).empty()) return "a type of masks without a kernel";
  // A mask may lack dimensions and be broadcast along any.
  KernelOperand whole = mask;
  while (whole.shape.size() < 2) {
    whole.shape.insert(whole.shape.begin(), 1);
    whole.strides_bytes.insert(whole.strides_bytes.begin(), 0);
  }
  const size_t rank = whole.shape.size();
  for (const auto& [d, size] : {std::pair(rank - 2, dims.m), std::pair(rank - 1, dims.l)}) {
    if (whole.shape[d] == 1) whole.shape[d] = size, whole.strides_bytes[d] = 0;
  }
  return MatricesOf(whole, dims.batch, dims.m, dims.l, dims.mask);
}

AttentionDims Lowered(const StepProblem& step) {
  AttentionDims dims;
  const std::string why_not = LowerAttention(step, dims);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return dims;
}

int64_t RowsBytes(const AttentionDims& dims, int rows) { return 4 * rows * (dims.d + dims.l + 1); }

/// A tactic of kernels/attention_mma.cu.
struct MmaTactic {
  int warps = 0, keys = 0;  ///< of a block; of a warp's tile
  std::string ToString() const { return fmt::format("mma w{} k{}", warps, keys); }
};
constexpr MmaTactic kMmaTactics[] = {{8, 64}, {16, 32}, {8, 32}, {4, 64}, {4, 32}, {2, 64}, {2, 32}, {1, 32}};

int64_t MmaBytes(const AttentionDims& dims, const MmaTactic& tactic) {
  const int64_t tiles = int64_t{2} * tactic.warps * tactic.keys * (dims.d + 8 + dims.e + 8);
  const int64_t joined = int64_t{4} * tactic.warps * kQueries * (dims.e + 2);
  return std::max(tiles, joined);
}

/// Why the tactic can't compute the step.
std::string WhyNoMma(const StepProblem& step, const AttentionDims& dims, const MmaTactic& tactic,
                     const CudaDevice& device) {
  const DType compute = dynamic_cast<const Attention&>(*step.op).compute;
  if (compute != DType::kFloat16 && compute != DType::kBFloat16) return "FP32";
  if (compute == DType::kBFloat16 && device.limits.capability < 80) return "BF16 needs compute capability 8.0";
  if (OperandAt(step, 3).present) return "a mask";
  if (dims.d % 16 != 0 || dims.e % 16 != 0 || dims.d > 128 || dims.e > 128)
    return "sizes that are no multiple of 16 up to 128";
  return MmaBytes(dims, tactic) > device.limits.shared_bytes_per_block ? "too little shared memory" : "";
}

std::string WhyNoRows(const AttentionDims& dims, int rows) {
  if (rows != 1 && rows != 4) return "1 or 4 rows";
  return RowsBytes(dims, rows) > kRowsBytes ? "too many keys for shared memory" : "";
}

std::string MatrixText(std::string_view name, DType dtype, const MatMulDims::Matrices& matrices, const Shape& batch) {
  return OffsetFunction(fmt::format("{}Batch", name), {batch, matrices.batch}) +
         fmt::format(
             "struct {} {{\n  static constexpr Type kType = {};\n  static constexpr int64 kRow = {}, kColumn = "
             "{};\n}};\n",
             name, TypeName(dtype), matrices.row, matrices.column);
}

/// Whether rows of the matrix are read eight elements at a time, as they are.
bool HasVectors(const KernelOperand& operand, const MatMulDims::Matrices& matrices, int64_t row_stride,
                int64_t element_stride, DType compute) {
  bool aligned = operand.dtype == compute && element_stride == SizeOf(compute) && operand.alignment_bytes >= 16 &&
                 row_stride % 16 == 0;
  for (const int64_t stride : matrices.batch) aligned = aligned && stride % 16 == 0;
  return aligned;
}

std::string ProblemText(const StepProblem& step, const AttentionDims& dims) {
  const auto& op = dynamic_cast<const Attention&>(*step.op);
  const KernelOperand& mask = OperandAt(step, 3);
  std::string text = "#include \"elements.cuh\"\nnamespace problem {\n";
  text += fmt::format(
      "constexpr int kM = {}, kL = {}, kD = {}, kE = {};\nconstexpr Type kCompute = {};\n"
      "constexpr bool kHasMask = {}, kVectorK = {}, kVectorV = {};\nconstexpr float kScale = __builtin_bit_cast(float, "
      "{}u);\n",
      dims.m, dims.l, dims.d, dims.e, TypeName(op.compute), mask.present,
      HasVectors(step.inputs[1], dims.k, dims.k.column, dims.k.row, op.compute),
      HasVectors(step.inputs[2], dims.v, dims.v.row, dims.v.column, op.compute), std::bit_cast<uint32_t>(op.scale));
  text += MatrixText("Q", step.inputs[0].dtype, dims.q, dims.batch) +
          MatrixText("K", step.inputs[1].dtype, dims.k, dims.batch) +
          MatrixText("V", step.inputs[2].dtype, dims.v, dims.batch) +
          MatrixText("Out", step.outputs[0].dtype, dims.out, dims.batch);
  if (mask.present)
    text += MatrixText("Mask", mask.dtype, dims.mask, dims.batch);
  else
    text += MatrixText("Mask", DType::kFloat32, {std::vector<int64_t>(dims.batch.size(), 0)}, dims.batch);
  return text;
}

}  // namespace

std::string AttentionFamily::Supports(const StepProblem& step, const CudaDevice& device) const {
  AttentionDims dims;
  if (std::string why_not = LowerAttention(step, dims); !why_not.empty()) return why_not;
  if (TypeName(dynamic_cast<const Attention&>(*step.op).compute).empty()) return "a precision without a kernel";
  if (ElemCount(dims.batch) > 65535) return "more than 65535 matrices";
  return WhyNoMma(step, dims, {1, 32}, device).empty() ? "" : WhyNoRows(dims, 1);
}

std::vector<std::string> AttentionFamily::Candidates(const StepProblem& step, const CudaDevice& device) const {
  const AttentionDims dims = Lowered(step);
  std::vector<std::string> texts;
  for (const MmaTactic& tactic : kMmaTactics) {
    const bool has_work = (tactic.warps - 1) * tactic.keys < dims.l;
    if (has_work && WhyNoMma(step, dims, tactic, device).empty()) texts.push_back(tactic.ToString());
  }
  if (!texts.empty()) return texts;
  for (const int rows : {4, 1}) {
    if (WhyNoRows(dims, rows).empty()) texts.push_back(fmt::format("rows r{}", rows));
  }
  return texts;
}

std::vector<KernelLaunch> AttentionFamily::Lower(const StepProblem& step, const std::string& tactic,
                                                 const CudaDevice& device) const {
  const AttentionDims dims = Lowered(step);
  const auto* mma = std::find_if(std::begin(kMmaTactics), std::end(kMmaTactics),
                                 [&](const MmaTactic& known) { return known.ToString() == tactic; });
  const bool is_mma = mma != std::end(kMmaTactics);
  int rows = 0;
  std::sscanf(tactic.c_str(), "rows r%d", &rows);
  const bool is_rows = tactic == fmt::format("rows r{}", rows);
  const std::string why_not = is_mma    ? WhyNoMma(step, dims, *mma, device)
                              : is_rows ? WhyNoRows(dims, rows)
                                        : "a tactic of the CUDA attention";
  if (!why_not.empty())
    ThrowInvalid({.what = "a tactic that doesn't fit its attention", .got = "'" + tactic + "'", .expected = why_not});
  std::string text = ProblemText(step, dims);
  text += is_mma ? fmt::format("constexpr int kWarps = {}, kKeys = {};\n", mma->warps, mma->keys)
                 : fmt::format("constexpr int kRows = {};\n", rows);
  text += fmt::format("}}  // namespace problem\n#include \"{}.cu\"\n", is_mma ? "attention_mma" : "attention");
  return {
      {.source = {.entry = is_mma ? "attention_mma" : "attention_kernel", .text = std::move(text)},
       .grid_x = BlocksOf(dims.m, is_mma ? kQueries : rows),
       .grid_y = static_cast<unsigned>(ElemCount(dims.batch)),
       .threads = static_cast<unsigned>(is_mma ? 32 * mma->warps : 128),
       .shared_bytes = static_cast<int>(is_mma ? MmaBytes(dims, *mma) : RowsBytes(dims, rows)),
       .pointers = {KernelPointer::Input(0), KernelPointer::Input(1), KernelPointer::Input(2),
                    OperandAt(step, 3).present ? KernelPointer::Input(3) : KernelPointer{}, KernelPointer::Output(0)}}};
}

}  // namespace tenon::cuda
