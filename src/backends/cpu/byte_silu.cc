#include "backends/cpu/byte_silu.h"

namespace tenon::cpu {
namespace {

using Xbyak::Xmm;

constexpr int kPieces = 16;
using Table = std::array<float, kPieces>;

// Piece k lies around t = k / kPiecesPerUnit. Minimax parabolas c0 + c1 t + c2 t^2 of h, but the last one goes down to
// half of h at its end, whose value is that of all t beyond.
constexpr float kPiecesPerUnit = 1.6f, kLast = 9.6874f;  // below 15.5 pieces, which would be rounded to 16
constexpr Table kC0 = {1.23908831e-05f, 0.00692778733f, 0.0884749964f, 0.271054f,    0.457832426f, 0.559683979f,
                       0.563739896f,    0.50190711f,    0.411272854f,  0.317795783f, 0.23512049f,  0.168220684f,
                       0.117182188f,    0.079859972f,   0.0534347184f, 0.0395480134f};
constexpr Table kC1 = {0.49941206f,    0.465219319f,  0.293940425f,   0.0577346236f,  -0.116081603f,  -0.190307438f,
                       -0.19339551f,   -0.163131177f, -0.124427006f,  -0.0891488269f, -0.0612181015f, -0.0407671109f,
                       -0.0265220404f, -0.016939465f, -0.0106580006f, -0.0071024592f};
constexpr Table kC2 = {-0.246357486f,  -0.204317957f,   -0.11360994f,    -0.0369716622f, 0.00352493278f, 0.01705545f,
                       0.0176113993f,  0.0139065636f,   0.00977303926f,  0.00644361088f, 0.0040840786f,  0.002520849f,
                       0.00152673363f, 0.000911567651f, 0.000538240361f, 0.000314966484f};
// 1.5 * 2^23: what is added to it is rounded to an integer, which stands in the low bits.
constexpr float kRounder = 12582912.0f;

class SiluEmitter {
 public:
  SiluEmitter(JitCode& code, const Xmm& x, const std::array<Xmm, 4>& temps)
      : code_(code), x_(x), t_(temps[0]), piece_(temps[1]), sum_(temps[2]), other_(temps[3]) {}

  void Emit() {
    code_.vandps(t_, x_, code_.ConstBits(0x7fffffff));
    code_.vminps(t_, t_, code_.Const(kLast));
    code_.LoadConst(piece_, kRounder);
    code_.vfmadd231ps(piece_, t_, code_.Const(kPiecesPerUnit));
    code_.is_avx512() ? Parabola() : ParabolaByGathers();
    code_.Zero(other_);
    code_.vmaxps(x_, other_, x_);  // the second source is what stays of a NaN
    code_.vsubps(x_, x_, sum_);
  }

 private:
  void Parabola() {
    const Xbyak::Ymm sum = code_.PermVec(sum_), other = code_.PermVec(other_), piece = code_.PermVec(piece_);
    code_.vpermps(sum, piece, code_.Table(kC2));
    for (const Table* table : {&kC1, &kC0}) {
      code_.vpermps(other, piece, code_.Table(*table));
      code_.vfmadd213ps(sum_, t_, other_);
    }
  }

  // A gather takes a register for its mask: x waits below the stack pointer, where nobody else writes.
  void ParabolaByGathers() {
    const auto waiting = code_.ptr[Xbyak::util::rsp - code_.vector_bytes()];
    code_.vmovups(waiting, x_);
    code_.vpand(piece_, piece_, code_.ConstBits(kPieces - 1));
    Gather(sum_, kC2);
    for (const Table* table : {&kC1, &kC0}) {
      Gather(other_, *table);
      code_.vfmadd213ps(sum_, t_, other_);
    }
    code_.vmovups(x_, waiting);
  }

  void Gather(const Xmm& to, const Table& table) {
    code_.vpcmpeqd(x_, x_, x_);
    code_.lea(Xbyak::util::r15, code_.Table(table));
    code_.vgatherdps(to, code_.ptr[Xbyak::util::r15 + Xbyak::Ymm(piece_.getIdx()) * 4], x_);
  }

  JitCode& code_;
  Xmm x_, t_, piece_, sum_, other_;
};

}  // namespace

void EmitByteSilu(JitCode& code, const Xmm& x, const std::array<Xmm, 4>& temps) { SiluEmitter(code, x, temps).Emit(); }

}  // namespace tenon::cpu
