#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace tenon {

/// What an 8-bit image becomes in a tensor: scaled as OpenCV's INTER_LINEAR does it, twice where `first` is not the
/// image's size, and placed on a canvas.
struct ImagePlacement {
  int image_height = 0, image_width = 0;  ///< 3 interleaved bytes a pixel, rows one behind another
  int first_height = 0, first_width = 0;  ///< of the first scaling
  int scaled_height = 0, scaled_width = 0;
  int top = 0, left = 0;  ///< of the scaled image on the canvas
};

/// How bytes become elements, for all images of a model.
struct ImageFormat {
  std::array<int, 3> order = {0, 1, 2};               ///< the byte of a pixel that channel c of the tensor is of
  std::array<std::array<float, 256>, 3> values = {};  ///< by channel of the tensor and byte
  uint8_t border = 0;                                 ///< every byte of the canvas beside the image
};

/// The canvas of a tensor of one image, as planes of floats.
struct FloatCanvas {
  int height = 0, width = 0;
  float* planes = nullptr;  ///< one behind another, rows packed
};

/// The same with one byte an element, the three of a pixel beside each other.
struct ByteCanvas {
  int height = 0, width = 0;
  uint8_t* pixels = nullptr;
  int64_t row_pitch = 0;                                ///< in bytes
  std::array<std::array<uint8_t, 256>, 3> values = {};  ///< by channel of the tensor and byte
};

/// Puts an image that has its size on the canvas already, and the border around it. @param scaled its pixels
void PlaceScaled(const uint8_t* scaled, const ImagePlacement& placement, const ImageFormat& format,
                 const FloatCanvas& canvas);
void PlaceScaled(const uint8_t* scaled, const ImagePlacement& placement, const ImageFormat& format,
                 const ByteCanvas& canvas);

}  // namespace tenon
