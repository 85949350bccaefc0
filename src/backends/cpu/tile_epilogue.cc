#include "backends/cpu/tile_epilogue.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/byte_silu.h"
#include "backends/cpu/byte_vectors.h"
#include "backends/cpu/vector_math.h"
#include "backends/cpu/word_epilogue.h"
#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::Opmask;
using Xbyak::Reg64;
using Xbyak::RegExp;
using Xbyak::Xmm;

const Opmask kPairMask(2);  // lanes of the last two vectors when stored as one vector of BF16

RegExp TargetSlot(size_t target) {
  return reg::args + static_cast<int>(offsetof(TileArgs, targets) + target * sizeof(void*));
}

int64_t ElemBytes(DType dtype) {
  TENON_CHECK(dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kUInt8, "dtype {}",
              static_cast<int>(dtype));
  return SizeOf(dtype);
}

/// Bytes in the last group of vectors of a pixel that is stored as u8.
int LastGroupBytes(const TileShape& shape, int lanes) {
  return (shape.vectors - 1) % kByteGroup * lanes + shape.tail_lanes;
}

bool UsesWords(const JitCode& code, const TileEpilogue& epilogue) {
  return epilogue.word_silu.has_value() && code.is_avx512();
}

class EpilogueEmitter {
 public:
  EpilogueEmitter(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue)
      : code_(code), shape_(shape), epilogue_(epilogue), first_free_(shape.accumulators()), stored_(epilogue.stored) {
    TENON_CHECK(first_free_ + kEpilogueTemps <= code.registers());
    TENON_CHECK(!epilogue.targets.empty() && epilogue.targets.size() <= kMaxStoreTargets);
    for (const StoreTarget& target : epilogue.targets) {
      any_bf16_ |= target.dtype == DType::kBFloat16;
      any_bytes_ |= target.dtype == DType::kUInt8;
      any_floats_ |= target.dtype == DType::kFloat32;
      all_bytes_ &= target.dtype == DType::kUInt8;
    }
    TENON_CHECK(!any_bf16_ || code.is_avx512());
    TENON_CHECK(epilogue.stored.scale > 0);
    TENON_CHECK(!epilogue.word_silu || (all_bytes_ && !code.is_avx512()));  // AVX-512: word_epilogue.h
    TENON_CHECK(!epilogue.has_factors || (all_bytes_ && !epilogue.word_silu));
    epilogue.word_silu ? void(stored_ = {}) : MakeByteSilu();
    if (epilogue.has_factors) stored_.scale = 1;
  }

  void Emit() {
    for (int p = 0; p < shape_.pixels; ++p) {
      if (silu_) HoldSiluTables(p);
      for (int v = 0; v < shape_.vectors; ++v) {
        const bool is_last = v == shape_.vectors - 1;
        ScaleSums(p, v);
        Activate(epilogue_.activation, Acc(p, v));
        if (epilogue_.residual) AddResidual(p, v);
        Activate(epilogue_.post_activation, Acc(p, v));
        if (epilogue_.has_factors) MultiplyByFactors(p, v);
        if (any_floats_) StoreFloat32(p, v);
        if (any_bf16_ && (v % 2 == 1 || is_last)) StoreBFloat16(p, v);
        if (any_bytes_ && (v % kByteGroup == kByteGroup - 1 || is_last)) StoreBytes(p, v);
      }
    }
  }

 private:
  Xmm Acc(int p, int v) const { return code_.Vec(p * shape_.vectors + v); }
  Xmm Free(int i) const { return code_.Vec(first_free_ + i); }
  bool IsTail(int v) const { return shape_.IsTail(v, code_.lanes()); }
  int Offset(int p, int v, int64_t pixel_bytes, DType dtype) const {
    return Displacement(p * pixel_bytes + v * code_.lanes() * ElemBytes(dtype));
  }

  /// SiLU alone counts the steps of the output's grid itself.
  void MakeByteSilu() {
    const Activation first = epilogue_.activation.kind, second = epilogue_.post_activation.kind;
    if (!all_bytes_ || (first != Activation::kSilu && second != Activation::kSilu)) return;
    const bool is_last =
        first == Activation::kSilu && second == Activation::kNone && !epilogue_.residual && !epilogue_.has_factors;
    if (!is_last) return void(silu_.emplace());
    silu_.emplace(1.0f / epilogue_.stored.scale, static_cast<float>(epilogue_.stored.zero_point));
    stored_ = {};
  }

  /// Before pixel p: the tables stay in registers as soon as three are free, be it of pixels that are done.
  void HoldSiluTables(int p) {
    constexpr int kTables = ByteSilu::kTables;
    if (!code_.is_avx512() || !silu_tables_.empty()) return;
    const bool is_spare = first_free_ + kEpilogueTemps + kTables <= code_.registers();
    if (!is_spare && p * shape_.vectors < kTables) return;
    for (int i = 0; i < kTables; ++i) silu_tables_.push_back(is_spare ? Free(kEpilogueTemps + i) : code_.Vec(i));
    silu_->EmitLoadTables(code_, std::span<const Xmm, kTables>(silu_tables_));
  }

