#include "quantize/patch_moments.h"

#include <algorithm>

#include "base/error.h"

namespace tenon {
namespace {

/// Patches that are added at once: a sum is loaded and stored once for all of them.
constexpr size_t kTogether = 8;

int64_t Volume(const std::array<int64_t, 3>& sizes) { return sizes[0] * sizes[1] * sizes[2]; }

}  // namespace

PatchMoments::PatchMoments(const Conv& conv, const Shape& input, const Shape& weights, const Shape& output)
    : window_(Window::Make(Conv::kName, {weights.begin() + 2, weights.end()}, conv.strides, conv.dilations, conv.pads)
                  .As3D()),
      in_(SpatialAs3D(input)),
      out_(SpatialAs3D(output)),
      images_(input[0]),
      groups_(conv.groups),
      channels_(weights[1]),
      taps_(window_[0].kernel * window_[1].kernel * window_[2].kernel),
      products_(static_cast<size_t>(HeldElems(conv, weights))),
      sums_(static_cast<size_t>(groups_ * patch_size())) {}

int64_t PatchMoments::HeldElems(const Conv& conv, const Shape& weights) {
  const int64_t patch = ElemCount(weights) / weights[0];
  return conv.groups * patch * patch;
}

void PatchMoments::Gather(std::span<const float> image, int64_t group, int64_t pixel, std::span<float> patch) const {
  const std::array<int64_t, 3> at = {pixel / (out_[1] * out_[2]), pixel / out_[2] % out_[1], pixel % out_[2]};
  const auto place = [&](int axis, int64_t tap) {
    return at[axis] * window_[axis].stride + tap * window_[axis].dilation - window_[axis].pad_begin;
  };
  const auto outside = [&](int axis, int64_t i) { return i < 0 || i >= in_[axis]; };
  size_t to = 0;
  for (int64_t c = 0; c < channels_; ++c) {
    const float* plane = image.data() + (group * channels_ + c) * Volume(in_);
    for (int64_t kd = 0; kd < window_[0].kernel; ++kd) {
      for (int64_t kh = 0; kh < window_[1].kernel; ++kh) {
        for (int64_t kw = 0; kw < window_[2].kernel; ++kw) {
          const int64_t d = place(0, kd), h = place(1, kh), w = place(2, kw);
          const bool is_padding = outside(0, d) || outside(1, h) || outside(2, w);
          patch[to++] = is_padding ? 0 : plane[(d * in_[1] + h) * in_[2] + w];
        }
      }
    }
  }
}

void PatchMoments::AddProducts(int64_t group, std::span<const float> patches) {
  const auto size = static_cast<size_t>(patch_size());
  float* const first = products_.data() + static_cast<size_t>(group) * size * size;
  for (size_t i = 0; i < size; ++i) {
    std::array<float, kTogether> factor;
    for (size_t p = 0; p < kTogether; ++p) factor[p] = patches[p * size + i];
    float* row = first + i * size;
    const float* from = patches.data();
    for (size_t j = i; j < size; ++j) {
      float sum = row[j];
      for (size_t p = 0; p < kTogether; ++p) sum += factor[p] * from[p * size + j];
      row[j] = sum;
    }
  }
}

void PatchMoments::Add(std::span<const float> x, int64_t pixels_per_image) {
  const int64_t pixels = Volume(out_), used = std::min(pixels, pixels_per_image);
  const auto size = static_cast<size_t>(patch_size());
  const size_t image_size = x.size() / static_cast<size_t>(images_);
  std::vector<float> patches(kTogether * size);
  for (int64_t n = 0; n < images_; ++n) {
    const auto image = x.subspan(static_cast<size_t>(n) * image_size, image_size);
    for (int64_t group = 0; group < groups_; ++group) {
      for (int64_t begin = 0; begin < used; begin += kTogether) {
        std::fill(patches.begin(), patches.end(), 0.0f);
        for (int64_t i = begin; i < std::min<int64_t>(used, begin + kTogether); ++i) {
          const auto patch = std::span(patches).subspan(static_cast<size_t>(i - begin) * size, size);
          Gather(image, group, i * pixels / used, patch);
          for (size_t k = 0; k < size; ++k) sums_[static_cast<size_t>(group) * size + k] += patch[k];
        }
        AddProducts(group, patches);
      }
    }
  }
  count_ += images_ * used;
}

std::vector<double> PatchMoments::Mean(int64_t group) const {
  const auto size = static_cast<size_t>(patch_size());
  std::vector<double> mean(size);
  for (size_t i = 0; i < size && count_ > 0; ++i)
    mean[i] = sums_[static_cast<size_t>(group) * size + i] / static_cast<double>(count_);
  return mean;
}

std::vector<float> PatchMoments::Covariance(int64_t group) const {
  const auto size = static_cast<size_t>(patch_size());
  const std::vector<double> mean = Mean(group);
  const float* products = products_.data() + static_cast<size_t>(group) * size * size;
  std::vector<float> covariance(size * size);
  for (size_t i = 0; i < size && count_ > 0; ++i) {
    for (size_t j = i; j < size; ++j) {
      const double product = static_cast<double>(products[i * size + j]) / static_cast<double>(count_);
      covariance[i * size + j] = covariance[j * size + i] = static_cast<float>(product - mean[i] * mean[j]);
    }
  }
  return covariance;
}

}  // namespace tenon
