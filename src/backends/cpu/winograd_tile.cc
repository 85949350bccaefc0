#include "backends/cpu/winograd_tile.h"

#include <cstddef>

#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::Label;
using Xbyak::Reg64;
using Xbyak::RegExp;
using Xbyak::Xmm;

const Reg64 kStackTop = Xbyak::util::rbx, kRow = Xbyak::util::r12, kRows = Xbyak::util::r13, kCount = Xbyak::util::r14,
            kPixel = Xbyak::util::rax;

/// The transform of a tile is one of its columns, then one of the rows of what that gave. Those lie on the stack: a
/// tile of F(4x4) has more values than there are registers, and the L1 serves them for nothing next to the products.
class TransformStack {
 public:
  TransformStack(JitCode& code, int values) : code_(code), bytes_(values * code.vector_bytes()) {}
  void Enter() const {
    code_.mov(kStackTop, Xbyak::util::rsp);
    code_.sub(Xbyak::util::rsp, bytes_);
    code_.and_(Xbyak::util::rsp, -64);
  }
  void Leave() const { code_.mov(Xbyak::util::rsp, kStackTop); }
  Xbyak::Address At(int value) const { return code_.ptr[Xbyak::util::rsp + value * code_.vector_bytes()]; }

 private:
  JitCode& code_;
  int bytes_;
};

class InputEmitter {
 public:
  InputEmitter(JitCode& code, const WinogradInputTile& tile)
      : code_(code),
        tile_(tile),
        transform_(code, tile.form, 0),
        size_(WinogradInputs(tile.form)),
        stack_(code, size_ * size_),
        step_(WinogradStepChannels(tile.form, code.isa())) {
    const bool is_words = tile.form == WinogradForm::kF4Words;
    TENON_CHECK(is_words == (tile.input_dtype == DType::kUInt8) && is_words == TakesWords(tile.dot));
    TENON_CHECK(tile.input_dtype != DType::kBFloat16 || code.is_avx512());
    TENON_CHECK(tile.dot != Dot::kBFloat16 || code.is_avx512());
    TENON_CHECK(!is_words || code.is_avx512() || tile.channels % step_ == 0);
    TENON_CHECK(WinogradEmitter::kRegisters < code.registers());
  }

  size_t Emit() {
    code_.align(32);
    const size_t offset = code_.getSize();
    const int whole = tile_.channels / step_, tail = tile_.channels % step_;
    code_.Prologue();
    stack_.Enter();
    code_.mov(kTo, code_.ptr[reg::args + static_cast<int>(offsetof(WinogradInputArgs, to))]);
    if (tile_.is_inside) {
      code_.mov(kFrom, code_.ptr[reg::args + PixelSlot(0)]);
    } else {
      code_.xor_(kFrom.cvt32(), kFrom.cvt32());
    }
    if (tile_.zero_point != 0) {
      code_.mov(kPixel.cvt32(), tile_.zero_point);
      code_.vmovd(Xmm(Held().getIdx()), kPixel.cvt32());
      code_.vpbroadcastw(Held(), Xmm(Held().getIdx()));
    }
    if (whole > 0) {
      Label next;
      code_.mov(kCount, whole);
      code_.L(next);
      Vector(step_);
      code_.add(kFrom, static_cast<int>(step_ * SizeOf(tile_.input_dtype)));
      code_.add(kTo, step_ * 4 / ChannelsPerStep(tile_.dot));
      code_.dec(kCount);
      code_.jnz(next, JitCode::T_NEAR);
    }
    if (tail > 0) {
      SetTailMask(tail);
      Vector(tail);
    }
    stack_.Leave();
    code_.Epilogue();
    return offset;
  }

 private:
  static inline const Reg64 kFrom = Xbyak::util::r8, kTo = Xbyak::util::rdx;

  static int PixelSlot(int pixel) {
    return static_cast<int>(offsetof(WinogradInputArgs, pixels) + pixel * sizeof(void*));
  }
  /// The zero point in every word, or with floats on AVX2 the mask of the tail.
  Xmm Held() const { return code_.Vec(WinogradEmitter::kRegisters); }

