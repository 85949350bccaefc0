#include "backends/cpu/region_jit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "backends/cpu/vector_math.h"

namespace tenon::cpu {
namespace {

using Xbyak::Reg64;
using Xbyak::Xmm;

/// A function that is called per vector, through memory.
struct CallSpec {
  Instr instr;
  int lanes;
};

void CallScalar(float* x, const float* y, const CallSpec* spec) {
  const Instr& instr = spec->instr;
  for (int i = 0; i < spec->lanes; ++i) {
    if (instr.opcode == Opcode::kUnary) {
      x[i] = static_cast<float>(ApplyUnary(instr.unary, x[i], instr.alpha, instr.beta));
    } else if (instr.binary == BinaryKind::kPow) {
      x[i] = static_cast<float>(std::pow(double{x[i]}, double{y[i]}));
    } else {
      const float rest = std::fmod(x[i], y[i]);
      const bool is_floored = instr.binary == BinaryKind::kMod && rest != 0 && (rest < 0) != (y[i] < 0);
      x[i] = is_floored ? rest + y[i] : rest;
    }
  }
}

bool IsCalled(const Instr& instr) {
  if (instr.opcode == Opcode::kBinary) {
    return instr.binary == BinaryKind::kPow || instr.binary == BinaryKind::kMod || instr.binary == BinaryKind::kFmod;
  }
  if (instr.opcode != Opcode::kUnary || instr.unary <= UnaryKind::kElu) return false;
  switch (instr.unary) {
    case UnaryKind::kExp:
    case UnaryKind::kSqrt:
    case UnaryKind::kAbs:
    case UnaryKind::kNeg:
    case UnaryKind::kReciprocal:
    case UnaryKind::kFloor:
    case UnaryKind::kCeil:
    case UnaryKind::kRound:
    case UnaryKind::kNot:
    case UnaryKind::kIsNaN:
      return false;
    default:
      return true;
  }
}

/// The cast of an integer that is loaded or constant to a float: the stage already holds floats.
bool IsFreeCast(const Program& program, const Instr& instr) {
  if (instr.opcode != Opcode::kCast || !IsFloat(instr.dtype)) return false;
  const Instr& source = program.instrs[static_cast<size_t>(instr.args[0])];
  return source.dtype != DType::kBool && (source.opcode == Opcode::kLoad || source.opcode == Opcode::kConst);
}

bool IsByte(DType dtype) { return dtype == DType::kUInt8 || dtype == DType::kInt8; }

/// Whole numbers of 8 bits, which floats hold exactly: operands, and floats that were cast to them.
bool IsByteInFloat(const Program& program, const Instr& instr) {
  if (!IsByte(instr.dtype)) return false;
  if (instr.opcode == Opcode::kLoad || instr.opcode == Opcode::kConst) return true;
  return instr.opcode == Opcode::kCast && IsFloat(program.instrs[static_cast<size_t>(instr.args[0])].dtype);
}

/// Emits the code of one program. Values get registers in order of the instructions; when none is free the value whose
/// next use is farthest goes: to the stack, or, if it is a load or a constant, nowhere, and is loaded again.
class BodyEmitter {
 public:
  BodyEmitter(JitCode& code, const Program& program, const std::vector<bool>& is_broadcast,
              std::vector<std::unique_ptr<CallSpec>>& calls)
      : code_(code), program_(program), is_broadcast_(is_broadcast), calls_(calls) {
    const int temps = code.registers() - kMathTempCount;
    temps_ = {code.Vec(temps), code.Vec(temps + 1), code.Vec(temps + 2)};
    holder_.assign(static_cast<size_t>(temps), -1);
    pins_.assign(holder_.size(), false);
    Analyse();
  }

  void Emit() {
    using namespace Xbyak::util;
    code_.Prologue();
    code_.mov(table_, rdi);
    code_.mov(end_, rsi);
    code_.mov(rax, rsp);
    code_.sub(rsp, static_cast<uint32_t>(frame_bytes_ + 64));
    code_.and_(rsp, -64);
    code_.mov(ptr[rsp + static_cast<int>(frame_bytes_)], rax);
    PinPointers();
    code_.xor_(index_, index_);
    Xbyak::Label loop;
    code_.L(loop);
    for (size_t i = 0; i < program_.instrs.size(); ++i) EmitInstr(static_cast<int>(i));
    for (size_t s = 0; s < program_.stores.size(); ++s) {
      if (IsSource(program_.stores[s].value)) EmitStore(s);
    }
    std::fill(holder_.begin(), holder_.end(), -1);
    code_.add(index_, code_.vector_bytes());
    code_.cmp(index_, end_);
    code_.jl(loop, Xbyak::CodeGenerator::T_NEAR);
    code_.mov(rsp, ptr[rsp + static_cast<int>(frame_bytes_)]);
    code_.Epilogue();
  }

