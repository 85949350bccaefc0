// Reductions: one result for the elements of a row, or for each of several parts of a row where rows are few and long;
// a second launch then joins those. Floats in FP32, integers in 64 bits.
#include "rows.cuh"

namespace rows {

struct Args {
  const char* x;
  char* y;
};

/// In the order of tenon::ReduceKind.
enum class Kind { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kLogSum, kLogSumExp, kSumSquare };
constexpr Kind kReduceKind = Kind(kKind);

template <Kind kKind>
DEVICE Value Join(Value a, Value b) {
  if constexpr (kKind == Kind::kMax) return region::max(b, a);
  if constexpr (kKind == Kind::kMin) return region::min(b, a);
  if constexpr (kKind == Kind::kProd) return region::mul(a, b);
  return region::add(a, b);
}

/// What an element adds to the sum.
template <Kind kKind>
DEVICE Value Term(Value x, Value shift) {
  if constexpr (kKind == Kind::kL1) return x < 0 ? region::sub(0, x) : x;
  if constexpr (kKind == Kind::kL2 || kKind == Kind::kSumSquare) return region::mul(x, x);
  if constexpr (kKind == Kind::kLogSumExp) return Value(expf(float(x - shift)));
  return x;
}

template <Kind kKind>
DEVICE Value Finish(Value sum, Value shift) {
  if constexpr (kKind == Kind::kMean) return sum / Value(kCount);
  if constexpr (kKind == Kind::kL2) return Value(sqrtf(float(sum)));
  if constexpr (kKind == Kind::kLogSum) return Value(logf(float(sum)));
  if constexpr (kKind == Kind::kLogSumExp) return Value(logf(float(sum))) + shift;
  return sum;
}

/// Over this thread's elements.
template <Kind kKind, Kind kTerm>
DEVICE Value Fold(const char* row, uint32 first, const Place& place, Value initial, Value shift) {
  Value sum = initial;
#pragma unroll 4
  for (uint32 i = place.part; i < kSplitElems; i += kParts) {
    if (first + i >= kElems) break;
    sum = Join<kKind>(sum, Term<kTerm>(LoadX(row + InElem(first + i)), shift));
  }
  return Joined(sum, place, [](Value a, Value b) { return Join<kKind>(a, b); });
}

/// What is taken off before exp(): the greatest element, or 0 where that is infinite.
DEVICE Value Shift(const char* row, const Place& place) {
  const Value greatest = Fold<Kind::kMax, Kind::kMax>(row, 0, place, Lowest(), 0);
  return isinf(float(greatest)) ? Value(0) : greatest;
}

}  // namespace rows

extern "C" __global__ void __launch_bounds__(rows::kThreads) reduce_kernel(const __grid_constant__ rows::Args args) {
  using namespace rows;
  const Place place;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char* row = args.x + InRow(place.row % kWholeRows);
  constexpr bool kIsLogSumExp = kReduceKind == Kind::kLogSumExp;
  const Value shift = kIsLogSumExp ? Shift(row, place) : Value(0);
  constexpr Kind kJoin = kIsLogSumExp ? Kind::kSum : kReduceKind;
  Value sum = Fold<kJoin, (kHasTerms ? kReduceKind : Kind::kSum)>(row, place.row / kWholeRows * kSplitElems, place, First(), shift);
  if constexpr (kFinishes) sum = Finish<kReduceKind>(sum, shift);
  if (place.valid && place.part == 0) StoreY(args.y + OutRow(place.row), sum);
}
