#include "backends/cuda/row_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "backends/cuda/type_names.h"

namespace tenon::cuda {
namespace {

constexpr int64_t kElemsOfAPart = 4;  ///< that pay for a thread

int PowerOfTwo(int64_t at_least, int64_t most) {
  return static_cast<int>(std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(at_least, 1, most))));
}

bool EndsAt(const StridedDims& dims, int64_t stride) {
  return !dims.strides.empty() && dims.sizes.back() > 1 && dims.strides.back() == stride;
}

std::string_view ValueType(DType dtype) { return IsFloat(dtype) ? "float" : "int64"; }

}  // namespace

RowShares ShareRows(const RowDims& x, int64_t size, int64_t rows, int64_t elems) {
  RowShares shares{.rows_are_neighbours = EndsAt(x.rows, size) && !EndsAt(x.elems, size)};
  const int64_t parts = (elems + kElemsOfAPart - 1) / kElemsOfAPart;
  if (shares.rows_are_neighbours) {
    shares.lanes = PowerOfTwo(rows, 32);
    shares.parts = PowerOfTwo(parts, 512 / shares.lanes);
  } else {
    shares.parts = PowerOfTwo(parts, 512);
    shares.lanes = PowerOfTwo(rows, std::max(1, 128 / shares.parts));
  }
  return shares;
}

std::string RowConstants(const RowDims& x, int64_t rows, int64_t elems, const RowShares& shares) {
  return fmt::format(
             "constexpr uint32 kRows = {}, kElems = {};\nconstexpr int kLanes = {}, kParts = {};\n"
             "constexpr bool kRowsAreNeighbours = {};\n",
             rows, elems, shares.lanes, shares.parts, shares.rows_are_neighbours) +
         OffsetFunction("InRow", x.rows) + OffsetFunction("InElem", x.elems);
}

std::string LoadFunction(std::string_view name, DType dtype) {
  return fmt::format("DEVICE {} {}(const char* p) {{ return region::Load{}(p); }}\n", ValueType(dtype), name,
                     TypeSuffix(dtype));
}

std::string StoreFunction(std::string_view name, DType dtype) {
  return fmt::format("DEVICE void {}(char* p, {} v) {{ region::Store{}(p, v); }}\n", name, ValueType(dtype),
                     TypeSuffix(dtype));
}

std::string WhyNoFloatRows(const StepProblem& problem) {
  const KernelOperand &x = problem.inputs.at(0), &y = problem.outputs.at(0);
  if (!y.present) return "an output that is left out";
  for (const KernelOperand* operand : {&x, &y}) {
    if (!IsFloat(operand->dtype) || TypeSuffix(operand->dtype).empty())
      return fmt::format("elements are {}", ToString(operand->dtype));
  }
  if (x.is_constant) return "the input is constant";
  const int64_t elems = ElemCount(x.shape);
  if (elems == 0) return "an empty input";
  return elems > kMostElements ? "more than 2^30 elements" : "";
}

}  // namespace tenon::cuda