 private:
  struct ValueState {
    std::vector<int> uses;  ///< positions, ascending; kEnd for stores of sources
    size_t next = 0;
    int reg = -1;
    int slot = -1;
    bool is_in_slot = false;
  };
  static constexpr int kEnd = std::numeric_limits<int>::max();
  static constexpr int kCallSlots = 2;

  const Instr& At(int value) const { return program_.instrs[static_cast<size_t>(value)]; }
  ValueState& State(int value) { return states_[static_cast<size_t>(value)]; }
  bool IsSource(int value) const {
    const Instr& instr = At(value);
    return instr.opcode == Opcode::kLoad || instr.opcode == Opcode::kConst || IsFreeCast(program_, instr);
  }

  /// Uses of values, and which multiplications disappear in fused multiply-adds.
  void Analyse() {
    const size_t count = program_.instrs.size();
    states_.resize(count);
    fused_.assign(count, -1);
    std::vector<int> use_counts(count, 0);
    for (const Instr& instr : program_.instrs) {
      for (const int arg : instr.args) {
        if (arg >= 0) ++use_counts[static_cast<size_t>(arg)];
      }
    }
    for (const Store& store : program_.stores) use_counts[static_cast<size_t>(store.value)] += 2;
    is_fused_away_.assign(count, false);
    for (size_t i = 0; i < count; ++i) {
      const Instr& instr = program_.instrs[i];
      if (instr.opcode != Opcode::kBinary || (instr.binary != BinaryKind::kAdd && instr.binary != BinaryKind::kSub))
        continue;
      for (const int which : {1, 0}) {
        const auto product = static_cast<size_t>(instr.args[static_cast<size_t>(which)]);
        const Instr& source = program_.instrs[product];
        if (source.opcode != Opcode::kBinary || source.binary != BinaryKind::kMul || use_counts[product] != 1) continue;
        fused_[i] = which;
        is_fused_away_[product] = true;
        break;
      }
    }
    for (size_t i = 0; i < count; ++i) {
      if (IsSource(static_cast<int>(i)) || is_fused_away_[i]) continue;
      for (const int arg : Operands(static_cast<int>(i))) State(arg).uses.push_back(static_cast<int>(i));
      const bool calls = IsCalled(program_.instrs[i]);
      has_calls_ = has_calls_ || calls;
    }
    for (const Store& store : program_.stores) {
      if (IsSource(store.value)) State(store.value).uses.push_back(kEnd);
    }
    frame_bytes_ = static_cast<int64_t>(count + kCallSlots) * code_.vector_bytes();
  }

  /// The values that instruction i reads, with fused products replaced by their factors.
  std::vector<int> Operands(int i) const {
    std::vector<int> operands;
    const Instr& instr = At(i);
    for (size_t a = 0; a < 3; ++a) {
      if (instr.args[a] < 0) continue;
      if (fused_[static_cast<size_t>(i)] == static_cast<int>(a)) {
        operands.push_back(At(instr.args[a]).args[0]);
        operands.push_back(At(instr.args[a]).args[1]);
      } else {
        operands.push_back(instr.args[a]);
      }
    }
    return operands;
  }

  Xbyak::Address Slot(int slot) { return code_.ptr[Xbyak::util::rsp + slot * code_.vector_bytes()]; }

  // The most used arrays' addresses stay in registers; the rest are read from the table each time.
  void PinPointers() {
    using namespace Xbyak::util;
    std::vector<Reg64> free = {rbp, r14, r15};
    if (!has_calls_) free.insert(free.end(), {r8, r9, r10, r11, rdx, rsi, rdi, rcx});
    const size_t arrays = program_.loads.size() + program_.stores.size();
    for (size_t i = 0; i < std::min(arrays, free.size()); ++i) {
      code_.mov(free[i], code_.ptr[table_ + static_cast<int>(8 * i)]);
      pointers_.push_back(free[i]);
    }
  }

