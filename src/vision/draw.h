#pragma once
#include <array>
#include <span>
#include <string>
#include <vector>

#include "vision/box.h"
#include "vision/image.h"

namespace tenon {

/// B, G, R; the same for a class in every image and run, neighbours well apart.
std::array<uint8_t, 3> ClassColor(int class_id);

/// Draws boxes (image pixels) with "name 0.87" on a filled label; lines and letters grow with the image, labels stay
/// inside it. Characters that the font lacks (it is ASCII only) are drawn as "?".
void DrawDetections(Image& image, std::span<const Detection> detections, const std::vector<std::string>& names);

}  // namespace tenon