  void SetTailMask(int channels) {
    if (!code_.is_avx512()) return code_.vmovups(Held(), code_.LaneMask(channels));
    code_.mov(kPixel.cvt32(), static_cast<uint32_t>((uint64_t{1} << channels) - 1));
    code_.kmovd(kTailMask, kPixel.cvt32());
  }

  void Vector(int channels) {
    for (int x = 0; x < size_; ++x) {
      for (int y = 0; y < size_; ++y) Load(transform_.In(y), y, x, channels);
      transform_.EmitInput();
      for (int y = 0; y < size_; ++y) code_.vmovups(stack_.At(y * size_ + x), transform_.Out(y));
    }
    for (int y = 0; y < size_; ++y) {
      for (int x = 0; x < size_; ++x) code_.vmovups(transform_.In(x), stack_.At(y * size_ + x));
      transform_.EmitInput();
      for (int x = 0; x < size_; ++x) Store(transform_.Out(x), y * size_ + x);
    }
  }

  void Load(const Xmm& to, int y, int x, int channels) {
    const bool is_tail = channels != step_;
    if (!tile_.is_inside) code_.mov(kPixel, code_.ptr[reg::args + PixelSlot(y * size_ + x)]);
    const auto address = tile_.is_inside ? code_.ptr[kFrom + Displacement(y * tile_.row_bytes + x * tile_.pixel_bytes)]
                                         : code_.ptr[kPixel + kFrom];
    if (tile_.input_dtype == DType::kUInt8) {
      is_tail ? code_.vpmovzxbw(to | kTailMask | Xbyak::util::T_z, address) : code_.vpmovzxbw(to, address);
      if (tile_.zero_point != 0) code_.vpsubw(to, to, Held());
    } else if (tile_.input_dtype == DType::kBFloat16) {
      is_tail ? code_.vpmovzxwd(to | kTailMask | Xbyak::util::T_z, address) : code_.vpmovzxwd(to, address);
      code_.vpslld(to, to, 16);
    } else if (!is_tail) {
      code_.vmovups(to, address);
    } else if (code_.is_avx512()) {
      code_.vmovups(to | kTailMask | Xbyak::util::T_z, address);
    } else {
      code_.vmaskmovps(to, Held(), address);
    }
  }

  void Store(const Xmm& from, int point) {
    const auto address = code_.ptr[kTo + Displacement(point * tile_.point_bytes)];
    if (tile_.dot != Dot::kBFloat16) return code_.vmovups(address, from);
    const Xmm half = code_.HalfVec(from.getIdx());
    code_.vcvtneps2bf16(half, from);
    code_.vmovups(address, half);
  }

  JitCode& code_;
  const WinogradInputTile& tile_;
  WinogradEmitter transform_;
  int size_;
  TransformStack stack_;
  int step_;  ///< channels of a vector
};

class OutputEmitter {
 public:
  OutputEmitter(JitCode& code, const WinogradOutputTile& tile)
      : code_(code),
        tile_(tile),
        transform_(code, tile.form, 0),
        size_(WinogradInputs(tile.form)),
        outputs_(WinogradOutputs(tile.form)),
        is_words_(tile.form == WinogradForm::kF4Words),
        stack_(code, outputs_ * size_) {
    TENON_CHECK(tile.epilogue.sums == (is_words_ ? Sums::kIntegerFloats : Sums::kBiased));
    TENON_CHECK(tile.columns >= 1 && tile.columns <= outputs_);
    TENON_CHECK(tile.target_row_bytes.size() == tile.epilogue.targets.size());
    TENON_CHECK(WinogradEmitter::kRegisters <= code.registers());
  }

  size_t Emit() {
    code_.align(32);
    const size_t offset = code_.getSize();
    const bool has_tail = tile_.tail_lanes != code_.lanes();
    const int whole = tile_.vectors - (has_tail ? 1 : 0);
    code_.Prologue();
    stack_.Enter();
    EmitLoadArgs(code_, Shape(tile_.tail_lanes), tile_.epilogue);
    if (whole > 0) {
      Label next;
      code_.mov(kCount, whole);
      code_.L(next);
      Vector(Shape(code_.lanes()));
      NextVector();
      code_.dec(kCount);
      code_.jnz(next, JitCode::T_NEAR);
    }
    if (has_tail) Vector(Shape(tile_.tail_lanes));
    stack_.Leave();
    code_.Epilogue();
    return offset;
  }

