#include "backends/cpu/gemm_tile.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/vector_math.h"
#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::Label;
using Xbyak::Reg64;
using Xbyak::Xmm;

const Reg64 kWeightCursor = Xbyak::util::r11, kInputCursor = Xbyak::util::rax, kRow = Xbyak::util::rbx,
            kColumn = Xbyak::util::rbp, kColumnCount = Xbyak::util::r12, kStepCount = Xbyak::util::r13,
            kRowCount = Xbyak::util::r14, kHalf = Xbyak::util::r10;

class GemmTileEmitter {
 public:
  GemmTileEmitter(JitCode& code, const GemmTile& tile)
      : code_(code), tile_(tile), pixels_(tile.shape.pixels), vectors_(tile.shape.vectors) {
    TENON_CHECK(FitsRegisters(code.isa(), pixels_, vectors_));
    is_words_ = TakesWords(tile.dot);
    TENON_CHECK(is_words_ ? tile.channels % 2 == 0 : (tile.input_dtype == DType::kUInt8) == IsInteger(tile.dot));
    TENON_CHECK(tile.dot != Dot::kWords || code.is_avx512());
    TENON_CHECK(is_words_ || tile.input_dtype != DType::kFloat32 || tile.dot == Dot::kFloat32);
    TENON_CHECK(tile.input_dtype != DType::kBFloat16 || code.is_avx512());
    elem_bytes_ = is_words_ ? 2 : static_cast<int>(SizeOf(tile.input_dtype));
    TENON_CHECK(!IsInteger(tile.dot) || tile.channel_bytes == elem_bytes_ || tile.channels == 1);
    TENON_CHECK(IsInteger(tile.dot) == (tile.start_offsets.size() == static_cast<size_t>(pixels_)));
    TENON_CHECK(tile.weight_vector_bytes == 0 || tile.columns.size() == 1);
    per_step_ = ChannelsPerStep(tile.dot);
    steps_ = (tile.channels + per_step_ - 1) / per_step_;
    has_ragged_step_ = tile.channels % per_step_ != 0;
  }

  size_t Emit() {
    code_.align(32);
    const size_t offset = code_.getSize();
    code_.Prologue();
    EmitLoadArgs(code_, tile_.shape, tile_.epilogue);
    Label next_tile;
    code_.L(next_tile);
    IsInteger(tile_.dot) ? LoadStarts() : LoadBias();
    KernelRows();
    EmitEpilogue(code_, tile_.shape, tile_.epilogue);
    code_.add(reg::input, Displacement(pixels_ * tile_.pixel_bytes));
    EmitNextTile(code_, tile_.shape, tile_.epilogue, next_tile);
    code_.Epilogue();
    return offset;
  }

 private:
  Xmm Acc(int p, int v) const { return code_.Vec(p * vectors_ + v); }
  Xmm Weight(int v) const { return code_.Vec(pixels_ * vectors_ + v); }
  /// The registers that are left take turns in holding a broadcast input.
  Xmm NextBroadcast() {
    const int first = pixels_ * vectors_ + vectors_;
    return code_.Vec(first + turn_++ % (code_.registers() - first));
  }
  int64_t StepWeightBytes() const { return int64_t{tile_.weight_vector_bytes ? 1 : vectors_} * code_.vector_bytes(); }

  void LoadBias() {
    for (int v = 0; v < vectors_; ++v) {
      code_.vmovups(Acc(0, v), code_.ptr[reg::bias + v * code_.vector_bytes()]);
      for (int p = 1; p < pixels_; ++p) code_.vmovaps(Acc(p, v), Acc(0, v));
    }
  }

  /// Neighbouring pixels with the same taps begin with the same sums.
  void LoadStarts() {
    code_.mov(reg::temp, code_.ptr[reg::args + static_cast<int>(offsetof(TileArgs, starts))]);
    for (int p = 0; p < pixels_; ++p) {
      const bool is_same = p > 0 && tile_.start_offsets[p] == tile_.start_offsets[p - 1];
      for (int v = 0; v < vectors_; ++v) {
        const int64_t offset = tile_.start_offsets[p] + v * code_.vector_bytes();
        is_same ? code_.vmovaps(Acc(p, v), Acc(p - 1, v))
                : code_.vmovups(Acc(p, v), code_.ptr[reg::temp + Displacement(offset)]);
      }
    }
  }

  void KernelRows() {
    Label row, done;
    code_.mov(kRow, reg::input);
    code_.mov(kWeightCursor, reg::weights);
    code_.mov(kRowCount, code_.ptr[reg::args + static_cast<int>(offsetof(TileArgs, kernel_rows))]);
    code_.test(kRowCount, kRowCount);
    code_.jz(done, JitCode::T_NEAR);
    code_.L(row);
    KernelColumns();
    AddImmediate(kRow, tile_.row_bytes);
    code_.dec(kRowCount);
    code_.jnz(row, JitCode::T_NEAR);
    code_.L(done);
  }

