#include <algorithm>

#include "graph_maker.h"
#include "ops/grid_sample.h"
#include "ops/resize.h"
#include "ops/roi_align.h"

namespace tenon::property {
namespace {

bool IsFilledImage(const Value& v) {
  return IsFloatValue(v) && RankOf(v) >= 3 && RankOf(v) <= 5 && ElemCount(v.shape()) > 0;
}

/// Nearest upsampling by 2, as detectors have it.
void MakeUpsample(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFloatValue(v) && RankOf(v) == 4; });
  if (!x) return;
  Resize op;
  op.coordinates = m.Pick({ResizeCoordinates::kAsymmetric, ResizeCoordinates::kHalfPixel});
  op.nearest = m.Pick({NearestRounding::kFloor, NearestRounding::kRoundPreferFloor});
  m.Emit(op, {x, nullptr, m.Constant(Tensor::Of<float>({4}, {1, 1, 2, 2}))});
}

void MakeResize(GraphMaker& m) {
  Value* x = m.Operand(IsFilledImage);
  if (!x) return;
  Resize op;
  op.mode = m.PickEnum<ResizeMode>(kResizeModeNames.size());
  op.coordinates = m.PickEnum<ResizeCoordinates>(kResizeCoordinateNames.size());
  op.nearest = m.PickEnum<NearestRounding>(kNearestRoundingNames.size());
  op.antialias = op.mode != ResizeMode::kNearest && m.OneIn(4);
  op.exclude_outside = m.OneIn(4);
  const int64_t rank = std::ssize(x->shape());
  Value* roi = nullptr;
  if (op.coordinates == ResizeCoordinates::kTfCropAndResize) {
    std::vector<float> bounds(static_cast<size_t>(2 * rank), 0.0f);
    for (int64_t i = 0; i < rank; ++i) {
      bounds[i] = i < 2 ? 0.0f : 0.1f * static_cast<float>(m.Draw(4));
      bounds[rank + i] = i < 2 ? 1.0f : 1.0f - 0.1f * static_cast<float>(m.Draw(4));
    }
    op.extrapolation_value = 0.5f;
    roi = m.Constant(Tensor::Of<float>({2 * rank}, bounds));
  }
  if (m.OneIn(2)) {
    std::vector<int64_t> sizes = x->shape();
    for (int64_t i = 2; i < rank; ++i) sizes[i] = m.DrawIn(1, 9);
    op.policy =
        m.OneIn(4) ? m.PickEnum<AspectRatioPolicy>(kAspectRatioPolicyNames.size()) : AspectRatioPolicy::kStretch;
    m.Emit(op, {x, roi, nullptr, m.Ints(sizes)});
  } else {
    std::vector<float> scales(static_cast<size_t>(rank), 1.0f);
    const float scale = m.Pick({2.0f, 1.0f, 0.5f, 1.5f, 3.0f, 0.7f});
    for (int64_t i = 2; i < rank; ++i) scales[i] = m.OneIn(5) ? m.Pick({1.0f, 2.0f, 0.6f}) : scale;
    m.Emit(op, {x, roi, m.Constant(Tensor::Of<float>({rank}, scales))});
  }
}

void MakeGridSample(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFilledImage(v) && IsFloat32(v); });
  if (!x) return;
  GridSample op;
  op.mode = m.PickEnum<GridMode>(kGridModeNames.size());
  op.padding = m.PickEnum<GridPadding>(kGridPaddingNames.size());
  op.align_corners = m.OneIn(2);
  const int64_t spatial = std::ssize(x->shape()) - 2;
  Shape grid = {x->shape()[0]};
  for (int64_t i = 0; i < spatial; ++i) grid.push_back(m.DrawIn(1, 4));
  grid.push_back(spatial);
  m.Emit(op, {x, m.RandomParameter(DType::kFloat32, grid, 0.6)});
}

void MakeAffineGrid(GraphMaker& m) {
  const int64_t spatial = m.DrawIn(2, 3), batch = m.DrawIn(1, 2);
  std::vector<int64_t> size = {batch, 3};
  for (int64_t i = 0; i < spatial; ++i) size.push_back(m.DrawIn(1, 4));
  AffineGrid op;
  op.align_corners = m.OneIn(2);
  m.Emit(op, {m.RandomParameter(DType::kFloat32, {batch, spatial, spatial + 1}), m.Ints(size)});
}

void MakeRoiAlign(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFilledImage(v) && IsFloat32(v) && RankOf(v) == 4; });
  if (!x) return;
  RoiAlign op;
  op.pooling = m.PickEnum<RoiPooling>(2);
  op.half_pixel = !m.OneIn(2);
  op.output_height = m.DrawIn(1, 3);
  op.output_width = m.DrawIn(1, 3);
  op.sampling_ratio = m.DrawIn(0, 2);
  op.spatial_scale = m.Pick({1.0f, 0.5f});
  const int64_t rois = m.DrawIn(0, 3);
  const Tensor data = m.Random(DType::kFloat32, {rois, 4});
  Tensor boxes(DType::kFloat32, {rois, 4});
  for (int64_t i = 0; i < boxes.elems(); ++i)
    boxes.data<float>()[i] = std::abs(data.data<float>()[i]) + static_cast<float>(i % 4 / 2 * 3);
  const Tensor batch = RandomData({DType::kInt64, Shape{rois}}, rois, DataStyle::kReal, 0, x->shape()[0] - 1);
  m.Emit(op, {x, m.Constant(boxes), m.Constant(batch)});
}

}  // namespace

std::span<const Maker> SampleMakers() {
  static const Maker makers[] = {
      {"Upsample", MakeUpsample, 4},     {"Resize", MakeResize, 3},     {"GridSample", MakeGridSample, 1},
      {"AffineGrid", MakeAffineGrid, 1}, {"RoiAlign", MakeRoiAlign, 1},
  };
  return makers;
}

}  // namespace tenon::property
