#include "backends/cpu/byte_vectors.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::RegExp;
using Xbyak::Xmm;
using Xbyak::Ymm;

// Far outside of a byte and well inside of INT32, where the conversion would wrap.
constexpr float kMostSteps = 65536.0f;

/// The packs leave, in every 128 bits, four bytes of each vector in turn. Dword order that sorts them by vector.
std::array<uint32_t, 16> SortByVector(int lanes) {
  std::array<uint32_t, 16> order = {};
  const uint32_t quads = lanes / 4;  // of one vector
  for (uint32_t i = 0; i < static_cast<uint32_t>(lanes); ++i) order[i] = i % quads * kByteGroup + i / quads;
  return order;
}

bool IsWholeRegister(int count) { return count == 16 || count == 32 || count == 64; }

/// AVX2: the rest of fewer than 16 bytes in halving pieces.
void StoreRest(JitCode& code, RegExp to, const Xmm& bytes, int count) {
  if (count & 8) {
    code.vmovq(code.qword[to], bytes);
    code.vpsrldq(bytes, bytes, 8);
    to = to + 8;
  }
  if (count & 4) {
    code.vmovd(code.dword[to], bytes);
    code.vpsrldq(bytes, bytes, 4);
    to = to + 4;
  }
  if (count & 2) {
    code.vpextrw(code.word[to], bytes, 0);
    code.vpsrldq(bytes, bytes, 2);
    to = to + 2;
  }
  if (count & 1) code.vpextrb(code.byte[to], bytes, 0);
}

}  // namespace

void EmitByteMask(JitCode& code, int count) {
  if (!code.is_avx512() || IsWholeRegister(count)) return;
  code.mov(reg::temp, (uint64_t{1} << count) - 1);
  code.kmovq(kByteMask, reg::temp);
}

void EmitPackBytes(JitCode& code, std::span<const Xmm> vectors, const AffineScale& scale, const Xmm& temp) {
  TENON_CHECK(!vectors.empty() && vectors.size() <= kByteGroup);
  code.LoadConst(temp, kMostSteps);
  for (const Xmm& x : vectors) {
    if (scale.scale != 1) code.vmulps(x, x, code.Const(1.0f / scale.scale));
    code.vminps(x, temp, x);  // the second source is what stays of a NaN, whose conversion is the least integer
    code.vcvtps2dq(x, x);
  }
  const auto at = [&](size_t i) { return vectors[std::min(i, vectors.size() - 1)]; };
  const Xmm &low = vectors[0], high = at(2);
  const bool has_high = vectors.size() > 2;
  code.vpackssdw(low, low, at(1));
  if (has_high) code.vpackssdw(high, high, at(3));
  if (scale.zero_point != 0) {
    code.LoadConst(temp, std::bit_cast<float>(static_cast<uint32_t>(scale.zero_point) * 0x10001u));
    code.vpaddsw(low, low, temp);
    if (has_high) code.vpaddsw(high, high, temp);
  }
  EmitPackWords(code, low, has_high ? high : low, temp);
}

void EmitPackWords(JitCode& code, const Xmm& low, const Xmm& high, const Xmm& temp) {
  code.vpackuswb(low, low, high);
  code.vmovups(temp, code.Table(SortByVector(code.lanes())));
  code.vpermd(code.PermVec(low), code.PermVec(temp), low);
}

void EmitStoreBytes(JitCode& code, const RegExp& to, const Xmm& bytes, int count) {
  const int index = bytes.getIdx();
  if (count == 64) return code.vmovdqu32(code.ptr[to], bytes);
  if (count == 32) return code.vmovups(code.ptr[to], Ymm(index));
  if (count == 16) return code.vmovups(code.ptr[to], Xmm(index));
  if (code.is_avx512()) return code.vmovdqu8(code.ptr[to] | kByteMask, bytes);
  if (count < 16) return StoreRest(code, to, Xmm(index), count);
  code.vmovups(code.ptr[to], Xmm(index));
  code.vextracti128(Xmm(index), Ymm(index), 1);
  StoreRest(code, to + 16, Xmm(index), count - 16);
}

void EmitLoadBytes(JitCode& code, const Xmm& to, const RegExp& from, int count) {
  if (code.is_avx512()) {
    count == code.lanes() ? code.vpmovzxbd(to, code.ptr[from])
                          : code.vpmovzxbd(to | kTailMask | Xbyak::util::T_z, code.ptr[from]);
    return;
  }
  const Xmm bytes(to.getIdx());
  if (count == code.lanes()) return code.vpmovzxbd(to, code.ptr[from]);
  code.vpxor(bytes, bytes, bytes);
  for (int i = 0; i < count; ++i) code.vpinsrb(bytes, bytes, code.byte[from + i], static_cast<uint8_t>(i));
  code.vpmovzxbd(to, bytes);
}

}  // namespace tenon::cpu
