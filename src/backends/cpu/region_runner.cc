#include "backends/cpu/region_runner.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/region_staging.h"

namespace tenon::cpu {
namespace {

size_t AlignUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

/// One block of lanes, for some steps of the tile loop.
struct NestRunner::Block {
  std::byte** addresses;  ///< of each load, then of each store: lane 0, tile step 0 of the block
  std::byte** arrays;     ///< what the body gets
  std::byte** rows;       ///< of each access: lane 0, tile step 0 of the nest
  std::byte* stage;
  std::byte* body_scratch;
  int64_t lanes = 0, steps = 0;
};

NestRunner::NestRunner(NestLayout layout, std::unique_ptr<RegionBody> body, BodyKind kind, TileTranspose transpose)
    : layout_(std::move(layout)), body_(std::move(body)), kind_(kind), transpose_(transpose) {
  outer_count_ = ElemCount(layout_.outer_extents);
  lane_blocks_ = (layout_.lane_extent + layout_.block - 1) / layout_.block;
  tile_blocks_ = (layout_.tile_extent + kTileSteps - 1) / kTileSteps;
  array_bytes_ = layout_.block * (kind == BodyKind::kGenerated ? 4 : 8);
}

double NestRunner::block_cost_ns() const {
  const int64_t lanes = std::min(layout_.block, layout_.lane_extent);
  const int64_t steps = std::min(kTileSteps, layout_.tile_extent);
  return layout_.lane_cost_ns * static_cast<double>(lanes * steps);
}

size_t NestRunner::scratch_bytes() const {
  const size_t accesses = layout_.loads.size() + layout_.stores.size();
  return AlignUp(3 * accesses * sizeof(std::byte*)) +
         AlignUp(static_cast<size_t>(layout_.stage_arrays * array_bytes_)) +
         AlignUp(body_->scratch_bytes(layout_.block));
}

void NestRunner::Run(std::span<const std::byte* const> operands, std::byte* const* outputs, int64_t begin, int64_t end,
                     std::byte* scratch) const {
  const size_t loads = layout_.loads.size(), accesses = loads + layout_.stores.size();
  Block block{};
  block.addresses = reinterpret_cast<std::byte**>(scratch);
  block.arrays = block.addresses + accesses;
  block.rows = block.arrays + accesses;
  block.stage = scratch + AlignUp(3 * accesses * sizeof(std::byte*));
  block.body_scratch = block.stage + AlignUp(static_cast<size_t>(layout_.stage_arrays * array_bytes_));
  Position position = Locate(begin);
  for (size_t a = 0; a < accesses; ++a) {
    std::byte* operand = a < loads ? const_cast<std::byte*>(operands[static_cast<size_t>(layout_.loads[a].operand)])
                                   : outputs[layout_.stores[a - loads].operand];
    block.rows[a] = operand + RowOffset(AccessAt(a), position);
  }
  for (int64_t i = begin; i < end; ++i) {
    for (size_t a = 0; a < accesses; ++a) {
      const RoutedAccess& access = AccessAt(a);
      block.addresses[a] = block.rows[a] + position.tile * access.tile_stride + position.lane * access.lane_stride;
    }
    block.lanes = std::min(layout_.block, layout_.lane_extent - position.lane);
    block.steps = std::min(kTileSteps, layout_.tile_extent - position.tile);
    RunBlock(block);
    Advance(position, block.rows);
  }
}

NestRunner::Position NestRunner::Locate(int64_t block) const {
  Position position{.tile = block % tile_blocks_ * kTileSteps,
                    .lane = block / tile_blocks_ % lane_blocks_ * layout_.block};
  int64_t outer = block / tile_blocks_ / lane_blocks_;
  position.outer.resize(layout_.outer_extents.size());
  for (size_t l = position.outer.size(); l-- > 0;) {
    position.outer[l] = outer % layout_.outer_extents[l];
    outer /= layout_.outer_extents[l];
  }
  return position;
}

int64_t NestRunner::RowOffset(const RoutedAccess& access, const Position& position) const {
  int64_t offset = access.base;
  for (size_t l = 0; l < position.outer.size(); ++l) offset += position.outer[l] * access.outer_strides[l];
  return offset;
}

/// To the next block: tile steps first, so that lines of cache that tiles share are still there.
void NestRunner::Advance(Position& position, std::byte** rows) const {
  if ((position.tile += kTileSteps) < layout_.tile_extent) return;
  position.tile = 0;
  if ((position.lane += layout_.block) < layout_.lane_extent) return;
  position.lane = 0;
  const size_t accesses = layout_.loads.size() + layout_.stores.size();
  for (size_t l = position.outer.size(); l-- > 0;) {
    const bool wraps = ++position.outer[l] == layout_.outer_extents[l];
    const int64_t steps = wraps ? 1 - layout_.outer_extents[l] : 1;
    for (size_t a = 0; a < accesses; ++a) rows[a] += steps * AccessAt(a).outer_strides[l];
    if (!wraps) return;
    position.outer[l] = 0;
  }
}

std::byte* NestRunner::StageOf(const Block& block, const RoutedAccess& access, int64_t step) const {
  return block.stage + (access.stage + (access.route == Route::kTileLoop ? step : 0)) * array_bytes_;
}

void NestRunner::RunBlock(const Block& block) const {
  const size_t loads = layout_.loads.size();
  const int64_t pitch = array_bytes_ / static_cast<int64_t>(sizeof(float));
  const auto view = [&](const RoutedAccess& access) {
    return TileView{access.dtype, access.lane_stride, block.lanes, static_cast<int>(block.steps)};
  };
  for (size_t a = 0; a < loads; ++a) {
    const RoutedAccess& load = layout_.loads[a];
    if (load.route != Route::kTileLoop) continue;
    transpose_.load(view(load), block.addresses[a], reinterpret_cast<float*>(StageOf(block, load, 0)), pitch);
  }
  for (int64_t step = 0; step < block.steps; ++step) RunStep(block, step);
  for (size_t s = 0; s < layout_.stores.size(); ++s) {
    const RoutedAccess& store = layout_.stores[s];
    if (store.route != Route::kTileLoop) continue;
    transpose_.store(view(store), block.addresses[loads + s], reinterpret_cast<const float*>(StageOf(block, store, 0)),
                     pitch);
  }
}

void NestRunner::RunStep(const Block& block, int64_t step) const {
  const size_t loads = layout_.loads.size();
  const int64_t pitch = array_bytes_ / static_cast<int64_t>(sizeof(float));
  const auto as_floats = [&](DType dtype) { return kind_ == BodyKind::kGenerated || IsFloat(dtype); };
  for (size_t a = 0; a < loads; ++a) {
    const RoutedAccess& load = layout_.loads[a];
    const std::byte* from = block.addresses[a] + step * load.tile_stride;
    std::byte* stage = StageOf(block, load, step);
    block.arrays[a] = stage;
    const bool is_staged = step > 0 && load.tile_stride == 0;
    if (load.route == Route::kDirect || (load.route == Route::kBroadcast && load.dtype == DType::kFloat32)) {
      block.arrays[a] = const_cast<std::byte*>(from);
    } else if (is_staged || load.route == Route::kTileLoop) {
      continue;
    } else if (load.route == Route::kTileGroup) {
      if (load.group_columns == 0) continue;
      transpose_.load({load.dtype, load.lane_stride, block.lanes, load.group_columns}, from,
                      reinterpret_cast<float*>(stage), pitch);
    } else {
      const int64_t count = load.route == Route::kBroadcast ? 1 : block.lanes;
      as_floats(load.dtype) ? StageFloats(load.dtype, from, load.lane_stride, count, reinterpret_cast<float*>(stage))
                            : StageInts(load.dtype, from, load.lane_stride, count, reinterpret_cast<int64_t*>(stage));
    }
  }
  for (size_t s = 0; s < layout_.stores.size(); ++s) {
    const RoutedAccess& store = layout_.stores[s];
    block.arrays[loads + s] = store.route == Route::kDirect ? block.addresses[loads + s] + step * store.tile_stride
                                                            : StageOf(block, store, step);
  }
  // Generated code computes whole vectors: the last, partial one must not touch memory beyond the operands.
  const int64_t whole = kind_ == BodyKind::kGenerated ? block.lanes / kLaneMultiple * kLaneMultiple : block.lanes;
  if (whole > 0) body_->Run(block.arrays, whole, block.body_scratch);
  if (whole < block.lanes) RunTail(block, step, block.arrays);
  for (size_t s = 0; s < layout_.stores.size(); ++s) {
    const RoutedAccess& store = layout_.stores[s];
    std::byte* to = block.addresses[loads + s] + step * store.tile_stride;
    const std::byte* stage = StageOf(block, store, step);
    if (store.route == Route::kTileGroup && store.group_columns > 0) {
      transpose_.store({store.dtype, store.lane_stride, block.lanes, store.group_columns}, to,
                       reinterpret_cast<const float*>(stage), pitch);
    } else if (store.route == Route::kStaged) {
      as_floats(store.dtype)
          ? UnstageFloats(store.dtype, reinterpret_cast<const float*>(stage), block.lanes, to, store.lane_stride)
          : UnstageInts(store.dtype, reinterpret_cast<const int64_t*>(stage), block.lanes, to, store.lane_stride);
    }
  }
}

/// The lanes behind the last whole vector, by the same code on copies.
void NestRunner::RunTail(const Block& block, int64_t step, std::byte** arrays) const {
  const size_t loads = layout_.loads.size();
  const int64_t whole = block.lanes / kLaneMultiple * kLaneMultiple;
  const auto tail_bytes = static_cast<size_t>(block.lanes - whole) * sizeof(float);
  for (size_t a = 0; a < loads; ++a) {
    const RoutedAccess& load = layout_.loads[a];
    if (load.route == Route::kBroadcast) continue;
    arrays[a] += whole * static_cast<int64_t>(sizeof(float));
    if (load.route != Route::kDirect) continue;
    std::byte* stage = StageOf(block, load, step);
    std::memset(stage, 0, kLaneMultiple * sizeof(float));
    std::memcpy(stage, arrays[a], tail_bytes);
    arrays[a] = stage;
  }
  for (size_t s = 0; s < layout_.stores.size(); ++s) {
    std::byte*& array = arrays[loads + s];
    array = layout_.stores[s].route == Route::kDirect ? StageOf(block, layout_.stores[s], step)
                                                      : array + whole * static_cast<int64_t>(sizeof(float));
  }
  body_->Run(arrays, kLaneMultiple, block.body_scratch);
  for (size_t s = 0; s < layout_.stores.size(); ++s) {
    const RoutedAccess& store = layout_.stores[s];
    if (store.route != Route::kDirect) continue;
    std::memcpy(block.addresses[loads + s] + step * store.tile_stride + whole * store.lane_stride, arrays[loads + s],
                tail_bytes);
  }
}

}  // namespace tenon::cpu
