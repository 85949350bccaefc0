#include "backends/cpu/byte_silu.h"

namespace tenon::cpu {
namespace {

using Xbyak::Xmm;

using Table = std::array<float, 16>;

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

}  // namespace

ByteSilu::ByteSilu(float scale, float offset) : scale_(scale), tables_{kC2, kC1, kC0} {
  for (Table& table : tables_) {
    for (float& coefficient : table) coefficient *= scale;
  }
  for (float& constant : tables_[2]) constant -= offset;
}

void ByteSilu::EmitLoadTables(JitCode& code, std::span<const Xmm, kTables> tables) const {
  for (int i = 0; i < kTables; ++i) code.vmovups(tables[i], code.Table(tables_[i]));
}

void ByteSilu::Emit(JitCode& code, const Xmm& x, const std::array<Xmm, 4>& temps, std::span<const Xmm> tables) const {
  const auto& [t, piece, sum, other] = temps;
  const auto waiting = code.ptr[Xbyak::util::rsp - code.vector_bytes()];
  code.vandps(t, x, code.ConstBits(0x7fffffff));
  code.vminps(t, t, code.Const(kLast));
  code.LoadConst(piece, kRounder);
  code.vfmadd231ps(piece, t, code.Const(kPiecesPerUnit));
  if (!code.is_avx512()) {
    // A gather takes a register for its mask: x waits below the stack pointer, where nobody else writes.
    code.vmovups(waiting, x);
    code.vpand(piece, piece, code.ConstBits(kPieces - 1));
  }
  for (int i = 0; i < kTables; ++i) {
    const Xmm& to = i == 0 ? sum : other;
    if (!code.is_avx512()) {
      code.vpcmpeqd(x, x, x);
      code.lea(Xbyak::util::r15, code.Table(tables_[i]));
      code.vgatherdps(to, code.ptr[Xbyak::util::r15 + Xbyak::Ymm(piece.getIdx()) * 4], x);
    } else if (tables.empty()) {
      code.vpermps(code.PermVec(to), code.PermVec(piece), code.Table(tables_[i]));
    } else {
      code.vpermps(code.PermVec(to), code.PermVec(piece), tables[i]);
    }
    if (i > 0) code.vfmadd213ps(sum, t, other);
  }
  if (!code.is_avx512()) code.vmovups(x, waiting);
  code.Zero(other);
  code.vmaxps(x, other, x);  // the second source is what stays of a NaN
  if (scale_ == 1) return code.vsubps(x, x, sum);
  code.LoadConst(other, scale_);
  code.vfmsub213ps(x, other, sum);
}

}  // namespace tenon::cpu
