#include "backends/cuda/reduce_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backends/cuda/row_source.h"
#include "backends/cuda/type_names.h"
#include "base/error.h"
#include "ops/reduce.h"

namespace tenon::cuda {
namespace {

/// Elements of a part of a row that a block of its own reduces.
constexpr int64_t kSplitElems = 4096;
constexpr int64_t kMostSplits = 256;

struct Lowered {
  ReduceKind kind = ReduceKind::kSum;
  DType dtype = DType::kFloat32;
  RowDims x;
  StridedDims out;  ///< along x.rows
  int64_t splits = 1;

  DType partial_type() const { return IsFloat(dtype) ? DType::kFloat32 : DType::kInt64; }
};

std::optional<std::vector<bool>> ReducedAxes(const Reduce& op, const StepProblem& problem) {
  const auto rank = static_cast<int64_t>(problem.inputs[0].shape.size());
  std::vector<int64_t> axes;
  if (problem.inputs.size() > 1 && problem.inputs[1].present) {
    if (problem.inputs[1].constant.is_null()) return std::nullopt;
    axes = problem.inputs[1].constant.AsInts();
  }
  std::vector<bool> reduced(static_cast<size_t>(rank), axes.empty() && !op.noop_with_empty_axes);
  for (const int64_t axis : axes) {
    const int64_t at = axis < 0 ? axis + rank : axis;
    if (at < 0 || at >= rank) return std::nullopt;
    reduced[static_cast<size_t>(at)] = true;
  }
  return reduced;
}

/// Byte stride of the output along each of x's dimensions; 0 where it is reduced. Nothing when the shapes don't fit.
std::optional<std::vector<int64_t>> OutputStrides(const Reduce& op, const StepProblem& problem,
                                                  const std::vector<bool>& reduced) {
  const KernelOperand &x = problem.inputs[0], &y = problem.outputs[0];
  std::vector<int64_t> strides;
  size_t at = 0;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    strides.push_back(0);
    if (reduced[d] && !op.keep_dims) continue;
    if (at >= y.shape.size() || y.shape[at] != (reduced[d] ? 1 : x.shape[d])) return std::nullopt;
    if (!reduced[d]) strides.back() = y.strides_bytes[at];
    ++at;
  }
  return at == y.shape.size() ? std::optional(strides) : std::nullopt;
}

bool IsExactOnIntegers(ReduceKind kind) {
  return kind != ReduceKind::kL2 && kind != ReduceKind::kLogSum && kind != ReduceKind::kLogSumExp;
}

std::string LowerReduce(const StepProblem& problem, Lowered& lowered) {
  const auto* op = dynamic_cast<const Reduce*>(problem.op);
  if (op == nullptr) return "not a Reduce";
  const KernelOperand &x = problem.inputs.at(0), &y = problem.outputs.at(0);
  if (TypeSuffix(x.dtype).empty() || y.dtype != x.dtype) return fmt::format("elements are {}", ToString(x.dtype));
  if (!IsFloat(x.dtype) && !IsExactOnIntegers(op->kind)) return "roots and logarithms of integers";
  if (x.is_constant || ElemCount(x.shape) == 0) return "a constant or empty input";
  if (ElemCount(x.shape) > kMostElements) return "more than 2^30 elements";
  const auto reduced = ReducedAxes(*op, problem);
  if (!reduced) return "axes that are not constant";
  const auto strides = OutputStrides(*op, problem, *reduced);
  if (!strides) return "operands that don't fit";
  lowered = {.kind = op->kind, .dtype = x.dtype};
  for (const size_t d : DimsByStride(x)) {
    if ((*reduced)[d]) {
      lowered.x.elems.Add(x.shape[d], x.strides_bytes[d]);
    } else {
      lowered.x.rows.Add(x.shape[d], x.strides_bytes[d]);
      lowered.out.Add(x.shape[d], (*strides)[d]);
    }
  }
  const int64_t elems = lowered.x.elems.count();
  if (lowered.x.rows.count() <= 32 && elems >= 2 * kSplitElems && op->kind != ReduceKind::kLogSumExp)
    lowered.splits = std::min(kMostSplits, elems / kSplitElems);
  return {};
}

Lowered LoweredOf(const StepProblem& problem) {
  Lowered lowered;
  const std::string why_not = LowerReduce(problem, lowered);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return lowered;
}

/// Lowest value of the type, and what a join begins with.
std::string Initials(ReduceKind kind, DType dtype) {
  std::string lowest = "__uint_as_float(0xff800000u)", highest = "__uint_as_float(0x7f800000u)";
  if (!IsFloat(dtype)) lowest = "-9223372036854775807LL - 1", highest = "9223372036854775807LL";
  const std::string first = kind == ReduceKind::kMax    ? lowest
                            : kind == ReduceKind::kMin  ? highest
                            : kind == ReduceKind::kProd ? "1"
                                                        : "0";
  return fmt::format("DEVICE Value Lowest() {{ return {}; }}\nDEVICE Value First() {{ return {}; }}\n", lowest, first);
}

enum class Stage { kWhole, kParts, kJoin };

KernelLaunch MakeLaunch(const Lowered& l, Stage stage) {
  const int64_t rows = l.x.rows.count(), elems = l.x.elems.count(), partial = SizeOf(l.partial_type());
  RowDims x = l.x;
  StridedDims out = l.out;
  int64_t splits = 1;
  if (stage == Stage::kParts) {
    splits = l.splits;
    out = {};
    out.Add(rows * splits, partial);
  }
  if (stage == Stage::kJoin) {
    x = {};
    x.rows.Add(rows, partial);
    x.elems.Add(l.splits, rows * partial);
  }
  const int64_t stage_elems = stage == Stage::kJoin ? l.splits : elems,
                split_elems = (stage_elems + splits - 1) / splits;
  const DType in = stage == Stage::kJoin ? l.partial_type() : l.dtype;
  const RowShares shares = ShareRows(x, SizeOf(in), rows * splits, split_elems);
  std::string text = "#include \"region.cuh\"\nnamespace problem {\n";
  text += fmt::format(
      "using Value = {};\nconstexpr int kKind = {};\nconstexpr uint32 kWholeRows = {}, kSplitElems = {};\n"
      "constexpr int64 kCount = {};\nconstexpr bool kHasTerms = {}, kFinishes = {};\n",
      IsFloat(l.dtype) ? "float" : "int64", static_cast<int>(l.kind), rows, split_elems, elems, stage != Stage::kJoin,
      stage != Stage::kParts);
  text +=
      Initials(l.kind, l.dtype) + RowConstants(x, rows * splits, stage_elems, shares) + OffsetFunction("OutRow", out);
  text += LoadFunction("LoadX", in) + StoreFunction("StoreY", stage == Stage::kParts ? l.partial_type() : l.dtype);
  text += "}  // namespace problem\n#include \"reduce.cu\"\n";
  return {.source = {.entry = "reduce_kernel", .text = std::move(text)},
          .grid_x = BlocksOf(rows * splits, shares.lanes),
          .threads = static_cast<unsigned>(shares.threads()),
          .pointers = {stage == Stage::kJoin ? KernelPointer::Scratch() : KernelPointer::Input(0),
                       stage == Stage::kParts ? KernelPointer::Scratch() : KernelPointer::Output(0)}};
}

}  // namespace

std::string ReduceFamily::Supports(const StepProblem& problem, const CudaDevice&) const {
  Lowered lowered;
  return LowerReduce(problem, lowered);
}

std::vector<KernelLaunch> ReduceFamily::Lower(const StepProblem& problem, const std::string& tactic,
                                              const CudaDevice&) const {
  CheckNoParameters(name(), tactic);
  const Lowered lowered = LoweredOf(problem);
  if (lowered.splits == 1) return {MakeLaunch(lowered, Stage::kWhole)};
  return {MakeLaunch(lowered, Stage::kParts), MakeLaunch(lowered, Stage::kJoin)};
}

int64_t ReduceFamily::ScratchBytes(const StepProblem& problem, const std::string&, const CudaDevice&) const {
  const Lowered lowered = LoweredOf(problem);
  return lowered.splits == 1 ? 0 : lowered.x.rows.count() * lowered.splits * SizeOf(lowered.partial_type());
}

}  // namespace tenon::cuda
