#include "backends/cpu/region_layout.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "backends/cpu/region_body.h"
#include "backends/cpu/tile_transpose.h"

namespace tenon::cpu {
namespace {

/// Bytes of staged arrays at a time: they and the body's spills stay in the first-level cache.
constexpr int64_t kStageBytes = 20 << 10;
constexpr int64_t kMostLanes = 2048, kMostInterpretedLanes = 128;

bool IsTileType(DType dtype, BodyKind kind) {
  return dtype == DType::kFloat32 || dtype == DType::kBFloat16 ||
         (dtype == DType::kUInt8 && kind == BodyKind::kGenerated);
}

class LayoutMaker {
 public:
  LayoutMaker(const Nest& nest, BodyKind kind) : nest_(nest), kind_(kind), extents_(nest.extents) {
    for (const Access& load : nest.program.loads) accesses_.push_back(load);
    for (const Store& store : nest.program.stores) accesses_.push_back(store.access);
  }

  NestLayout Run() {
    if (extents_.empty()) AddLoop();
    SortLoops();
    MergeLoops();
    ChooseLoops();
    Route();
    return std::move(layout_);
  }

 private:
  bool IsStore(size_t access) const { return access >= nest_.program.loads.size(); }
  int64_t Size(size_t access) const { return SizeOf(accesses_[access].dtype); }
  int64_t Stride(size_t access, size_t loop) const { return accesses_[access].offset.terms[loop]; }
  bool IsUnit(size_t access, size_t loop) const { return Stride(access, loop) == Size(access); }

  void AddLoop() {
    extents_.push_back(1);
    for (Access& access : accesses_) access.offset.terms.push_back(0);
  }

  void RemoveLoop(size_t loop) {
    extents_.erase(extents_.begin() + static_cast<int64_t>(loop));
    for (Access& access : accesses_)
      access.offset.terms.erase(access.offset.terms.begin() + static_cast<int64_t>(loop));
  }

  /// Outermost first, as the first output lies in memory.
  void SortLoops() {
    const Affine& store = accesses_[nest_.program.loads.size()].offset;
    std::vector<size_t> order(extents_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return std::abs(store.terms[a]) > std::abs(store.terms[b]); });
    const auto permute = [&](std::vector<int64_t>& values) {
      std::vector<int64_t> sorted;
      for (const size_t from : order) sorted.push_back(values[from]);
      values = std::move(sorted);
    };
    permute(extents_);
    for (Access& access : accesses_) permute(access.offset.terms);
  }

  /// Two loops that every access walks as one become one.
  void MergeLoops() {
    for (size_t outer = 0; outer + 1 < extents_.size();) {
      const bool is_one = std::all_of(accesses_.begin(), accesses_.end(), [&](const Access& access) {
        return access.offset.terms[outer] == access.offset.terms[outer + 1] * extents_[outer + 1];
      });
      if (!is_one) {
        ++outer;
        continue;
      }
      extents_[outer + 1] *= extents_[outer];
      RemoveLoop(outer);
    }
  }

  /// The loop whose neighbouring steps are neighbours in the access, if it can be the tile loop under these lanes.
  size_t BestTileLoop(size_t lane) const {
    size_t best = extents_.size();
    int64_t best_votes = 0;
    for (size_t loop = 0; loop < extents_.size(); ++loop) {
      int64_t votes = 0;
      for (size_t a = 0; a < accesses_.size(); ++a) votes += loop != lane && WantsTile(a, loop, lane);
      if (votes > best_votes) best = loop, best_votes = votes;
    }
    return best;
  }

  bool WantsTile(size_t access, size_t loop, size_t lane) const {
    return loop < extents_.size() && IsTileType(accesses_[access].dtype, kind_) && IsUnit(access, loop) &&
           !IsUnit(access, lane) && Stride(access, lane) != 0;
  }

  /// Relative time per element when `lane` is the lane loop.
  double Cost(size_t lane) const {
    const size_t tile = BestTileLoop(lane);
    double per_lane = 0.5 * static_cast<double>(nest_.program.instrs.size());
    for (size_t a = 0; a < accesses_.size(); ++a) {
      if (IsUnit(a, lane)) {
        per_lane += 1;
      } else if (Stride(a, lane) == 0 && !IsStore(a)) {
        per_lane += 0.2;
      } else if (WantsTile(a, tile, lane)) {
        per_lane += 2;
      } else {
        per_lane += Groupable(a, lane) ? 3 : 12;
      }
    }
    const auto extent = static_cast<double>(extents_[lane]);
    const auto vectors = static_cast<double>((extents_[lane] + kLaneMultiple - 1) / kLaneMultiple);
    const double per_call = 8.0 * static_cast<double>(4 + accesses_.size());
    return per_lane * vectors * static_cast<double>(kLaneMultiple) / extent + per_call / std::min(extent, 512.0);
  }

  /// Another access lies right before or behind this one.
  bool Groupable(size_t access, size_t lane) const {
    if (!IsTileType(accesses_[access].dtype, kind_) || Stride(access, lane) == 0) return false;
    for (const size_t neighbour : {access - 1, access + 1}) {
      if (neighbour < accesses_.size() && IsStore(neighbour) == IsStore(access) &&
          std::abs(accesses_[neighbour].offset.constant - accesses_[access].offset.constant) == Size(access) &&
          accesses_[neighbour].offset.terms == accesses_[access].offset.terms) {
        return true;
      }
    }
    return false;
  }