  void AddImmediate(const Reg64& to, int64_t bytes) {
    if (bytes >= INT32_MIN && bytes <= INT32_MAX) {
      code_.add(to, static_cast<int>(bytes));
    } else {
      code_.mov(reg::temp, bytes);
      code_.add(to, reg::temp);
    }
  }

  // Columns that skip the same pixels share one loop.
  void KernelColumns() {
    const int columns = static_cast<int>(tile_.columns.size());
    for (int begin = 0, end; begin < columns; begin = end) {
      for (end = begin + 1; end < columns && IsSameColumn(begin, end);) ++end;
      if (tile_.columns[begin].empty()) {
        AddImmediate(kWeightCursor, (end - begin) * steps_ * StepWeightBytes());
      } else {
        ColumnRange(begin, end - begin);
      }
    }
  }

  bool IsSameColumn(int a, int b) const {
    const auto& last = tile_.last_inputs;
    return tile_.columns[a] == tile_.columns[b] && (last.empty() || last[a] == last[b]);
  }

  /// In a dense row the channels of neighbouring columns follow each other: one long run.
  bool ColumnsAreOneRun() const {
    return tile_.channel_bytes == elem_bytes_ && tile_.column_bytes == tile_.channels * elem_bytes_ &&
           !has_ragged_step_;
  }

  void ColumnRange(int begin, int count) {
    active_ = tile_.columns[begin];
    last_input_ = tile_.last_inputs.empty() ? kAnyPixel : tile_.last_inputs[begin];
    const int first = Displacement(begin * tile_.column_bytes);
    if (count == 1 || ColumnsAreOneRun()) {
      code_.lea(kInputCursor, code_.ptr[kRow + first]);
      return ChannelRun(count * steps_);
    }
    code_.lea(kColumn, code_.ptr[kRow + first]);
    code_.mov(kColumnCount, count);
    Label column;
    code_.L(column);
    code_.mov(kInputCursor, kColumn);
    ChannelRun(steps_);
    AddImmediate(kColumn, tile_.column_bytes);
    code_.dec(kColumnCount);
    code_.jnz(column, JitCode::T_NEAR);
  }

  void ChannelRun(int steps) {
    constexpr int kUnroll = 4, kMostStraight = 8;
    const int whole = has_ragged_step_ ? steps - 1 : steps;
    const int unroll = whole <= kMostStraight ? std::max(whole, 1) : kUnroll;
    const int rounds = whole / unroll;
    if (rounds > 1) {
      Label round;
      code_.mov(kStepCount, rounds);
      code_.align(32);
      code_.L(round);
      Steps(unroll);
      Advance(unroll);
      code_.dec(kStepCount);
      code_.jnz(round, JitCode::T_NEAR);
    } else if (rounds == 1) {
      Steps(unroll);
      Advance(unroll);
    }
    const int rest = whole - rounds * unroll;
    Steps(rest);
    if (has_ragged_step_) Step(rest, StepKind::kRagged);
    AddImmediate(kWeightCursor, (rest + (has_ragged_step_ ? 1 : 0)) * StepWeightBytes());
  }

  void Advance(int steps) {
    AddImmediate(kInputCursor, steps * per_step_ * tile_.channel_bytes);
    AddImmediate(kWeightCursor, steps * StepWeightBytes());
  }

  void Steps(int count) {
    for (int u = 0; u < count; ++u) Step(u, StepKind::kWhole);
  }

  enum class StepKind : uint8_t { kWhole, kRagged };  // ragged: not all channels of the step exist

  Xbyak::Address WeightAt(int u, int v) const {
    const int64_t vector_bytes = tile_.weight_vector_bytes ? tile_.weight_vector_bytes : code_.vector_bytes();
    return code_.ptr[kWeightCursor + Displacement(u * StepWeightBytes() + v * vector_bytes)];
  }

  void Step(int u, StepKind kind) {
    if (IsInteger(tile_.dot)) return IntegerStep(u, kind);
    for (int v = 0; v < vectors_; ++v) code_.vmovups(Weight(v), WeightAt(u, v));
    const bool is_plain = kind == StepKind::kWhole && IsPlainBroadcast();
    for (int p = active_.begin; p < active_.end; ++p) {
      const int64_t offset = p * tile_.pixel_bytes + int64_t{u} * per_step_ * tile_.channel_bytes;
      if (vectors_ == 1 && is_plain && code_.is_avx512()) {  // the broadcast costs nothing inside the instruction
        EmitDot(Acc(p, 0), Weight(0), code_.ptr_b[kInputCursor + Displacement(offset)]);
        continue;
      }
      const Xmm input = NextBroadcast();
      is_plain ? code_.vbroadcastss(input, code_.ptr[kInputCursor + Displacement(offset)])
               : BroadcastConverted(input, offset, kind);
      for (int v = 0; v < vectors_; ++v) EmitDot(Acc(p, v), Weight(v), input);
    }
  }

  /// One 32-bit load holds exactly what a lane needs.
  bool IsPlainBroadcast() const {
    if (tile_.input_dtype == DType::kFloat32) return true;
    return tile_.dot == Dot::kBFloat16 && tile_.channel_bytes == elem_bytes_;
  }