  Reg64 Pointer(size_t array) {
    if (array < pointers_.size()) return pointers_[array];
    code_.mov(Xbyak::util::rax, code_.ptr[table_ + static_cast<int>(8 * array)]);
    return Xbyak::util::rax;
  }

  int NextUse(int value) {
    const ValueState& state = State(value);
    return state.next < state.uses.size() ? state.uses[state.next] : -1;
  }

  int AllocateRegister() {
    int victim = -1, farthest = -2;
    for (size_t r = 0; r < holder_.size(); ++r) {
      if (holder_[r] < 0) return static_cast<int>(r);
      const int use = NextUse(holder_[r]);
      if (!pins_[r] && use > farthest) victim = static_cast<int>(r), farthest = use;
    }
    TENON_CHECK(victim >= 0, "no register to spill");
    Evict(victim);
    return victim;
  }

  void Evict(int reg) {
    const int value = holder_[static_cast<size_t>(reg)];
    holder_[static_cast<size_t>(reg)] = -1;
    if (value < 0) return;
    ValueState& state = State(value);
    state.reg = -1;
    if (IsSource(value) || state.is_in_slot || NextUse(value) < 0) return;
    if (state.slot < 0) state.slot = AllocateSlot();
    code_.vmovaps(Slot(state.slot), code_.Vec(reg));
    state.is_in_slot = true;
  }

  int AllocateSlot() {
    if (!free_slots_.empty()) {
      const int slot = free_slots_.back();
      free_slots_.pop_back();
      return slot;
    }
    return kCallSlots + slot_count_++;
  }

  void Assign(int value, int reg) {
    holder_[static_cast<size_t>(reg)] = value;
    State(value).reg = reg;
  }

  /// The value in a register, which stays its own until the instruction is done.
  Xmm InRegister(int value) {
    ValueState& state = State(value);
    if (state.reg < 0) {
      const int reg = AllocateRegister();
      Assign(value, reg);
      state.is_in_slot ? code_.vmovaps(code_.Vec(reg), Slot(state.slot)) : LoadSource(value, code_.Vec(reg));
    }
    pins_[static_cast<size_t>(state.reg)] = true;
    return code_.Vec(state.reg);
  }

  void LoadSource(int value, const Xmm& x) {
    const Instr* instr = &At(value);
    const bool is_cast = instr->opcode == Opcode::kCast;
    if (is_cast) instr = &At(instr->args[0]);
    if (instr->opcode == Opcode::kConst) return LoadConstant(*instr, x);
    const auto load = static_cast<size_t>(instr->load);
    const Reg64 pointer = Pointer(load);
    if (is_broadcast_[load]) {
      code_.vbroadcastss(x, code_.ptr[pointer]);
    } else {
      code_.vmovups(x, code_.ptr[pointer + index_]);
    }
    if (instr->dtype != DType::kBool) return;
    code_.Zero(temps_.a);
    Compare(x, x, temps_.a, 4);
  }

  void LoadConstant(const Instr& instr, const Xmm& x) {
    if (instr.dtype == DType::kBool) {
      instr.integer ? AllOnes(x) : code_.Zero(x);
    } else {
      code_.LoadConst(x, IsFloat(instr.dtype) ? static_cast<float>(instr.number) : static_cast<float>(instr.integer));
    }
  }

  void AllOnes(const Xmm& x) {
    if (code_.is_avx512()) {
      code_.vpternlogd(x, x, x, 0xff);
    } else {
      code_.vpcmpeqd(x, x, x);
    }
  }

  /// x = a (predicate) b as a mask of whole lanes.
  void Compare(const Xmm& x, const Xmm& a, const Xbyak::Operand& b, uint8_t predicate) {
    if (code_.is_avx512()) {
      code_.vcmpps(code_.k1, a, b, predicate);
      code_.vpmovm2d(x, code_.k1);
    } else {
      code_.vcmpps(x, a, b, predicate);
    }
  }

