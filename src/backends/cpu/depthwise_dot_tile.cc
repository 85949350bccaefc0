#include "backends/cpu/depthwise_dot_tile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <map>

#include "base/error.h"

namespace tenon::cpu {
namespace {

using Xbyak::Label;
using Xbyak::Opmask;
using Xbyak::RegExp;
using Xbyak::Xmm;
using Xbyak::Zmm;

/// Where the four rows of a step begin.
const Xbyak::Reg64 kRows[kRowsPerDot] = {Xbyak::util::rbx, Xbyak::util::rbp, Xbyak::util::r12, Xbyak::util::r13};

class DepthwiseDotEmitter {
 public:
  DepthwiseDotEmitter(JitCode& code, const DepthwiseDotTile& tile)
      : code_(code), tile_(tile), pixels_(tile.shape.pixels), vectors_(tile.shape.vectors) {
    TENON_CHECK(code.is_avx512() && pixels_ * vectors_ + kEpilogueTemps <= code.registers());
    TENON_CHECK(tile.kernel_rows >= 1 && tile.kernel_rows <= kMostDotRows);
    TENON_CHECK(tile.epilogue.sums == Sums::kInteger && tile.start_offsets.size() == static_cast<size_t>(pixels_));
    kernel_ = static_cast<int>(tile.columns.size());
    weights_in_registers_ = FirstWeight() + kernel_ * vectors_ <= code.registers();
    for (int k = 0; k < kernel_; ++k) {
      for (int p = tile.columns[k].begin; p < tile.columns[k].end; ++p)
        taps_[p * tile.stride + k * tile.dilation].push_back({p, k});
    }
  }

  size_t Emit() {
    code_.align(32);
    const size_t offset = code_.getSize();
    code_.Prologue();
    EmitLoadArgs(code_, tile_.shape, tile_.epilogue);
    Label next_tile;
    code_.L(next_tile);
    LoadStarts();
    code_.LoadConst(ZeroPoint(), std::bit_cast<float>(static_cast<uint32_t>(tile_.zero_point) * 0x01010101u));
    code_.vmovups(Gather(), code_.Table(kRowsByQuads));
    for (int first = 0; first < tile_.kernel_rows; first += kRowsPerDot) FourRows(first);
    EmitEpilogue(code_, tile_.shape, tile_.epilogue);
    code_.add(reg::input, Displacement(pixels_ * tile_.stride * tile_.input_pixel_bytes));
    EmitNextTile(code_, tile_.shape, tile_.epilogue, next_tile);
    code_.Epilogue();
    return offset;
  }

 private:
  // From 16 channels of four rows, one row after the other, to four channels of all rows, and then to a lane each.
  static constexpr std::array<uint32_t, 16> kRowsByQuads = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  static constexpr std::array<uint32_t, 16> kBytesByChannel = {
      0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703, 0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703,
      0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703, 0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703};

  struct Tap {
    int pixel, column;
  };

  Xmm Acc(int p, int v) const { return code_.Vec(p * vectors_ + v); }
  Xmm Spare(int i) const { return code_.Vec(pixels_ * vectors_ + i); }
  Xmm ZeroPoint() const { return Spare(0); }
  Xmm Gather() const { return Spare(1); }
  Xmm NextInput() { return Spare(2 + turn_++ % 2); }
  int FirstWeight() const { return pixels_ * vectors_ + 4; }
  static Opmask RowMask(int row) { return Opmask(4 + row % kRowsPerDot); }
  int GroupRows(int first) const { return std::min(kRowsPerDot, tile_.kernel_rows - first); }

  void LoadStarts() {
    code_.mov(reg::temp, code_.ptr[reg::args + static_cast<int>(offsetof(TileArgs, starts))]);
    for (int p = 0; p < pixels_; ++p) {
      for (int v = 0; v < vectors_; ++v)
        code_.vmovups(Acc(p, v),
                      code_.ptr[reg::temp + Displacement(tile_.start_offsets[p] + v * code_.vector_bytes())]);
    }
  }

