#include "backends/cpu/softmax_rows.h"

#include "backends/cpu/vector_math.h"

namespace tenon::cpu {
namespace {

using Xbyak::Label;
using Xbyak::Reg64;
using Xbyak::Xmm;

const Reg64 kRow = Xbyak::util::rdi, kRows = Xbyak::util::rsi, kCursor = Xbyak::util::rax, kLeft = Xbyak::util::rdx;

class SoftmaxEmitter {
 public:
  SoftmaxEmitter(JitCode& code, int vectors, float scale) : code_(code), vectors_(vectors), scale_(scale) {}

  size_t Emit() {
    code_.align(32);
    const size_t offset = code_.getSize();
    Label row;
    code_.L(row);
    Max();
    ExpAndSum();
    Normalise();
    code_.add(kRow, vectors_ * code_.vector_bytes());
    code_.dec(kRows);
    code_.jnz(row, JitCode::T_NEAR);
    code_.vzeroupper();
    code_.ret();
    return offset;
  }

 private:
  template <class Body>
  void ForEachVector(const Body& body) {
    Label next;
    code_.mov(kCursor, kRow);
    code_.mov(kLeft, vectors_);
    code_.L(next);
    body();
    code_.add(kCursor, code_.vector_bytes());
    code_.dec(kLeft);
    code_.jnz(next, JitCode::T_NEAR);
  }

  /// Every lane becomes `combine` of all lanes, in a fixed order.
  template <class Combine>
  void AcrossLanes(const Xmm& x, const Xmm& temp, const Combine& combine) {
    if (code_.is_avx512()) {
      const Xbyak::Zmm from(x.getIdx()), to(temp.getIdx());
      code_.vshuff32x4(to, from, from, 0b01001110);
      combine(x, x, temp);
      code_.vshuff32x4(to, from, from, 0b10110001);
    } else {
      code_.vperm2f128(Xbyak::Ymm(temp.getIdx()), Xbyak::Ymm(x.getIdx()), Xbyak::Ymm(x.getIdx()), 1);
    }
    combine(x, x, temp);
    for (const int swap : {0b01001110, 0b10110001}) {
      code_.vshufps(temp, x, x, swap);
      combine(x, x, temp);
    }
  }

  void Max() {
    code_.vmovups(max_, code_.ptr[kRow]);
    ForEachVector([&] { code_.vmaxps(max_, max_, code_.ptr[kCursor]); });
    AcrossLanes(max_, x_, [&](const Xmm& to, const Xmm& a, const Xmm& b) { code_.vmaxps(to, a, b); });
  }

  void ExpAndSum() {
    code_.Zero(sum_);
    ForEachVector([&] {
      code_.vmovups(x_, code_.ptr[kCursor]);
      code_.vsubps(x_, x_, max_);
      code_.vmulps(x_, x_, code_.Const(scale_));
      EmitExp(code_, MathPrecision::kFloat32, x_, temps_);
      code_.vmovups(code_.ptr[kCursor], x_);
      code_.vaddps(sum_, sum_, x_);
    });
    AcrossLanes(sum_, x_, [&](const Xmm& to, const Xmm& a, const Xmm& b) { code_.vaddps(to, a, b); });
  }

  void Normalise() {
    code_.LoadConst(x_, 1.0f);
    code_.vdivps(sum_, x_, sum_);
    ForEachVector([&] {
      code_.vmulps(x_, sum_, code_.ptr[kCursor]);
      code_.vmovups(code_.ptr[kCursor], x_);
    });
  }

  JitCode& code_;
  int vectors_;
  float scale_;
  Xmm max_ = code_.Vec(0), sum_ = code_.Vec(1), x_ = code_.Vec(2);
  MathTemps temps_{code_.Vec(3), code_.Vec(4), code_.Vec(5)};
};

}  // namespace

size_t EmitSoftmaxRows(JitCode& code, int vectors, float scale) { return SoftmaxEmitter(code, vectors, scale).Emit(); }

}  // namespace tenon::cpu