  /// Passes position i for the operands; values without a later use lose their registers.
  void Release(const std::vector<int>& operands, int i) {
    for (const int value : operands) {
      ValueState& state = State(value);
      while (state.next < state.uses.size() && state.uses[state.next] <= i) ++state.next;
      if (state.reg >= 0) pins_[static_cast<size_t>(state.reg)] = false;
      if (state.next < state.uses.size()) continue;
      if (state.reg >= 0) holder_[static_cast<size_t>(state.reg)] = -1;
      state.reg = -1;
      if (state.slot >= 0) free_slots_.push_back(state.slot);
      state.slot = -1;
      state.is_in_slot = false;
    }
  }

  Xmm Define(int value) {
    const int reg = AllocateRegister();
    Assign(value, reg);
    return code_.Vec(reg);
  }

  void EmitInstr(int i) {
    if (IsSource(i) || is_fused_away_[static_cast<size_t>(i)]) return;
    const Instr& instr = At(i);
    const std::vector<int> operands = Operands(i);
    if (IsCalled(instr)) {
      EmitCall(i, operands);
    } else {
      std::vector<Xmm> x;
      for (const int operand : operands) x.push_back(InRegister(operand));
      // From here on a dead operand's register may be the result's: each case reads before it writes.
      Release(operands, i);
      const Xmm y = Define(i);
      if (fused_[static_cast<size_t>(i)] >= 0) {
        EmitFused(instr, fused_[static_cast<size_t>(i)], y, x);
      } else if (instr.opcode == Opcode::kUnary) {
        EmitUnary(instr, y, x[0]);
      } else if (instr.opcode == Opcode::kBinary) {
        EmitBinary(instr, y, x[0], x[1]);
      } else if (instr.opcode == Opcode::kFastMax) {
        code_.vmaxps(y, x[0], x[1]);
      } else if (instr.opcode == Opcode::kWhere) {
        EmitWhere(y, x);
      } else {
        EmitCast(i, y, x[0]);
      }
    }
    for (size_t s = 0; s < program_.stores.size(); ++s) {
      if (program_.stores[s].value == i) EmitStore(s);
    }
    if (State(i).uses.empty()) Release({i}, i);
  }

  void EmitFused(const Instr& instr, int which, const Xmm& y, const std::vector<Xmm>& x) {
    const Xmm& addend = which == 0 ? x[2] : x[0];
    const Xmm& a = which == 0 ? x[0] : x[1];
    const Xmm& b = which == 0 ? x[1] : x[2];
    Xmm sum = y;
    if (y.getIdx() != addend.getIdx()) {
      sum = y.getIdx() == a.getIdx() || y.getIdx() == b.getIdx() ? temps_.a : y;
      code_.vmovaps(sum, addend);
    }
    if (instr.binary == BinaryKind::kAdd) {
      code_.vfmadd231ps(sum, a, b);
    } else if (which == 0) {
      code_.vfmsub231ps(sum, a, b);
    } else {
      code_.vfnmadd231ps(sum, a, b);
    }
    if (sum.getIdx() != y.getIdx()) code_.vmovaps(y, sum);
  }

  void EmitUnary(const Instr& instr, const Xmm& y, const Xmm& x) {
    const auto round = [&](uint8_t mode) {
      code_.is_avx512() ? code_.vrndscaleps(y, x, mode) : code_.vroundps(y, x, mode);
    };
    switch (instr.unary) {
      case UnaryKind::kSqrt:
        return code_.vsqrtps(y, x);
      case UnaryKind::kAbs:
        return code_.vandps(y, x, code_.ConstBits(0x7fffffff));
      case UnaryKind::kNeg:
        return code_.vxorps(y, x, code_.ConstBits(0x80000000));
      case UnaryKind::kReciprocal:
        code_.LoadConst(temps_.a, 1.0f);
        return code_.vdivps(y, temps_.a, x);
      case UnaryKind::kFloor:
        return round(9);
      case UnaryKind::kCeil:
        return round(10);
      case UnaryKind::kRound:
        return round(8);
      case UnaryKind::kNot:
        return code_.vxorps(y, x, code_.ConstBits(0xffffffff));
      case UnaryKind::kIsNaN:
        return Compare(y, x, x, 3);
      default:
        break;
    }
    if (y.getIdx() != x.getIdx()) code_.vmovaps(y, x);
    if (instr.unary == UnaryKind::kExp) return EmitExp(code_, MathPrecision::kFloat32, y, temps_);
    // The first kinds are Activation's, in its order after kNone.
    const auto activation = static_cast<Activation>(static_cast<int>(instr.unary) + 1);
    EmitActivation(code_, {activation, instr.alpha, instr.beta}, MathPrecision::kFloat32, y, temps_);
  }

