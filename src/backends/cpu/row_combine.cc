#include "backends/cpu/row_combine.h"

#include <cstddef>
#include <limits>

#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::Reg64;
using Xbyak::Xmm;

/// The last n of the first 8 words are ones when read from word 8 - n on: AVX2's masks for partial vectors.
alignas(64) constexpr int32_t kMaskWindow[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

class CombineEmitter {
 public:
  CombineEmitter(JitCode& code, Combine kind, DType in, DType out)
      : code_(code),
        kind_(kind),
        in_(in),
        out_(out),
        in_bytes_(static_cast<int>(SizeOf(in))),
        out_bytes_(static_cast<int>(SizeOf(out))) {}

  void Emit() {
    using namespace Xbyak::util;
    code_.Prologue();
    code_.mov(rows_, ptr[rdi + offsetof(CombineCall, rows)]);
    code_.mov(count_, ptr[rdi + offsetof(CombineCall, row_count)]);
    code_.mov(weights_, ptr[rdi + offsetof(CombineCall, weights)]);
    code_.mov(target_, ptr[rdi + offsetof(CombineCall, out)]);
    code_.mov(left_, ptr[rdi + offsetof(CombineCall, elems)]);
    code_.vbroadcastss(scale_, ptr[rdi + offsetof(CombineCall, scale)]);
    code_.xor_(index_, index_);
    EmitChunks(4);
    EmitChunks(1);
    Xbyak::Label done;
    code_.test(left_, left_);
    code_.jz(done, Xbyak::CodeGenerator::T_NEAR);
    LoadTailMask();
    EmitChunk(1, Part::kTail);
    code_.L(done);
    code_.Epilogue();
  }

 private:
  enum class Part { kWhole, kTail };

  /// While that many whole vectors are left.
  void EmitChunks(int vectors) {
    Xbyak::Label loop, done;
    const int elems = vectors * code_.lanes();
    code_.L(loop);
    code_.cmp(left_, elems);
    code_.jl(done, Xbyak::CodeGenerator::T_NEAR);
    EmitChunk(vectors, Part::kWhole);
    code_.add(index_, elems);
    code_.sub(left_, elems);
    code_.jmp(loop, Xbyak::CodeGenerator::T_NEAR);
    code_.L(done);
  }

  void LoadTailMask() {
    using namespace Xbyak::util;
    if (code_.is_avx512()) {
      code_.mov(rcx, left_);
      code_.mov(eax, 1);
      code_.shl(eax, cl);
      code_.dec(eax);
      code_.kmovw(code_.k1, eax);
    } else {
      code_.mov(rax, reinterpret_cast<uint64_t>(kMaskWindow + 8));
      code_.mov(rcx, left_);
      code_.neg(rcx);
      code_.vmovups(mask_, ptr[rax + rcx * 4]);
    }
  }

  void EmitChunk(int vectors, Part part) {
    using namespace Xbyak::util;
    const float infinity = std::numeric_limits<float>::infinity();
    for (int v = 0; v < vectors; ++v) {
      if (kind_ == Combine::kMax || kind_ == Combine::kMaxOrNan || kind_ == Combine::kMinOrNan) {
        code_.LoadConst(code_.Vec(v), kind_ == Combine::kMinOrNan ? infinity : -infinity);
      } else {
        code_.Zero(code_.Vec(v));
      }
    }
    Xbyak::Label loop, done;
    code_.xor_(row_, row_);
    code_.L(loop);
    code_.cmp(row_, count_);
    code_.jge(done, Xbyak::CodeGenerator::T_NEAR);
    code_.mov(rax, ptr[rows_ + row_ * 8]);
    if (kind_ == Combine::kWeighted) code_.vbroadcastss(weight_, ptr[weights_ + row_ * 4]);
    for (int v = 0; v < vectors; ++v) {
      Load(x_, rax + index_ * in_bytes_ + v * code_.lanes() * in_bytes_, part);
      Accumulate(code_.Vec(v));
    }
    code_.inc(row_);
    code_.jmp(loop, Xbyak::CodeGenerator::T_NEAR);
    code_.L(done);
    for (int v = 0; v < vectors; ++v) {
      if (kind_ == Combine::kSum) code_.vmulps(code_.Vec(v), code_.Vec(v), scale_);
      Store(target_ + index_ * out_bytes_ + v * code_.lanes() * out_bytes_, code_.Vec(v), part);
    }
  }

  void Accumulate(const Xmm& sum) {
    switch (kind_) {
      case Combine::kSum:
        return code_.vaddps(sum, sum, x_);
      case Combine::kMax:
        return code_.vmaxps(sum, x_, sum);  // the second source is what stays beside a NaN
      case Combine::kMaxOrNan:
      case Combine::kMinOrNan:
        return AccumulateOrNan(sum);
      case Combine::kWeighted:
        return code_.vfmadd231ps(sum, x_, weight_);
    }
  }

  /// Where either is NaN, all ones: a NaN.
  void AccumulateOrNan(const Xmm& sum) {
    constexpr int kUnordered = 3;
    if (code_.is_avx512()) {
      code_.vcmpps(code_.k2, sum, x_, kUnordered);
    } else {
      code_.vcmpps(weight_, sum, x_, kUnordered);
    }
    if (kind_ == Combine::kMaxOrNan) {
      code_.vmaxps(sum, sum, x_);
    } else {
      code_.vminps(sum, sum, x_);
    }
    if (code_.is_avx512()) {
      code_.vpternlogd(sum | code_.k2, sum, sum, 0xff);
    } else {
      code_.vorps(sum, sum, weight_);
    }
  }

  void Load(const Xmm& x, const Xbyak::RegExp& from, Part part) {
    const bool is_tail = part == Part::kTail;
    if (in_ == DType::kBFloat16) {
      code_.vpmovzxwd(is_tail ? x | code_.k1 | Xbyak::util::T_z : x, code_.ptr[from]);
      code_.vpslld(x, x, 16);
    } else if (!is_tail) {
      code_.vmovups(x, code_.ptr[from]);
    } else if (code_.is_avx512()) {
      code_.vmovups(x | code_.k1 | Xbyak::util::T_z, code_.ptr[from]);
    } else {
      code_.vmaskmovps(x, mask_, code_.ptr[from]);
    }
  }

  void Store(const Xbyak::RegExp& to, const Xmm& x, Part part) {
    const bool is_tail = part == Part::kTail;
    if (out_ == DType::kBFloat16) {
      RoundToBFloat16(x);
      code_.vpmovdw(is_tail ? code_.ptr[to] | code_.k1 : code_.ptr[to], x);
    } else if (!is_tail) {
      code_.vmovups(code_.ptr[to], x);
    } else if (code_.is_avx512()) {
      code_.vmovups(code_.ptr[to] | code_.k1, x);
    } else {
      code_.vmaskmovps(code_.ptr[to], mask_, x);
    }
  }

  // Not vcvtneps2bf16: that one flushes denormals, and not every CPU with AVX-512 has it.
  void RoundToBFloat16(const Xmm& x) {
    code_.vpsrld(x_, x, 16);
    code_.vpandd(x_, x_, code_.ConstBits(1));
    code_.vpaddd(x_, x_, code_.ConstBits(0x7fff));
    code_.vcmpps(code_.k2, x, x, 3);
    code_.vpaddd(x_, x_, x);
    code_.vpord(x_ | code_.k2, x, code_.ConstBits(0x00400000));
    code_.vpsrld(x, x_, 16);
  }

  JitCode& code_;
  Combine kind_;
  DType in_, out_;
  int in_bytes_, out_bytes_;
  Reg64 rows_ = Xbyak::util::rbx, count_ = Xbyak::util::rbp, weights_ = Xbyak::util::r12, target_ = Xbyak::util::r13,
        left_ = Xbyak::util::r14, index_ = Xbyak::util::r15, row_ = Xbyak::util::r8;
  // Accumulators are the registers from 0 on.
  Xmm x_ = code_.Vec(8), weight_ = code_.Vec(9), scale_ = code_.Vec(10), mask_ = code_.Vec(11);
};

/// The greatest of rows of u8, a vector of bytes at a time.
class ByteMaxEmitter {
 public:
  explicit ByteMaxEmitter(JitCode& code) : code_(code) {}

  void Emit() {
    using namespace Xbyak::util;
    code_.Prologue();
    code_.mov(rows_, ptr[rdi + offsetof(CombineCall, rows)]);
    code_.mov(count_, ptr[rdi + offsetof(CombineCall, row_count)]);
    code_.mov(target_, ptr[rdi + offsetof(CombineCall, out)]);
    code_.mov(left_, ptr[rdi + offsetof(CombineCall, elems)]);
    code_.xor_(index_, index_);
    Loop(code_.vector_bytes(), [&] { Vector(Part::kWhole); });
    if (code_.is_avx512()) {
      Xbyak::Label done;
      code_.test(left_, left_);
      code_.jz(done, Xbyak::CodeGenerator::T_NEAR);
      code_.mov(rcx, left_);
      code_.mov(eax, 1);
      code_.shl(rax, cl);
      code_.dec(rax);
      code_.kmovq(code_.k1, rax);
      Vector(Part::kTail);
      code_.L(done);
    } else {
      Loop(1, [&] { OneByte(); });
    }
    code_.Epilogue();
  }

 private:
  enum class Part { kWhole, kTail };

  /// While that many bytes are left.
  template <class Body>
  void Loop(int bytes, const Body& body) {
    Xbyak::Label loop, done;
    code_.L(loop);
    code_.cmp(left_, bytes);
    code_.jl(done, Xbyak::CodeGenerator::T_NEAR);
    body();
    code_.add(index_, bytes);
    code_.sub(left_, bytes);
    code_.jmp(loop, Xbyak::CodeGenerator::T_NEAR);
    code_.L(done);
  }

  /// Calls first() with row 0 and next() with every other one: its address is in rax.
  template <class First, class Next>
  void ForEachRow(const First& first, const Next& next) {
    Xbyak::Label loop, done;
    code_.mov(Xbyak::util::rax, code_.ptr[rows_]);
    first();
    code_.mov(row_, 1);
    code_.L(loop);
    code_.cmp(row_, count_);
    code_.jge(done, Xbyak::CodeGenerator::T_NEAR);
    code_.mov(Xbyak::util::rax, code_.ptr[rows_ + row_ * 8]);
    next();
    code_.inc(row_);
    code_.jmp(loop, Xbyak::CodeGenerator::T_NEAR);
    code_.L(done);
  }

  void Vector(Part part) {
    const auto load = [&](const Xmm& x) {
      const auto from = code_.ptr[Xbyak::util::rax + index_];
      part == Part::kTail ? code_.vmovdqu8(x | code_.k1 | Xbyak::util::T_z, from) : code_.vmovups(x, from);
    };
    ForEachRow([&] { load(best_); },
               [&] {
                 load(x_);
                 code_.vpmaxub(best_, best_, x_);
               });
    const auto to = code_.ptr[target_ + index_];
    part == Part::kTail ? code_.vmovdqu8(to | code_.k1, best_) : code_.vmovups(to, best_);
  }

  void OneByte() {
    using namespace Xbyak::util;
    const auto load = [&](const Xbyak::Reg32& x) { code_.movzx(x, code_.byte[rax + index_]); };
    ForEachRow([&] { load(ecx); },
               [&] {
                 load(edx);
                 code_.cmp(edx, ecx);
                 code_.cmova(ecx, edx);
               });
    code_.mov(code_.byte[target_ + index_], cl);
  }

  JitCode& code_;
  Reg64 rows_ = Xbyak::util::rbx, count_ = Xbyak::util::rbp, target_ = Xbyak::util::r13, left_ = Xbyak::util::r14,
        index_ = Xbyak::util::r15, row_ = Xbyak::util::r8;
  Xmm best_ = code_.Vec(0), x_ = code_.Vec(1);
};

}  // namespace

RowCombiner::RowCombiner(Isa isa, Combine kind, DType in, DType out) {
  if (in == DType::kUInt8) {
    TENON_CHECK(out == in && kind == Combine::kMax, "u8 rows have a maximum alone");
    code_ = GenerateCode(isa, [&](JitCode& code) { ByteMaxEmitter(code).Emit(); });
    function_ = code_->At<void (*)(const CombineCall*)>(0);
    return;
  }
  const bool has_bf16 = in == DType::kBFloat16 || out == DType::kBFloat16;
  TENON_CHECK(!has_bf16 || isa == Isa::kAvx512, "bf16 rows without AVX-512");
  code_ = GenerateCode(isa, [&](JitCode& code) { CombineEmitter(code, kind, in, out).Emit(); });
  function_ = code_->At<void (*)(const CombineCall*)>(0);
}

}  // namespace tenon::cpu
