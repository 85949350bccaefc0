#pragma once
#include "backends/cpu/region_body.h"

namespace tenon::cpu {

/// How the lanes of one access get between memory and the dense arrays that a program's body works on.
enum class Route : uint8_t {
  kDirect,     ///< the body uses memory itself: neighbouring f32
  kBroadcast,  ///< one element for all lanes; loads only
  kStaged,     ///< copied, converted
  kTileLoop,   ///< transposed together with up to 16 steps of the tile loop, whose elements are neighbours
  kTileGroup,  ///< transposed together with the accesses right behind it in memory
};

struct RoutedAccess {
  int operand = 0;
  DType dtype = DType::kFloat32;
  int64_t base = 0;
  std::vector<int64_t> outer_strides;  ///< bytes, one per outer loop
  int64_t tile_stride = 0, lane_stride = 0;
  Route route = Route::kStaged;
  int64_t stage = -1;     ///< first array of the stage, counted in arrays of `block` lanes; -1: needs none
  int group_columns = 0;  ///< kTileGroup: how many accesses the transposition covers; 0: an earlier one covers this
};

/// What a body computes with.
enum class BodyKind : uint8_t { kGenerated, kInterpreted };

/// A nest whose loops are ordered and named: outer loops, at most one tile loop, the lane loop.
struct NestLayout {
  std::vector<int64_t> outer_extents;
  int64_t tile_extent = 1;
  int64_t lane_extent = 1;
  int64_t block = 16;  ///< lanes that the body computes per call, a multiple of kLaneMultiple
  int64_t stage_arrays = 0;
  std::vector<RoutedAccess> loads, stores;
  double lane_cost_ns = 1;  ///< estimated time of one lane of one program
};

/// Steps of the tile loop that are transposed at a time.
inline constexpr int64_t kTileSteps = 16;

/// Chooses the loops' order and the routes from the strides.
NestLayout MakeNestLayout(const Nest& nest, BodyKind kind);

}  // namespace tenon::cpu