  void ChooseLoops() {
    size_t lane = 0;
    for (size_t loop = 1; loop < extents_.size(); ++loop) {
      if (Cost(loop) <= Cost(lane)) lane = loop;
    }
    const size_t tile = BestTileLoop(lane);
    layout_.lane_extent = extents_[lane];
    layout_.tile_extent = tile < extents_.size() ? extents_[tile] : 1;
    layout_.lane_cost_ns = 0.12 * Cost(lane) * (kind_ == BodyKind::kInterpreted ? 15 : 1);
    for (size_t loop = 0; loop < extents_.size(); ++loop) {
      if (loop != lane && loop != tile) layout_.outer_extents.push_back(extents_[loop]);
    }
    for (size_t a = 0; a < accesses_.size(); ++a) {
      RoutedAccess routed{
          .operand = accesses_[a].operand, .dtype = accesses_[a].dtype, .base = accesses_[a].offset.constant};
      for (size_t loop = 0; loop < extents_.size(); ++loop) {
        if (loop != lane && loop != tile) routed.outer_strides.push_back(Stride(a, loop));
      }
      routed.lane_stride = Stride(a, lane);
      routed.tile_stride = tile < extents_.size() ? Stride(a, tile) : 0;
      if (WantsTile(a, tile, lane)) {
        routed.route = Route::kTileLoop;
      } else if (routed.lane_stride == 0 && !IsStore(a) && kind_ == BodyKind::kGenerated) {
        routed.route = Route::kBroadcast;
      } else if (kind_ == BodyKind::kGenerated && routed.dtype == DType::kFloat32 && routed.lane_stride == 4) {
        routed.route = Route::kDirect;
      }
      (IsStore(a) ? layout_.stores : layout_.loads).push_back(std::move(routed));
    }
  }

  void Route() {
    GroupTiles(layout_.loads);
    GroupTiles(layout_.stores);
    for (auto* accesses : {&layout_.loads, &layout_.stores}) {
      for (RoutedAccess& access : *accesses) {
        if (access.stage >= 0) continue;
        access.stage = layout_.stage_arrays;
        layout_.stage_arrays += access.route == Route::kTileLoop ? std::min(kTileSteps, layout_.tile_extent) : 1;
      }
    }
    // Arrays of direct accesses hold only the last, partial vector.
    int64_t full_arrays = 0;
    for (const auto* accesses : {&layout_.loads, &layout_.stores}) {
      for (const RoutedAccess& access : *accesses) {
        if (access.route == Route::kTileLoop) full_arrays += std::min(kTileSteps, layout_.tile_extent);
        if (access.route == Route::kStaged || access.route == Route::kTileGroup) ++full_arrays;
      }
    }
    const int64_t elem_bytes = kind_ == BodyKind::kGenerated ? 4 : 8;
    const int64_t most = kind_ == BodyKind::kGenerated ? kMostLanes : kMostInterpretedLanes;
    const int64_t fitting =
        full_arrays == 0 ? most : kStageBytes / elem_bytes / full_arrays / kLaneMultiple * kLaneMultiple;
    const int64_t whole = (layout_.lane_extent + kLaneMultiple - 1) / kLaneMultiple * kLaneMultiple;
    layout_.block = std::clamp(std::min(fitting, whole), kLaneMultiple, most);
  }

  /// Finds strided accesses that follow one another in memory; their arrays follow one another in the stage.
  void GroupTiles(std::vector<RoutedAccess>& accesses) {
    std::vector<size_t> order;
    for (size_t i = 0; i < accesses.size(); ++i) {
      const RoutedAccess& access = accesses[i];
      const bool is_strided = access.lane_stride != 0 && access.lane_stride != SizeOf(access.dtype);
      if (access.route == Route::kStaged && IsTileType(access.dtype, kind_) && is_strided) order.push_back(i);
    }
    const auto key = [&](size_t i) {
      const RoutedAccess& a = accesses[i];
      return std::tie(a.operand, a.lane_stride, a.tile_stride, a.outer_strides, a.base);
    };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
    for (size_t begin = 0; begin < order.size();) {
      size_t end = begin + 1;
      while (end < order.size() && end - begin < kTileColumns &&
             Follows(accesses[order[end - 1]], accesses[order[end]]))
        ++end;
      if (end - begin > 1) {
        for (size_t i = begin; i < end; ++i) {
          RoutedAccess& access = accesses[order[i]];
          access.route = Route::kTileGroup;
          access.stage = layout_.stage_arrays++;
        }
        accesses[order[begin]].group_columns = static_cast<int>(end - begin);
      }
      begin = end;
    }
  }

  static bool Follows(const RoutedAccess& a, const RoutedAccess& b) {
    return a.operand == b.operand && a.dtype == b.dtype && a.lane_stride == b.lane_stride &&
           a.tile_stride == b.tile_stride && a.outer_strides == b.outer_strides && a.base + SizeOf(a.dtype) == b.base;
  }

  const Nest& nest_;
  BodyKind kind_;
  std::vector<int64_t> extents_;
  std::vector<Access> accesses_;
  NestLayout layout_;
};

}  // namespace

NestLayout MakeNestLayout(const Nest& nest, BodyKind kind) { return LayoutMaker(nest, kind).Run(); }

}  // namespace tenon::cpu