  int LanesIn(int v) const { return IsTail(v) ? shape_.tail_lanes : code_.lanes(); }

  void ScaleSums(int p, int v) {
    if (epilogue_.sums == Sums::kBiased) return;
    const Xmm x = Acc(p, v);
    const auto bias = reg::bias + v * code_.vector_bytes();
    if (epilogue_.sums == Sums::kInteger) code_.vcvtdq2ps(x, x);
    code_.vmovups(Free(0), code_.ptr[bias + Displacement(epilogue_.multiplier_bytes)]);
    code_.vfmadd213ps(x, Free(0), code_.ptr[bias]);
  }

  void MultiplyByFactors(int p, int v) {
    const Xmm x = Acc(p, v);
    code_.vmulps(x, x, code_.ptr[reg::bias + v * code_.vector_bytes() + Displacement(epilogue_.factor_bytes)]);
  }

  void Activate(const ActivationSpec& activation, const Xmm& x) {
    const std::array<Xmm, 4> temps = {Free(0), Free(1), Free(2), Free(3)};
    if (epilogue_.word_silu) {
      if (activation.kind != Activation::kNone) epilogue_.word_silu->EmitFloats(code_, x, temps);
      return;
    }
    if (silu_ && activation.kind == Activation::kSilu) return silu_->Emit(code_, x, temps, silu_tables_);
    const auto precision = any_floats_ ? MathPrecision::kFloat32 : MathPrecision::kBFloat16;
    EmitActivation(code_, activation, precision, x, {Free(0), Free(1), Free(2)});
  }

  /// (stored - zero point) * scale, rounded, then added: as a DequantizeLinear and an Add would have it.
  void AddBytes(int p, int v) {
    const ResidualSource& source = *epilogue_.residual;
    const Xmm loaded = Free(0);
    EmitLoadBytes(code_, loaded, reg::residual + Offset(p, v, source.pixel_bytes, source.dtype), LanesIn(v));
    if (source.scale.zero_point != 0)
      code_.vpsubd(loaded, loaded, code_.ConstBits(static_cast<uint32_t>(source.scale.zero_point)));
    code_.vcvtdq2ps(loaded, loaded);
    code_.vmulps(loaded, loaded, code_.Const(source.scale.scale));
    code_.vaddps(Acc(p, v), Acc(p, v), loaded);
  }

  void AddResidual(int p, int v) {
    const ResidualSource& source = *epilogue_.residual;
    if (source.dtype == DType::kUInt8) return AddBytes(p, v);
    const auto address = code_.ptr[reg::residual + Offset(p, v, source.pixel_bytes, source.dtype)];
    const Xmm x = Acc(p, v), loaded = Free(0);
    if (source.dtype == DType::kBFloat16) {
      TENON_CHECK(code_.is_avx512());
      IsTail(v) ? code_.vpmovzxwd(loaded | kTailMask | Xbyak::util::T_z, address) : code_.vpmovzxwd(loaded, address);
      code_.vpslld(loaded, loaded, 16);
      code_.vaddps(x, x, loaded);
    } else if (!IsTail(v)) {
      code_.vaddps(x, x, address);
    } else if (code_.is_avx512()) {
      code_.vmovups(loaded | kTailMask | Xbyak::util::T_z, address);
      code_.vaddps(x, x, loaded);
    } else {
      LoadTailMask(Free(1));
      code_.vmaskmovps(loaded, Free(1), address);
      code_.vaddps(x, x, loaded);
    }
  }

  void LoadTailMask(const Xmm& mask) { code_.vmovups(mask, code_.LaneMask(shape_.tail_lanes)); }

  /// Calls store(place) for every place of every target of this type.
  template <class Store>
  void ForEachPlace(DType dtype, int p, int v, const Store& store) {
    for (size_t t = 0; t < epilogue_.targets.size(); ++t) {
      const StoreTarget& target = epilogue_.targets[t];
      if (target.dtype != dtype) continue;
      const Reg64& base = t == 0 ? reg::out : reg::temp;
      if (t > 0) code_.mov(base, code_.ptr[TargetSlot(t)]);
      for (const int64_t offset : target.offsets) {
        store(base + Displacement(Offset(p, v, target.pixel_bytes, dtype) + offset));
      }
    }
  }

  void StoreFloat32(int p, int v) {
    const Xmm x = Acc(p, v);
    if (IsTail(v) && !code_.is_avx512()) LoadTailMask(Free(0));
    ForEachPlace(DType::kFloat32, p, v, [&](const RegExp& place) {
      const auto address = code_.ptr[place];
      if (!IsTail(v)) {
        code_.vmovups(address, x);
      } else if (code_.is_avx512()) {
        code_.vmovups(address | kTailMask, x);
      } else {
        code_.vmaskmovps(address, Free(0), x);
      }
    });
  }

