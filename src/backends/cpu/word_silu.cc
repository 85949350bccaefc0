#include "backends/cpu/word_silu.h"

#include <algorithm>
#include <cmath>

namespace tenon::cpu {
namespace {

using Xbyak::Xmm;

/// e^x without the library's exp, whose last bits differ between systems: tables must not.
double Exp(double x) {
  constexpr int kSquarings = 10;
  const double t = std::ldexp(x, -kSquarings);
  double y = 1 + t * (1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5))));
  for (int i = 0; i < kSquarings; ++i) y *= y;
  return y;
}

double Silu(double x) { return x / (1 + Exp(-x)); }

int16_t Saturate(double x) { return static_cast<int16_t>(std::clamp(std::nearbyint(x), -32768.0, 32767.0)); }

/// c0 + c1 f + c2 f^2 through y at the Chebyshev nodes of [0, 1]: all but the minimax parabola.
template <class Function>
std::array<double, 3> FitParabola(const Function& y) {
  constexpr double kNode = 0.93301270189221932;  // (1 + cos(pi / 6)) / 2
  const double low = y(1 - kNode), middle = y(0.5), high = y(kNode), h = kNode - 0.5;
  const double c2 = (low - 2 * middle + high) / (2 * h * h), slope = (high - low) / (2 * h);
  return {middle - slope / 2 + c2 / 4, slope - c2, c2};
}

template <size_t kCount>
std::vector<uint32_t> Words(const std::array<int16_t, kCount>& table) {
  std::vector<uint32_t> words;
  for (size_t i = 0; i < kCount; i += 2)
    words.push_back(static_cast<uint16_t>(table[i]) | static_cast<uint32_t>(static_cast<uint16_t>(table[i + 1])) << 16);
  return words;
}

template <size_t kCount>
std::vector<uint32_t> Dwords(const std::array<int16_t, kCount>& table) {
  return {table.begin(), table.end()};  // sign extended
}

}  // namespace

std::optional<WordSilu> WordSilu::For(const AffineScale& stored) {
  constexpr float kLeastScale = 0.004f;
  // Below -8 SiLU is nothing, above 8 it is x itself, which has to fit.
  constexpr int kLeastRangeBits = 3, kMostRangeBits = 4;
  if (stored.scale < kLeastScale) return {};
  const float highest = static_cast<float>(255 - stored.zero_point) * stored.scale;
  for (int bits = kLeastRangeBits; bits <= kMostRangeBits; ++bits) {
    if (highest <= static_cast<float>(1 << bits)) return WordSilu(stored, bits);
  }
  return {};
}

WordSilu::WordSilu(const AffineScale& stored, int range_bits)
    : input_scale_(static_cast<float>(1 << (15 - range_bits))) {
  const double steps = (1 << kStepBits) / static_cast<double>(stored.scale);  // per unit of y
  const double offset = static_cast<double>(stored.zero_point * (1 << kStepBits) + (1 << (kStepBits - 1)));
  const double range = 1 << range_bits, width = 2 * range / kPieces;
  for (int i = 0; i < kPieces; ++i) {
    const int piece = i < kPieces / 2 ? i : i - kPieces;  // as the sign bit has it
    const bool is_lowest = piece == -kPieces / 2;
    const auto c = FitParabola([&](double f) {
      // The lowest value stands for all below: halfway between its own and the 0 of the far end.
      const double far = is_lowest ? Silu(-range) / 2 * (1 - f) : 0;
      return (Silu((piece + f) * width) - far) * steps;
    });
    const bool is_beyond = c[0] + offset > INT16_MAX;
    tables_[2][i] = Saturate(c[0] + offset);
    tables_[1][i] = is_beyond ? int16_t{0} : Saturate(c[1]);
    tables_[0][i] = is_beyond ? int16_t{0} : Saturate(c[2]);
  }
}

void WordSilu::EmitLoadTables(JitCode& code, std::span<const Xmm, kTables> tables) const {
  for (int i = 0; i < kTables; ++i) code.vmovups(tables[i], code.Table(Words(tables_[i])));
}

void WordSilu::EmitWords(JitCode& code, const Xmm& x, const std::array<Xmm, 4>& temps,
                         std::span<const Xmm> tables) const {
  const auto& [piece, fraction, sum, other] = temps;
  code.vpsrlw(piece, x, kPieceBits);
  code.vpsllw(fraction, x, 15 - kPieceBits);
  code.vpandd(fraction, fraction, code.ConstBits(0x7fff7fff));
  for (int i = 0; i < kTables; ++i) {
    const Xmm& to = i == 0 ? sum : i == 1 ? other : x;
    if (tables.empty()) {
      code.vpermw(code.PermVec(to), code.PermVec(piece), code.Table(Words(tables_[i])));
    } else {
      code.vpermw(code.PermVec(to), code.PermVec(piece), code.PermVec(tables[i]));
    }
  }
  code.vpmulhrsw(sum, sum, fraction);
  code.vpaddw(sum, sum, other);
  code.vpmulhrsw(sum, sum, fraction);
  code.vpaddsw(x, x, sum);
  code.vpsraw(x, x, kStepBits);
}

void WordSilu::EmitFloats(JitCode& code, const Xmm& x, const std::array<Xmm, 4>& temps) const {
  const Xmm &piece = temps[0], &fraction = temps[1], &sum = temps[2], &other = temps[3];  // lambdas take no bindings
  const auto saturate = [&](const Xmm& of) {
    code.vpminsd(of, of, code.ConstBits(32767));
    code.vpmaxsd(of, of, code.ConstBits(static_cast<uint32_t>(-32768)));
  };
  const auto times_fraction = [&](const Xmm& of) {
    code.vpmulld(of, of, fraction);
    code.vpaddd(of, of, code.ConstBits(1 << 14));
    code.vpsrad(of, of, 15);
  };
  const auto gather = [&](const Xmm& to, int table) {
    code.vpcmpeqd(x, x, x);  // the mask, which the gather clears
    code.lea(Xbyak::util::r15, code.Table(Dwords(tables_[table])));
    code.vpgatherdd(to, code.ptr[Xbyak::util::r15 + Xbyak::Ymm(piece.getIdx()) * 4], x);
  };
  code.LoadConst(piece, 65536);  // beyond INT32 the conversion would wrap
  code.vminps(x, piece, x);
  code.vcvtps2dq(x, x);
  saturate(x);
  code.vpsrld(piece, x, kPieceBits);
  code.vpand(piece, piece, code.ConstBits(kPieces - 1));
  code.vpslld(fraction, x, 15 - kPieceBits);
  code.vpand(fraction, fraction, code.ConstBits(0x7fff));
  gather(sum, 0);
  times_fraction(sum);
  gather(other, 1);
  code.vpaddd(sum, sum, other);
  times_fraction(sum);
  gather(other, 2);
  code.vpaddd(sum, sum, other);
  saturate(sum);
  code.vpsrad(sum, sum, kStepBits);
  code.vcvtdq2ps(x, sum);
}

}  // namespace tenon::cpu
