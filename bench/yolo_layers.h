#pragma once
#include <algorithm>
#include <string>
#include <vector>

namespace tenon::cpu {

/// A convolution of a square image, padded by half its kernel.
struct Layer {
  std::string name;
  int ic = 0, oc = 0, size = 0, kernel = 1, stride = 1;  ///< size of the input
  int count = 1;                                         ///< in the network
  bool head = false;                                     ///< no activation, FP32 output
  bool residual = false;                                 ///< adds a tensor
};

/// The 63 convolutions of YOLOv8 at 640x640, equal ones joined: width 16 is yolov8n, 32 is yolov8s.
class YoloV8Layers {
 public:
  static std::vector<Layer> Make(int width) {
    YoloV8Layers net;
    net.Build(width, 2 * width, 4 * width, 8 * width, 16 * width);
    return net.layers_;
  }

 private:
  void Build(int w0, int w1, int w2, int w3, int w4) {
    Add({"stem", 3, w0, 640, 3, 2});
    Add({"down", w0, w1, 320, 3, 2});
    Stage(w1, w1, 160, 1, true);
    Add({"down", w1, w2, 160, 3, 2});
    Stage(w2, w2, 80, 2, true);
    Add({"down", w2, w3, 80, 3, 2});
    Stage(w3, w3, 40, 2, true);
    Add({"down", w3, w4, 40, 3, 2});
    Stage(w4, w4, 20, 1, true);
    Add({"1x1", w4, w4 / 2, 20});
    Add({"1x1", w4 * 2, w4, 20});
    Stage(w4 + w3, w3, 40, 1, false);
    Stage(w3 + w2, w2, 80, 1, false);
    Add({"down", w2, w2, 80, 3, 2});
    Stage(w2 + w3, w3, 40, 1, false);
    Add({"down", w3, w3, 40, 3, 2});
    Stage(w3 + w4, w4, 20, 1, false);
    Head(w2, 80, std::max(w2, 80));
    Head(w3, 40, std::max(w2, 80));
    Head(w4, 20, std::max(w2, 80));
  }

  void Stage(int ic, int oc, int size, int repeats, bool residual) {
    Add({"1x1", ic, oc, size});
    for (int i = 0; i < repeats; ++i) {
      Add({"3x3", oc / 2, oc / 2, size, 3});
      Add({"3x3", oc / 2, oc / 2, size, 3, 1, 1, false, residual});
    }
    Add({"1x1", (2 + repeats) * oc / 2, oc, size});
  }

  void Head(int ic, int size, int classes) {
    Add({"3x3", ic, 64, size, 3});
    Add({"3x3", 64, 64, size, 3});
    Add({"head", 64, 64, size, 1, 1, 1, true});
    Add({"3x3", ic, classes, size, 3});
    Add({"3x3", classes, classes, size, 3});
    Add({"head", classes, 80, size, 1, 1, 1, true});
  }

  void Add(Layer layer) {
    const auto is_equal = [&](const Layer& other) {
      return other.ic == layer.ic && other.oc == layer.oc && other.size == layer.size && other.kernel == layer.kernel &&
             other.stride == layer.stride && other.head == layer.head && other.residual == layer.residual;
    };
    const auto known = std::find_if(layers_.begin(), layers_.end(), is_equal);
    known == layers_.end() ? layers_.push_back(std::move(layer)) : void(++known->count);
  }

  std::vector<Layer> layers_;
};

}  // namespace tenon::cpu
