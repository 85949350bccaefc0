#pragma once

namespace tenon {

/// Corners in pixels of whatever image the context says; x2 >= x1 is not promised (models give what they give).
struct Box {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

struct Detection {
  Box box;
  float score = 0;
  int class_id = 0;
};

/// A labelled object as a YOLO label line holds it: centre and size as fractions of the image's sides.
struct Truth {
  int class_id = 0;
  float cx = 0, cy = 0, width = 0, height = 0;
  /// COCO only: the annotation's own left, top, width, height and area in pixels; area < 0 where only labels are known.
  double left_px = 0, top_px = 0, width_px = 0, height_px = 0, area_px = -1;
  bool crowd = false;
};

}  // namespace tenon
