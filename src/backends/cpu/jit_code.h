#pragma once
#include <xbyak/xbyak.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "backends/cpu/cpu_features.h"

namespace tenon::cpu {

/// Vector instruction set that a kernel is generated for.
enum class Isa : uint8_t { kAvx2, kAvx512 };

/// The widest set that the features allow. Throws Error(kUnsupportedDevice) below AVX2 + FMA.
Isa BestIsa(const CpuFeatures& features);
/// Floats in a vector: 8 or 16.
constexpr int LanesOf(Isa isa) { return isa == Isa::kAvx512 ? 16 : 8; }
/// Vector registers: 16 or 32.
constexpr int RegistersOf(Isa isa) { return isa == Isa::kAvx512 ? 32 : 16; }

/// An assembler that knows the vector width and keeps a pool of constants behind the code. The memory is writable while
/// code is being generated and executable after Finish(), never both. The generated functions live as long as the
/// object.
class JitCode : public Xbyak::CodeGenerator {
 public:
  JitCode(Isa isa, size_t capacity_bytes);

  Isa isa() const { return isa_; }
  bool is_avx512() const { return isa_ == Isa::kAvx512; }
  int lanes() const { return LanesOf(isa_); }
  int vector_bytes() const { return lanes() * 4; }
  int registers() const { return RegistersOf(isa_); }

  /// Vector register i at full width.
  Xbyak::Xmm Vec(int i) const { return Xbyak::Xmm(is_avx512() ? Xbyak::Operand::ZMM : Xbyak::Operand::YMM, i); }
  /// The same register as the operand type that permutations take.
  Xbyak::Ymm PermVec(const Xbyak::Xmm& x) const {
    return is_avx512() ? Xbyak::Zmm(x.getIdx()) : Xbyak::Ymm(x.getIdx());
  }
  /// The lower half of vector register i.
  Xbyak::Xmm HalfVec(int i) const { return Xbyak::Xmm(is_avx512() ? Xbyak::Operand::YMM : Xbyak::Operand::XMM, i); }
  /// A full vector in memory.
  Xbyak::Address VecAt(const Xbyak::RegExp& address) { return ptr[address]; }

  /// Memory operand with `value` in every lane, for any instruction that takes a full vector.
  Xbyak::Address Const(float value);
  Xbyak::Address ConstBits(uint32_t bits);
  /// Loads `value` into every lane of x.
  void LoadConst(const Xbyak::Xmm& x, float value);
  /// Words in memory, aligned to their size where that is a power of two.
  Xbyak::Address Table(std::span<const uint32_t> words);
  Xbyak::Address Table(std::span<const float> values);
  /// AVX2: mask of the first `lanes` lanes in memory, for vmaskmovps.
  Xbyak::Address LaneMask(int lanes);
  void Zero(const Xbyak::Xmm& x) { vxorps(Xbyak::Xmm(x.getIdx()), Xbyak::Xmm(x.getIdx()), Xbyak::Xmm(x.getIdx())); }

  /// Saves the callee-saved registers that the generators use (rbx rbp r12 r13 r14 r15).
  void Prologue();
  /// Restores them and returns.
  void Epilogue();

  /// Writes the constants behind the code and makes the memory executable.
  void Finish();

  template <class Function>
  Function At(size_t offset) const {
    return reinterpret_cast<Function>(reinterpret_cast<uintptr_t>(getCode()) + offset);
  }

 private:
  int PoolOffset(const std::vector<uint32_t>& words);

  Isa isa_;
  Xbyak::Label pool_label_;
  std::vector<uint32_t> pool_;
  std::map<std::vector<uint32_t>, int> pool_offsets_;
};

/// Runs `emit(code)` on buffers of growing size until the code fits, then finishes it.
template <class Emit>
std::unique_ptr<JitCode> GenerateCode(Isa isa, const Emit& emit) {
  constexpr size_t kFirstBytes = 256 << 10, kMostBytes = 64 << 20;
  for (size_t capacity = kFirstBytes;; capacity *= 4) {
    try {
      auto code = std::make_unique<JitCode>(isa, capacity);
      emit(*code);
      code->Finish();
      return code;
    } catch (const Xbyak::Error& error) {
      if (static_cast<int>(error) != Xbyak::ERR_CODE_IS_TOO_BIG || capacity >= kMostBytes) throw;
    }
  }
}

}  // namespace tenon::cpu