  /// Stores vector v, together with v - 1 where v is odd.
  void StoreBFloat16(int p, int v) {
    const bool is_pair = v % 2 == 1;
    const Xmm packed = is_pair ? Free(0) : code_.HalfVec(first_free_);
    if (is_pair) {
      code_.vcvtne2ps2bf16(packed, Acc(p, v), Acc(p, v - 1));
    } else {
      code_.vcvtneps2bf16(packed, Acc(p, v));
    }
    ForEachPlace(DType::kBFloat16, p, is_pair ? v - 1 : v, [&](const RegExp& place) {
      const auto address = code_.ptr[place];
      if (IsTail(v)) {
        code_.vmovdqu16(address | (is_pair ? kPairMask : kTailMask), packed);
      } else {
        code_.vmovdqu16(address, packed);
      }
    });
  }

  /// Stores the group of vectors that ends with v. It is the last use of these accumulators.
  void StoreBytes(int p, int v) {
    const int first = v / kByteGroup * kByteGroup;
    std::vector<Xmm> group;
    for (int i = first; i <= v; ++i) group.push_back(Acc(p, i));
    EmitPackBytes(code_, group, stored_, Free(0));
    const int count = (v - first) * code_.lanes() + LanesIn(v);
    ForEachPlace(DType::kUInt8, p, first, [&](const RegExp& place) {
      Xmm bytes = group[0];
      if (!code_.is_avx512()) code_.vmovaps(bytes = Free(0), group[0]);  // a store of a part shifts it away
      EmitStoreBytes(code_, place, bytes, count);
    });
  }

  JitCode& code_;
  const TileShape& shape_;
  const TileEpilogue& epilogue_;
  int first_free_;
  bool any_bf16_ = false, any_floats_ = false, any_bytes_ = false, all_bytes_ = true;
  AffineScale stored_;  ///< what is left of the target's scale
  std::optional<ByteSilu> silu_;
  std::vector<Xmm> silu_tables_;
};

}  // namespace

int Displacement(int64_t bytes) {
  if (bytes < INT32_MIN || bytes > INT32_MAX) {
    ThrowUnsupported({.what = "a tensor is too large for the CPU kernels",
                      .got = fmt::format("a distance of {} bytes inside one tile", bytes),
                      .expected = "less than 2 GiB"});
  }
  return static_cast<int>(bytes);
}

void EmitLoadArgs(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue) {
  const auto load = [&](const Reg64& to, size_t offset) {
    code.mov(to, code.ptr[reg::args + static_cast<int>(offset)]);
  };
  load(reg::input, offsetof(TileArgs, input));
  load(reg::weights, offsetof(TileArgs, weights));
  load(reg::bias, offsetof(TileArgs, bias));
  load(reg::out, offsetof(TileArgs, targets));
  if (epilogue.residual) load(reg::residual, offsetof(TileArgs, residual));
  const auto is_bytes = [](const StoreTarget& target) { return target.dtype == DType::kUInt8; };
  if (std::any_of(epilogue.targets.begin(), epilogue.targets.end(), is_bytes))
    EmitByteMask(code, UsesWords(code, epilogue) ? WordEpilogueMaskBytes(shape) : LastGroupBytes(shape, code.lanes()));
  if (!code.is_avx512() || shape.tail_lanes == code.lanes()) return;
  const uint32_t tail = (1u << shape.tail_lanes) - 1;
  code.mov(reg::temp.cvt32(), tail);
  code.kmovd(kTailMask, reg::temp.cvt32());
  code.mov(reg::temp.cvt32(), 0xffffu | tail << 16);
  code.kmovd(kPairMask, reg::temp.cvt32());
}

void EmitEpilogue(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue) {
  if (UsesWords(code, epilogue)) return EmitWordEpilogue(code, shape, epilogue);
  EpilogueEmitter(code, shape, epilogue).Emit();
}

void EmitNextTile(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue, Xbyak::Label& first) {
  if (epilogue.residual) code.add(reg::residual, Displacement(shape.pixels * epilogue.residual->pixel_bytes));
  for (size_t t = 0; t < epilogue.targets.size(); ++t) {
    const int step = Displacement(shape.pixels * epilogue.targets[t].pixel_bytes);
    if (t == 0) {
      code.add(reg::out, step);
    } else {
      code.add(code.qword[TargetSlot(t)], step);
    }
  }
  code.dec(code.qword[reg::args + static_cast<int>(offsetof(TileArgs, tiles))]);
  code.jnz(first, JitCode::T_NEAR);
}

}  // namespace tenon::cpu
