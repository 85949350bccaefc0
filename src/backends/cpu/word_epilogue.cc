#include "backends/cpu/word_epilogue.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/byte_vectors.h"
#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::RegExp;
using Xbyak::Xmm;
using Xbyak::Ymm;

/// Bytes of one accumulator: a quarter of a vector.
constexpr int kQuarter = 16;

class WordEpilogueEmitter {
 public:
  WordEpilogueEmitter(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue)
      : code_(code), shape_(shape), epilogue_(epilogue), silu_(*epilogue.word_silu) {
    TENON_CHECK(code.is_avx512() && shape.accumulators() + kEpilogueTemps <= code.registers());
    TENON_CHECK(epilogue.sums != Sums::kBiased && !epilogue.residual);
  }

  void Emit() {
    RoundSums();
    for (int first = 0; first < shape_.accumulators(); first += kByteGroup) {
      HoldTables(first);
      EmitGroup(first, std::min(kByteGroup, shape_.accumulators() - first));
    }
  }

 private:
  Xmm Free(int i) const { return code_.Vec(shape_.accumulators() + i); }
  int64_t PlaceOf(int accumulator, const StoreTarget& target) const {
    return accumulator / shape_.vectors * target.pixel_bytes + int64_t{accumulator % shape_.vectors} * kQuarter;
  }
  bool IsWhole(int accumulator) const { return !shape_.IsTail(accumulator % shape_.vectors, code_.lanes()); }

  /// The tables stay in registers as soon as three are free, be it of accumulators that are done.
  void HoldTables(int first) {
    constexpr int kTables = WordSilu::kTables;
    if (!tables_.empty()) return;
    const bool is_spare = shape_.accumulators() + kEpilogueTemps + kTables <= code_.registers();
    if (!is_spare && first < kTables) return;
    for (int i = 0; i < kTables; ++i) tables_.push_back(is_spare ? Free(kEpilogueTemps + i) : code_.Vec(i));
    silu_.EmitLoadTables(code_, std::span<const Xmm, kTables>(tables_));
  }

  void EmitGroup(int first, int count) {
    const auto at = [&](int i) { return code_.Vec(first + std::min(i, count - 1)); };
    const Xmm low = at(0), high = at(2);
    const std::array<Xmm, 4> temps = {Free(0), Free(1), Free(2), Free(3)};
    code_.vpackssdw(low, low, at(1));
    silu_.EmitWords(code_, low, temps, tables_);
    if (count > 2) {
      code_.vpackssdw(high, high, at(3));
      silu_.EmitWords(code_, high, temps, tables_);
    }
    EmitPackWords(code_, low, count > 2 ? high : low, Free(0));
    for (size_t t = 0; t < epilogue_.targets.size(); ++t) StoreGroup(first, count, t);
  }

  /// Sums become x in the units of the SiLU, as INT32; pixels share the loads of their channels' numbers.
  void RoundSums() {
    constexpr float kMost = 65536;  // far outside of a word and well inside of INT32, where the conversion would wrap
    const Xmm multiplier = Free(0), bias = Free(1), most = Free(2);
    code_.LoadConst(most, kMost);
    for (int v = 0; v < shape_.vectors; ++v) {
      const RegExp at = reg::bias + v * code_.vector_bytes();
      code_.vmovups(multiplier, code_.ptr[at + Displacement(epilogue_.multiplier_bytes)]);
      code_.vmovups(bias, code_.ptr[at]);
      for (int p = 0; p < shape_.pixels; ++p) {
        const Xmm x = code_.Vec(p * shape_.vectors + v);
        if (epilogue_.sums == Sums::kInteger) code_.vcvtdq2ps(x, x);
        code_.vfmadd213ps(x, multiplier, bias);
        code_.vminps(x, most, x);  // the second source is what stays of a NaN, whose conversion is the least integer
        code_.vcvtps2dq(x, x);
      }
    }
  }

  void StoreGroup(int first, int count, size_t index) {
    const StoreTarget& target = epilogue_.targets[index];
    const Xbyak::Reg64& base = index == 0 ? reg::out : reg::temp;
    if (index > 0)
      code_.mov(base, code_.ptr[reg::args + static_cast<int>(offsetof(TileArgs, targets) + index * sizeof(void*))]);
    for (const int64_t offset : target.offsets) {
      for (int begin = 0, size; begin < count; begin += size) {
        size = PieceSize(first, begin, count, target);
        StorePiece(base + Displacement(PlaceOf(first + begin, target) + offset), code_.Vec(first), begin, size,
                   IsWhole(first + begin));
      }
    }
  }

  /// How many quarters from `begin` on go to memory in one store: 4, 2 or 1.
  int PieceSize(int first, int begin, int count, const StoreTarget& target) const {
    int run = 1;
    while (begin + run < count && IsWhole(first + begin + run - 1) && IsWhole(first + begin + run) &&
           PlaceOf(first + begin + run, target) == PlaceOf(first + begin, target) + int64_t{run} * kQuarter)
      ++run;
    return run == kByteGroup ? run : std::min(run, 2);
  }

  void StorePiece(const RegExp& to, const Xmm& bytes, int begin, int size, bool is_whole) {
    const Xbyak::Zmm from(bytes.getIdx());
    const Xmm part = begin == 0 ? bytes : Free(0);
    if (size == kByteGroup) return EmitStoreBytes(code_, to, bytes, size * kQuarter);
    if (size == 2 && begin == 2) return code_.vextracti64x4(code_.ptr[to], from, 1);
    if (size == 2) {
      if (begin > 0) code_.valignd(Xbyak::Zmm(part.getIdx()), from, from, begin * kQuarter / 4);
      return EmitStoreBytes(code_, to, part, size * kQuarter);
    }
    if (is_whole && begin > 0) return code_.vextracti32x4(code_.ptr[to], from, static_cast<uint8_t>(begin));
    if (begin > 0) code_.vextracti32x4(Xmm(part.getIdx()), from, static_cast<uint8_t>(begin));
    EmitStoreBytes(code_, to, part, is_whole ? kQuarter : shape_.tail_lanes);
  }

  JitCode& code_;
  const TileShape& shape_;
  const TileEpilogue& epilogue_;
  const WordSilu& silu_;
  std::vector<Xmm> tables_;
};

}  // namespace

void EmitWordEpilogue(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue) {
  WordEpilogueEmitter(code, shape, epilogue).Emit();
}

}  // namespace tenon::cpu
