#include "backends/cpu/jit_code.h"

#include <bit>

#include "base/error.h"

namespace tenon::cpu {

Isa BestIsa(const CpuFeatures& features) {
  if (features.avx512) return Isa::kAvx512;
  if (features.avx2_fma) return Isa::kAvx2;
  ThrowUnsupported(
      {.what = "this CPU can't run Tenon's kernels", .got = features.ToString(), .expected = "AVX2 and FMA at least"});
}

JitCode::JitCode(Isa isa, size_t capacity_bytes)
    : Xbyak::CodeGenerator(capacity_bytes, Xbyak::DontSetProtectRWE), isa_(isa) {}

int JitCode::PoolOffset(const std::vector<uint32_t>& words) {
  if (const auto known = pool_offsets_.find(words); known != pool_offsets_.end()) return known->second;
  while (pool_.size() % words.size() != 0) pool_.push_back(0);  // so that no vector lies across two cache lines
  const int offset = static_cast<int>(pool_.size() * 4);
  pool_.insert(pool_.end(), words.begin(), words.end());
  pool_offsets_[words] = offset;
  return offset;
}

// AVX-512 broadcasts a single word inside the instruction; AVX2 can't and gets a whole vector.
Xbyak::Address JitCode::ConstBits(uint32_t bits) {
  if (is_avx512()) return ptr_b[Xbyak::util::rip + PoolOffset({bits}) + pool_label_];
  return ptr[Xbyak::util::rip + PoolOffset(std::vector<uint32_t>(lanes(), bits)) + pool_label_];
}

Xbyak::Address JitCode::Const(float value) { return ConstBits(std::bit_cast<uint32_t>(value)); }

void JitCode::LoadConst(const Xbyak::Xmm& x, float value) {
  const int offset = PoolOffset(std::vector<uint32_t>(is_avx512() ? 1 : lanes(), std::bit_cast<uint32_t>(value)));
  vbroadcastss(x, ptr[Xbyak::util::rip + offset + pool_label_]);
}

Xbyak::Address JitCode::Table(std::span<const uint32_t> words) {
  return ptr[Xbyak::util::rip + PoolOffset({words.begin(), words.end()}) + pool_label_];
}

Xbyak::Address JitCode::Table(std::span<const float> values) {
  std::vector<uint32_t> words;
  for (const float value : values) words.push_back(std::bit_cast<uint32_t>(value));
  return Table(words);
}

Xbyak::Address JitCode::LaneMask(int lanes) {
  std::vector<uint32_t> words(this->lanes(), 0);
  for (int i = 0; i < lanes; ++i) words[i] = 0xffffffffu;
  return ptr[Xbyak::util::rip + PoolOffset(words) + pool_label_];
}

void JitCode::Prologue() {
  using namespace Xbyak::util;
  for (const auto& reg : {rbx, rbp, r12, r13, r14, r15}) push(reg);
}

void JitCode::Epilogue() {
  using namespace Xbyak::util;
  vzeroupper();
  for (const auto& reg : {r15, r14, r13, r12, rbp, rbx}) pop(reg);
  ret();
}

void JitCode::Finish() {
  align(64);
  L(pool_label_);
  for (const uint32_t word : pool_) dd(word);
  setProtectModeRE();
}

}  // namespace tenon::cpu