  void FourRows(int first) {
    for (int row = first; row < first + GroupRows(first); ++row) {
      const int offset = static_cast<int>(offsetof(TileArgs, row_offsets) + row * sizeof(int64_t));
      code_.mov(kRows[row - first], code_.ptr[reg::args + offset]);
      code_.add(kRows[row - first], reg::input);
      LoadMask(offsetof(TileArgs, row_masks), row);
    }
    if (weights_in_registers_) {
      for (int k = 0; k < kernel_; ++k) {
        for (int v = 0; v < vectors_ && !tile_.columns[k].empty(); ++v)
          code_.vmovups(code_.Vec(FirstWeight() + k * vectors_ + v), WeightAt(first, k, v));
      }
    }
    for (const auto& [position, taps] : taps_) {
      for (int v = 0; v < vectors_; ++v) {
        const Xmm input = NextInput();
        LoadRows(input, first, position, v);
        for (const Tap& tap : taps) Dot(first, tap, v, input);
      }
    }
  }

  void Dot(int first, const Tap& tap, int v, const Xmm& input) {
    if (weights_in_registers_) {
      code_.vpdpbusd(Acc(tap.pixel, v), input, code_.Vec(FirstWeight() + tap.column * vectors_ + v));
    } else {
      code_.vpdpbusd(Acc(tap.pixel, v), input, WeightAt(first, tap.column, v));
    }
  }

  Xbyak::Address WeightAt(int first, int column, int v) const {
    const int vector = (first / kRowsPerDot * kernel_ + column) * vectors_ + v;
    return code_.ptr[reg::weights + vector * code_.vector_bytes()];
  }

  void LoadMask(size_t masks, int row) {
    code_.kmovw(RowMask(row), code_.word[reg::args + static_cast<int>(masks + row * sizeof(uint16_t))]);
  }

  /// Four rows of 16 channels, a channel in each lane. Nothing outside of the image or behind the channels is read.
  void LoadRows(const Xmm& to, int first, int position, int v) {
    const bool is_tail = tile_.shape.IsTail(v, code_.lanes());
    const Zmm rows(to.getIdx());
    code_.vmovdqa32(rows, Zmm(ZeroPoint().getIdx()));
    for (int row = first; row < first + GroupRows(first); ++row) {
      const RegExp at =
          kRows[row - first] + Displacement(position * tile_.input_pixel_bytes + int64_t{v} * code_.lanes());
      is_tail ? LoadPartOfRow(rows, row, at) : code_.vbroadcasti32x4(rows | RowMask(row), code_.ptr[at]);
    }
    code_.vpermd(rows, Zmm(Gather().getIdx()), rows);
    code_.vpshufb(rows, rows, code_.Table(kBytesByChannel));
  }

  /// Masks of 32-bit lanes are too coarse for the last channels.
  void LoadPartOfRow(const Zmm& rows, int row, const RegExp& at) {
    const Xmm part(Spare(2 + turn_ % 2).getIdx());  // the other input's: its products are on their way
    LoadMask(offsetof(TileArgs, tail_masks), row);
    code_.vmovdqa32(part, Xmm(ZeroPoint().getIdx()));
    code_.vmovdqu8(part | RowMask(row), code_.ptr[at]);
    code_.vinserti32x4(rows, rows, part, static_cast<uint8_t>(row % kRowsPerDot));
    LoadMask(offsetof(TileArgs, row_masks), row);
  }

  JitCode& code_;
  const DepthwiseDotTile& tile_;
  int pixels_, vectors_, kernel_ = 0;
  bool weights_in_registers_ = true;
  std::map<int, std::vector<Tap>> taps_;  ///< by input position, so that each input is loaded once
  int turn_ = 0;
};

}  // namespace

size_t EmitDepthwiseDotTile(JitCode& code, const DepthwiseDotTile& tile) {
  return DepthwiseDotEmitter(code, tile).Emit();
}

void SetRows(KernelRange rows, int64_t row_bytes, int tail_lanes, TileArgs& args) {
  for (int row = 0; row < kMostDotRows; ++row) {
    const bool is_inside = row >= rows.begin && row < rows.end;
    args.row_masks[row] = static_cast<uint16_t>(is_inside ? 0xf << row % kRowsPerDot * 4 : 0);
    args.tail_masks[row] = static_cast<uint16_t>(is_inside ? (1u << tail_lanes) - 1 : 0);
    // What is masked away is not read, but where it is no memory the processor takes hundreds of cycles to find that
    // out.
    args.row_offsets[row] = rows.size() > 0 ? std::clamp(row, rows.begin, rows.end - 1) * row_bytes : 0;
  }
}

}  // namespace tenon::cpu
