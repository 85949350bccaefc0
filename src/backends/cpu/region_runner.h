#pragma once
#include <memory>
#include <span>

#include "backends/cpu/region_body.h"
#include "backends/cpu/region_layout.h"
#include "backends/cpu/tile_transpose.h"

namespace tenon::cpu {

/// Runs one nest: walks its loops in blocks of lanes, brings operands to the body and results to memory.
class NestRunner {
 public:
  NestRunner(NestLayout layout, std::unique_ptr<RegionBody> body, BodyKind kind, TileTranspose transpose);

  /// Blocks in all; Run takes any range of them.
  int64_t blocks() const { return outer_count_ * lane_blocks_ * tile_blocks_; }
  double block_cost_ns() const;
  size_t scratch_bytes() const;
  /// `operands`: the region's inputs and the plan's constants. Scratch is 64-byte aligned.
  void Run(std::span<const std::byte* const> operands, std::byte* const* outputs, int64_t begin, int64_t end,
           std::byte* scratch) const;

 private:
  struct Block;
  /// Where a block begins.
  struct Position {
    int64_t tile = 0, lane = 0;
    std::vector<int64_t> outer;
  };
  Position Locate(int64_t block) const;
  void Advance(Position& position, std::byte** rows) const;
  int64_t RowOffset(const RoutedAccess& access, const Position& position) const;
  const RoutedAccess& AccessAt(size_t i) const {
    return i < layout_.loads.size() ? layout_.loads[i] : layout_.stores[i - layout_.loads.size()];
  }
  void RunBlock(const Block& block) const;
  void RunStep(const Block& block, int64_t step) const;
  void RunTail(const Block& block, int64_t step, std::byte** arrays) const;
  std::byte* StageOf(const Block& block, const RoutedAccess& access, int64_t step) const;

  NestLayout layout_;
  std::unique_ptr<RegionBody> body_;
  BodyKind kind_;
  TileTranspose transpose_;
  int64_t outer_count_ = 1, lane_blocks_ = 1, tile_blocks_ = 1;
  int64_t array_bytes_ = 0;
};

}  // namespace tenon::cpu
