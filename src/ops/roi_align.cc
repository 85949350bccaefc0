#include "ops/roi_align.h"

#include <algorithm>
#include <cmath>

#include "ops/gather.h"
#include "ops/shape_rules.h"

// Follows onnx/reference/ops/op_roi_align.py.

namespace tenon {
namespace {

/// More samples per bin and axis only cost time: no feature map has so many elements in a bin.
constexpr double kMaxSamples = 4096;

/// One axis of a ROI: bins of `bin` elements from `start`, each with `samples` samples.
struct RoiAxis {
  double start, bin;
  int64_t samples;
};

RoiAxis MakeAxis(const RoiAlign& op, double low, double high, int64_t bins) {
  const double offset = op.half_pixel ? 0.5 : 0;
  const double scale = static_cast<double>(op.spatial_scale);
  const double start = low * scale - offset;
  double length = high * scale - offset - start;
  if (!op.half_pixel) length = std::max(length, 1.0);
  const double bin = length / static_cast<double>(bins);
  const double samples = op.sampling_ratio > 0 ? static_cast<double>(op.sampling_ratio) : std::max(0.0, std::ceil(bin));
  if (!std::isfinite(start) || !(samples <= kMaxSamples)) ThrowInvalid("RoiAlign: bad ROI {} to {}", low, high);
  return {start, bin, static_cast<int64_t>(samples)};
}

/// The two elements around a coordinate and the weight of the second.
struct Neighbours {
  int64_t low, high;
  double ratio;
};

Neighbours MakeNeighbours(double x, int64_t size) {
  x = std::max(x, 0.0);
  const auto low = std::min(static_cast<int64_t>(x), size - 1);
  return low == size - 1 ? Neighbours{low, low, 0} : Neighbours{low, low + 1, x - static_cast<double>(low)};
}

/// Joins the samples of one bin.
class Pooled {
 public:
  explicit Pooled(RoiPooling pooling) : pooling_(pooling) {}
  void Add(double a, double b, double c, double d) {
    // As in the reference, max takes the largest weighted corner, not the largest interpolated value.
    const double value = pooling_ == RoiPooling::kAverage ? a + b + c + d : std::max({a, b, c, d});
    sum_ = pooling_ == RoiPooling::kAverage ? sum_ + value : (count_ == 0 ? value : std::max(sum_, value));
    ++count_;
  }
  double Result() const {
    return pooling_ == RoiPooling::kAverage && count_ > 0 ? sum_ / static_cast<double>(count_) : sum_;
  }

 private:
  RoiPooling pooling_;
  double sum_ = 0;
  int64_t count_ = 0;
};

double PoolBin(RoiPooling pooling, const double* channel, int64_t height, int64_t width, const RoiAxis& rows,
               const RoiAxis& cols, int64_t bin_row, int64_t bin_col) {
  const auto sample = [](const RoiAxis& axis, int64_t bin, int64_t i) {
    return axis.start +
           (static_cast<double>(bin) + (static_cast<double>(i) + 0.5) / static_cast<double>(axis.samples)) * axis.bin;
  };
  Pooled pooled(pooling);
  for (int64_t i = 0; i < rows.samples; ++i) {
    const double y = sample(rows, bin_row, i);
    for (int64_t j = 0; j < cols.samples; ++j) {
      const double x = sample(cols, bin_col, j);
      if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width))) {
        pooled.Add(0, 0, 0, 0);
        continue;
      }
      const Neighbours v = MakeNeighbours(y, height), h = MakeNeighbours(x, width);
      pooled.Add((1 - v.ratio) * (1 - h.ratio) * channel[v.low * width + h.low],
                 (1 - v.ratio) * h.ratio * channel[v.low * width + h.high],
                 v.ratio * (1 - h.ratio) * channel[v.high * width + h.low],
                 v.ratio * h.ratio * channel[v.high * width + h.high]);
    }
  }
  return pooled.Result();
}

}  // namespace

void RoiAlign::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("pooling", pooling, kRoiPoolingNames);
  visitor.Bool("half_pixel", half_pixel);
  visitor.Int("output_height", output_height);
  visitor.Int("output_width", output_width);
  visitor.Int("sampling_ratio", sampling_ratio);
  visitor.Float("spatial_scale", spatial_scale);
}

std::vector<TensorType> RoiAlign::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 3, 3);
  CheckFloat(kName, inputs, 0);
  CheckSameDType(kName, inputs, 1);
  CheckDType(kName, inputs, 2, {DType::kInt64, DType::kInt32});
  if (output_height < 1 || output_width < 1 || sampling_ratio < 0) {
    ThrowInvalid("RoiAlign: bad output {}x{} or sampling_ratio {}", output_height, output_width, sampling_ratio);
  }
  const DType dtype = inputs[0].type->dtype;
  const Shape *x = KnownShape(inputs, 0), *rois = KnownShape(inputs, 1);
  if (x && (x->size() != 4 || (*x)[2] == 0 || (*x)[3] == 0))
    ThrowInvalid("RoiAlign: {} isn't N x C x H x W", ToString(*x));
  if (!x || !rois) return {UnknownType(dtype)};
  CheckShape(kName, inputs, 1, {rois->empty() ? 0 : rois->front(), 4});
  CheckShape(kName, inputs, 2, {rois->front()});
  return {KnownType(kName, dtype, {rois->front(), (*x)[1], output_height, output_width})};
}

std::vector<Tensor> RoiAlign::Evaluate(std::span<const Tensor> inputs) const {
  const Shape shape = *InferTensors(*this, inputs)[0].shape;
  const std::vector<double> x = ToDoubles(inputs[0]), rois = ToDoubles(inputs[1]);
  const int64_t height = inputs[0].shape()[2], width = inputs[0].shape()[3];
  std::vector<double> values;
  for (int64_t roi = 0; roi < shape[0]; ++roi) {
    const int64_t batch = CheckedIndex(kName, inputs[2].AsInt(roi), inputs[0].shape()[0]);
    const RoiAxis rows = MakeAxis(*this, rois[roi * 4 + 1], rois[roi * 4 + 3], output_height);
    const RoiAxis cols = MakeAxis(*this, rois[roi * 4], rois[roi * 4 + 2], output_width);
    for (int64_t c = 0; c < shape[1]; ++c) {
      const double* channel = x.data() + (batch * shape[1] + c) * height * width;
      for (int64_t bin = 0; bin < output_height * output_width; ++bin) {
        values.push_back(PoolBin(pooling, channel, height, width, rows, cols, bin / output_width, bin % output_width));
      }
    }
  }
  return {FromDoubles(values, inputs[0].dtype(), shape)};
}

}  // namespace tenon