  void BroadcastConverted(const Xmm& to, int64_t offset, StepKind kind) {
    const auto low = code_.word[kInputCursor + Displacement(offset)];
    if (tile_.dot == Dot::kFloat32) {  // BF16 is the upper half of a float
      code_.vpbroadcastw(to, low);
      code_.vpslld(to, to, 16);
      return;
    }
    const Xbyak::Reg32 pair = reg::temp.cvt32(), half = kHalf.cvt32();
    code_.movzx(pair, low);
    if (kind == StepKind::kWhole) {
      code_.movzx(half, code_.word[kInputCursor + Displacement(offset + tile_.channel_bytes)]);
      code_.shl(half, 16);
      code_.or_(pair, half);
    }
    code_.vpbroadcastd(to, pair);
  }

  void EmitDot(const Xmm& acc, const Xmm& weight, const Xbyak::Operand& input) {
    switch (tile_.dot) {
      case Dot::kFloat32:
        return code_.vfmadd231ps(acc, weight, input);
      case Dot::kBFloat16:
        return code_.vdpbf16ps(acc, weight, input);
      case Dot::kInt8:
      case Dot::kInt16:
      case Dot::kWords:
      case Dot::kWordSums:
        break;
    }
    TENON_CHECK(false, "integers");
  }

  void IntegerStep(int u, StepKind kind) {
    const bool has_dot = tile_.dot == Dot::kInt8 || tile_.dot == Dot::kWords;
    for (int v = 0; has_dot && v < vectors_; ++v) code_.vmovups(Weight(v), WeightAt(u, v));
    for (int p = active_.begin; p < active_.end; ++p) {
      const Xmm input = NextBroadcast();
      BroadcastBytes(input, u, p, kind);
      for (int v = 0; v < vectors_; ++v) {
        if (tile_.dot == Dot::kInt8) {
          code_.vpdpbusd(Acc(p, v), input, Weight(v));
        } else if (tile_.dot == Dot::kWords) {
          code_.vpdpwssd(Acc(p, v), input, Weight(v));
        } else {  // the weights' registers hold the products
          code_.vpmaddwd(Weight(v), input, WeightAt(u, v));
          code_.vpaddd(Acc(p, v), Acc(p, v), Weight(v));
        }
      }
    }
  }

  /// The bytes of one step in every lane, as 16-bit words for kInt16. A lone byte may stand for further ones, whose
  /// weights are zero.
  void BroadcastBytes(const Xmm& to, int u, int p, StepKind kind) {
    if (is_words_)
      return code_.vpbroadcastd(to, code_.dword[kInputCursor + Displacement(p * tile_.pixel_bytes + int64_t{u} * 4)]);
    const int ragged = tile_.channels % per_step_;
    const int bytes = kind == StepKind::kWhole || tile_.channels >= per_step_ ? per_step_ : ragged;
    const int back = kind == StepKind::kRagged && bytes == per_step_ ? per_step_ - ragged : 0;
    const Xbyak::RegExp at = kInputCursor + Displacement(p * tile_.pixel_bytes + int64_t{u} * per_step_ - back);
    const Xmm half = tile_.dot == Dot::kInt8 ? to : code_.HalfVec(to.getIdx());
    switch (bytes) {
      case 1:
        code_.vpbroadcastb(half, code_.byte[at]);
        break;
      case 2:
        code_.vpbroadcastw(half, code_.word[at]);
        break;
      case 3:
        p == last_input_ || last_input_ == kAnyPixel ? BroadcastThreeBytes(half, at)
                                                     : code_.vpbroadcastd(half, code_.dword[at]);
        break;
      default:
        code_.vpbroadcastd(half, code_.dword[at]);
    }
    if (tile_.dot == Dot::kInt16) code_.vpmovzxbw(to, half);
  }

  void BroadcastThreeBytes(const Xmm& to, const Xbyak::RegExp& at) {
    const Xbyak::Reg32 low = reg::temp.cvt32(), high = kHalf.cvt32();
    code_.movzx(low, code_.word[at]);
    code_.movzx(high, code_.byte[at + 2]);
    code_.shl(high, 16);
    code_.or_(low, high);
    code_.vpbroadcastd(to, low);
  }

  JitCode& code_;
  const GemmTile& tile_;
  int pixels_, vectors_;
  int elem_bytes_ = 4, per_step_ = 1, steps_ = 0;
  bool has_ragged_step_ = false, is_words_ = false;
  static constexpr int kAnyPixel = -2;
  PixelRange active_;
  int last_input_ = kAnyPixel;
  int turn_ = 0;
};

}  // namespace

bool FitsRegisters(Isa isa, int pixels, int vectors) {
  if (pixels < 1 || vectors < 1) return false;
  const int free = RegistersOf(isa) - pixels * vectors;
  return free >= vectors + 1 && free >= kEpilogueTemps;
}

size_t EmitGemmTile(JitCode& code, const GemmTile& tile) { return GemmTileEmitter(code, tile).Emit(); }

}  // namespace tenon::cpu