 private:
  TileShape Shape(int lanes) const { return {.pixels = tile_.columns, .vectors = 1, .tail_lanes = lanes}; }

  void Vector(const TileShape& shape) {
    for (int x = 0; x < size_; ++x) {
      for (int y = 0; y < size_; ++y) {
        const auto product = code_.ptr[reg::input + Displacement((y * size_ + x) * tile_.point_bytes)];
        is_words_ ? code_.vcvtdq2ps(transform_.Product(y), product) : code_.vmovups(transform_.Product(y), product);
      }
      transform_.EmitOutput();
      for (int y = 0; y < outputs_; ++y) code_.vmovups(stack_.At(y * size_ + x), transform_.Out(y));
    }
    Label row;
    code_.mov(kRow, Xbyak::util::rsp);
    code_.mov(kRows, code_.ptr[reg::args + static_cast<int>(offsetof(TileArgs, kernel_rows))]);
    code_.L(row);
    for (int x = 0; x < size_; ++x) code_.vmovups(transform_.Product(x), code_.ptr[kRow + x * code_.vector_bytes()]);
    transform_.EmitOutput();
    for (int x = 0; x < tile_.columns && !is_words_; ++x)
      code_.vaddps(transform_.Out(x), transform_.Out(x), code_.ptr[reg::bias]);
    EmitEpilogue(code_, shape, tile_.epilogue);
    code_.add(kRow, size_ * code_.vector_bytes());
    ForEachPointer([&](const auto& pointer, int64_t row_bytes, DType) { code_.add(pointer, Displacement(row_bytes)); });
    code_.dec(kRows);
    code_.jnz(row, JitCode::T_NEAR);
  }

  /// From the end of a vector of channels to the first row of the next.
  void NextVector() {
    code_.add(reg::input, code_.vector_bytes());
    code_.add(reg::bias, code_.vector_bytes());
    ForEachPointer([&](const auto& pointer, int64_t row_bytes, DType dtype) {
      code_.imul(reg::temp, code_.qword[reg::args + static_cast<int>(offsetof(TileArgs, kernel_rows))],
                 Displacement(-row_bytes));
      code_.add(reg::temp, static_cast<int>(code_.lanes() * SizeOf(dtype)));
      code_.add(pointer, reg::temp);
    });
  }

  /// Calls visit(register or place in memory, bytes to the next row, type) for the residual and all targets.
  template <class Visit>
  void ForEachPointer(const Visit& visit) {
    const auto& epilogue = tile_.epilogue;
    if (epilogue.residual) visit(reg::residual, tile_.residual_row_bytes, epilogue.residual->dtype);
    for (size_t t = 0; t < epilogue.targets.size(); ++t) {
      const int64_t row_bytes = tile_.target_row_bytes[t];
      if (t == 0) {
        visit(reg::out, row_bytes, epilogue.targets[t].dtype);
      } else {
        visit(code_.qword[reg::args + static_cast<int>(offsetof(TileArgs, targets) + t * sizeof(void*))], row_bytes,
              epilogue.targets[t].dtype);
      }
    }
  }

  JitCode& code_;
  const WinogradOutputTile& tile_;
  WinogradEmitter transform_;
  int size_, outputs_;
  bool is_words_;
  TransformStack stack_;
};

}  // namespace

int WinogradStepChannels(WinogradForm form, Isa isa) { return LanesOf(isa) * (form == WinogradForm::kF4Words ? 2 : 1); }

size_t EmitWinogradInput(JitCode& code, const WinogradInputTile& tile) { return InputEmitter(code, tile).Emit(); }

size_t EmitWinogradOutput(JitCode& code, const WinogradOutputTile& tile) { return OutputEmitter(code, tile).Emit(); }

}  // namespace tenon::cpu
