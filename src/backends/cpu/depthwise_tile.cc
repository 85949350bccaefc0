#include "backends/cpu/depthwise_tile.h"

#include <cstddef>
#include <map>

#include "backends/cpu/byte_vectors.h"
#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::Label;
using Xbyak::Reg64;
using Xbyak::Xmm;

const Reg64 kWeightCursor = Xbyak::util::r11, kRow = Xbyak::util::rbx, kRowCount = Xbyak::util::r14;

class DepthwiseTileEmitter {
 public:
  DepthwiseTileEmitter(JitCode& code, const DepthwiseTile& tile)
      : code_(code), tile_(tile), pixels_(tile.shape.pixels), vectors_(tile.shape.vectors) {
    TENON_CHECK(pixels_ * vectors_ + kEpilogueTemps <= code.registers());
    TENON_CHECK(tile.input_dtype != DType::kBFloat16 || code.is_avx512());
    TENON_CHECK((tile.input_dtype == DType::kUInt8) == (tile.epilogue.sums == Sums::kIntegerFloats));
    kernel_ = static_cast<int>(tile.columns.size());
    const int free = code.registers() - pixels_ * vectors_ - kInputs - 1;
    weights_in_registers_ = kernel_ * vectors_ <= free;
    for (int k = 0; k < kernel_; ++k) {
      for (int p = tile.columns[k].begin; p < tile.columns[k].end; ++p) {
        taps_[p * tile.stride + k * tile.dilation].push_back({p, k});
      }
    }
  }

  size_t Emit() {
    code_.align(32);
    const size_t offset = code_.getSize();
    code_.Prologue();
    EmitLoadArgs(code_, tile_.shape, tile_.epilogue);
    Label next_tile;
    code_.L(next_tile);
    for (int v = 0; v < vectors_; ++v) Start(v);
    KernelRows();
    EmitEpilogue(code_, tile_.shape, tile_.epilogue);
    code_.add(reg::input, Displacement(pixels_ * tile_.stride * tile_.input_pixel_bytes));
    EmitNextTile(code_, tile_.shape, tile_.epilogue, next_tile);
    code_.Epilogue();
    return offset;
  }

 private:
  static constexpr int kInputs = 2;  // registers that take turns in holding an input

  struct Tap {
    int pixel, column;
  };

  Xmm Acc(int p, int v) const { return code_.Vec(p * vectors_ + v); }
  Xmm NextInput() { return code_.Vec(pixels_ * vectors_ + turn_++ % kInputs); }
  Xmm TailMask() const { return code_.Vec(pixels_ * vectors_ + kInputs); }
  Xmm WeightRegister(int column, int v) const {
    return code_.Vec(pixels_ * vectors_ + kInputs + 1 + column * vectors_ + v);
  }
  Xbyak::Address WeightAt(int column, int v) const {
    return code_.ptr[kWeightCursor + (column * vectors_ + v) * code_.vector_bytes()];
  }
  bool HasTail() const { return tile_.shape.tail_lanes != code_.lanes(); }

  void Start(int v) {
    if (tile_.epilogue.sums == Sums::kBiased) {
      code_.vmovups(Acc(0, v), code_.ptr[reg::bias + v * code_.vector_bytes()]);
    } else {
      code_.Zero(Acc(0, v));
    }
    for (int p = 1; p < pixels_; ++p) code_.vmovaps(Acc(p, v), Acc(0, v));
  }

  void KernelRows() {
    Label row, done;
    code_.mov(kRow, reg::input);
    code_.mov(kWeightCursor, reg::weights);
    code_.mov(kRowCount, code_.ptr[reg::args + static_cast<int>(offsetof(TileArgs, kernel_rows))]);
    code_.test(kRowCount, kRowCount);
    code_.jz(done, JitCode::T_NEAR);
    if (HasTail() && !code_.is_avx512()) code_.vmovups(TailMask(), code_.LaneMask(tile_.shape.tail_lanes));
    code_.L(row);
    OneRow();
    code_.add(kRow, Displacement(tile_.row_bytes));
    code_.add(kWeightCursor, kernel_ * vectors_ * code_.vector_bytes());
    code_.dec(kRowCount);
    code_.jnz(row, JitCode::T_NEAR);
    code_.L(done);
  }

  void OneRow() {
    if (weights_in_registers_) {
      for (int k = 0; k < kernel_; ++k) {
        if (tile_.columns[k].empty()) continue;
        for (int v = 0; v < vectors_; ++v) code_.vmovups(WeightRegister(k, v), WeightAt(k, v));
      }
    }
    for (const auto& [position, taps] : taps_) {
      for (int v = 0; v < vectors_; ++v) {
        const Xmm input = NextInput();
        LoadInput(input, position, v);
        for (const Tap& tap : taps) {
          if (weights_in_registers_) {
            code_.vfmadd231ps(Acc(tap.pixel, v), input, WeightRegister(tap.column, v));
          } else {
            code_.vfmadd231ps(Acc(tap.pixel, v), input, WeightAt(tap.column, v));
          }
        }
      }
    }
  }

  void LoadInput(const Xmm& to, int position, int v) {
    const bool is_bf16 = tile_.input_dtype == DType::kBFloat16;
    const int64_t offset = position * tile_.input_pixel_bytes + int64_t{v} * code_.lanes() * SizeOf(tile_.input_dtype);
    if (tile_.input_dtype == DType::kUInt8) return LoadBytes(to, offset, v);
    const auto address = code_.ptr[kRow + Displacement(offset)];
    const bool is_tail = tile_.shape.IsTail(v, code_.lanes());
    const auto masked = to | kTailMask | Xbyak::util::T_z;
    if (is_bf16) {
      is_tail ? code_.vpmovzxwd(masked, address) : code_.vpmovzxwd(to, address);
      code_.vpslld(to, to, 16);
    } else if (!is_tail) {
      code_.vmovups(to, address);
    } else if (code_.is_avx512()) {
      code_.vmovups(masked, address);
    } else {
      code_.vmaskmovps(to, TailMask(), address);
    }
  }

  void LoadBytes(const Xmm& to, int64_t offset, int v) {
    const bool is_tail = tile_.shape.IsTail(v, code_.lanes());
    EmitLoadBytes(code_, to, kRow + Displacement(offset), is_tail ? tile_.shape.tail_lanes : code_.lanes());
    if (tile_.zero_point != 0) code_.vpsubd(to, to, code_.ConstBits(static_cast<uint32_t>(tile_.zero_point)));
    code_.vcvtdq2ps(to, to);
  }

  JitCode& code_;
  const DepthwiseTile& tile_;
  int pixels_, vectors_, kernel_ = 0;
  bool weights_in_registers_ = true;
  std::map<int, std::vector<Tap>> taps_;  ///< by input position, so that each input is loaded once
  int turn_ = 0;
};

}  // namespace

size_t EmitDepthwiseTile(JitCode& code, const DepthwiseTile& tile) { return DepthwiseTileEmitter(code, tile).Emit(); }

}  // namespace tenon::cpu