  void EmitBinary(const Instr& instr, const Xmm& y, const Xmm& a, const Xmm& b) {
    const bool is_bool = At(instr.args[0]).dtype == DType::kBool;
    switch (instr.binary) {
      case BinaryKind::kAdd:
        return code_.vaddps(y, a, b);
      case BinaryKind::kSub:
        return code_.vsubps(y, a, b);
      case BinaryKind::kMul:
        return code_.vmulps(y, a, b);
      case BinaryKind::kDiv:
        return code_.vdivps(y, a, b);
      // The instructions return b when either is NaN: a NaN in a is put back.
      case BinaryKind::kMin:
        code_.vminps(temps_.a, a, b);
        return KeepNaN(y, a);
      case BinaryKind::kMax:
        code_.vmaxps(temps_.a, a, b);
        return KeepNaN(y, a);
      case BinaryKind::kPRelu:
        code_.vmulps(temps_.a, a, b);
        code_.Zero(temps_.b);
        Compare(temps_.b, a, temps_.b, 1);
        return Blend(y, a, temps_.a, temps_.b);
      case BinaryKind::kEqual:
        if (!is_bool) return Compare(y, a, b, 0);
        code_.vxorps(temps_.a, a, b);
        return code_.vxorps(y, temps_.a, code_.ConstBits(0xffffffff));
      case BinaryKind::kLess:
        return Compare(y, a, b, 1);
      case BinaryKind::kLessOrEqual:
        return Compare(y, a, b, 2);
      case BinaryKind::kGreater:
        return Compare(y, a, b, 14);
      case BinaryKind::kGreaterOrEqual:
        return Compare(y, a, b, 13);
      case BinaryKind::kAnd:
        return code_.vandps(y, a, b);
      case BinaryKind::kOr:
        return code_.vorps(y, a, b);
      case BinaryKind::kXor:
        return code_.vxorps(y, a, b);
      default:
        TENON_CHECK(false, "{} of floats", kBinaryNames[static_cast<size_t>(instr.binary)]);
    }
  }

  /// y = temps.a, or a where that is NaN.
  void KeepNaN(const Xmm& y, const Xmm& a) {
    Compare(temps_.b, a, a, 3);
    Blend(y, temps_.a, a, temps_.b);
  }

  /// y = mask ? on : off.
  void Blend(const Xmm& y, const Xmm& off, const Xmm& on, const Xmm& mask) {
    if (code_.is_avx512()) {
      code_.vpmovd2m(code_.k1, mask);
      code_.vblendmps(y | code_.k1, off, on);
    } else {
      code_.vblendvps(y, off, on, mask);
    }
  }

  void EmitWhere(const Xmm& y, const std::vector<Xmm>& x) { Blend(y, x[2], x[1], x[0]); }

  void EmitCast(int i, const Xmm& y, const Xmm& x) {
    if (At(i).dtype == DType::kBool) {
      code_.Zero(temps_.a);
      return Compare(y, x, temps_.a, 4);
    }
    if (IsByte(At(i).dtype)) return SaturateToByte(At(i).dtype, y, x);
    if (IsByte(At(At(i).args[0]).dtype)) {
      if (y.getIdx() != x.getIdx()) code_.vmovaps(y, x);
      return;
    }
    code_.vandps(y, x, code_.Const(1.0f));  // of a mask
  }

  /// Towards zero, as far as the type goes; NaN is 0.
  void SaturateToByte(DType to, const Xmm& y, const Xmm& x) {
    constexpr uint8_t kOrdered = 7, kTruncate = 11;
    Compare(temps_.a, x, x, kOrdered);
    code_.vandps(y, x, temps_.a);
    code_.is_avx512() ? code_.vrndscaleps(y, y, kTruncate) : code_.vroundps(y, y, kTruncate);
    code_.vmaxps(y, y, code_.Const(to == DType::kInt8 ? -128.0f : 0.0f));
    code_.vminps(y, y, code_.Const(to == DType::kInt8 ? 127.0f : 255.0f));
  }

  void EmitStore(size_t store) {
    const int value = program_.stores[store].value;
    Xmm x = InRegister(value);
    if (At(value).dtype == DType::kBool) {
      code_.vandps(temps_.a, x, code_.Const(1.0f));
      x = temps_.a;
    }
    code_.vmovups(code_.ptr[Pointer(program_.loads.size() + store) + index_], x);
    pins_[static_cast<size_t>(State(value).reg)] = false;
  }

  void EmitCall(int i, const std::vector<int>& operands) {
    using namespace Xbyak::util;
    for (size_t a = 0; a < operands.size(); ++a) code_.vmovaps(Slot(static_cast<int>(a)), InRegister(operands[a]));
    Release(operands, i);
    for (size_t r = 0; r < holder_.size(); ++r) Evict(static_cast<int>(r));
    calls_.push_back(std::make_unique<CallSpec>(CallSpec{At(i), code_.lanes()}));
    code_.lea(rdi, Slot(0));
    code_.lea(rsi, Slot(1));
    code_.mov(rdx, reinterpret_cast<uint64_t>(calls_.back().get()));
    code_.mov(rax, reinterpret_cast<uint64_t>(&CallScalar));
    code_.vzeroupper();
    code_.call(rax);
    const Xmm y = Define(i);
    code_.vmovaps(y, Slot(0));
    if (At(i).dtype == DType::kBool) {
      code_.Zero(temps_.a);
      Compare(y, y, temps_.a, 4);
    }
  }

  JitCode& code_;
  const Program& program_;
  const std::vector<bool>& is_broadcast_;
  std::vector<std::unique_ptr<CallSpec>>& calls_;
  Reg64 table_ = Xbyak::util::rbx, end_ = Xbyak::util::r12, index_ = Xbyak::util::r13;
  MathTemps temps_;
  std::vector<int> holder_;  ///< the value in each register, -1: none
  std::vector<bool> pins_;
  std::vector<ValueState> states_;
  std::vector<int> fused_;  ///< which argument of an addition is a product that it takes in; -1: none
  std::vector<bool> is_fused_away_;
  std::vector<Reg64> pointers_;
  std::vector<int> free_slots_;
  int slot_count_ = 0;
  int64_t frame_bytes_ = 0;
  bool has_calls_ = false;
};

class GeneratedBody final : public RegionBody {
 public:
  GeneratedBody(const Program& program, const std::vector<bool>& is_broadcast, Isa isa) {
    code_ = GenerateCode(isa, [&](JitCode& code) {
      calls_.clear();
      BodyEmitter(code, program, is_broadcast, calls_).Emit();
    });
    function_ = code_->At<Function>(0);
  }

  void Run(std::byte* const* arrays, int64_t lanes, std::byte*) const override {
    function_(arrays, lanes * static_cast<int64_t>(sizeof(float)));
  }
  size_t scratch_bytes(int64_t) const override { return 0; }

 private:
  using Function = void (*)(std::byte* const* arrays, int64_t bytes);
  std::vector<std::unique_ptr<CallSpec>> calls_;
  std::unique_ptr<JitCode> code_;
  Function function_ = nullptr;
};

}  // namespace

std::string GeneratorObstacle(const Program& program) {
  const auto is_vector = [](DType dtype) { return IsFloat(dtype) || dtype == DType::kBool; };
  for (const Instr& instr : program.instrs) {
    if (instr.opcode == Opcode::kLoad || instr.opcode == Opcode::kConst || IsFreeCast(program, instr)) continue;
    bool fits = is_vector(instr.dtype) || IsByteInFloat(program, instr);
    for (const int arg : instr.args) {
      if (arg < 0) continue;
      const Instr& source = program.instrs[static_cast<size_t>(arg)];
      const bool is_cast = instr.opcode == Opcode::kCast && IsFloat(instr.dtype);
      fits = fits && (is_vector(source.dtype) || (is_cast && IsByteInFloat(program, source)));
    }
    if (!fits) return "integer arithmetic";
  }
  for (const Store& store : program.stores) {
    const bool fits =
        is_vector(store.access.dtype) || IsByteInFloat(program, program.instrs[static_cast<size_t>(store.value)]);
    if (!fits) return "integer results";
  }
  return {};
}

std::unique_ptr<RegionBody> MakeGeneratedBody(const Program& program, const std::vector<bool>& is_broadcast, Isa isa) {
  return std::make_unique<GeneratedBody>(program, is_broadcast, isa);
}

}  // namespace tenon::cpu
