// Runs an engine with Tenon's public header alone: detect ENGINE [INPUT.f32]
// INPUT.f32: the first input's elements as raw little-endian float32 (an image as 1 x 3 x H x W, RGB, 0 to 1); without
// it the input is zeros. Prints each output and, of a YOLO head's boxes, the best one.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "tenon/tenon.hpp"

namespace {

int64_t ElemCount(const tenon::Shape& shape) {
  int64_t elems = 1;
  for (const int64_t size : shape) elems *= size;
  return elems;
}

std::string ToString(const tenon::Shape& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

std::vector<float> FloatBuffer(const tenon::TensorInfo& info) {
  if (info.dtype != tenon::DType::kFloat32)
    throw tenon::Error(tenon::ErrorCode::kInvalidInput, info.name + " is not float32");
  return std::vector<float>(static_cast<size_t>(ElemCount(info.shape)));
}

void ReadFloats(const char* path, std::vector<float>& values) {
  std::ifstream file(path, std::ios::binary);
  const auto bytes = static_cast<std::streamsize>(values.size() * sizeof(float));
  if (!file.read(reinterpret_cast<char*>(values.data()), bytes)) {
    throw tenon::Error(tenon::ErrorCode::kInvalidInput,
                       std::string(path) + ": expected " + std::to_string(bytes) + " bytes");
  }
}

/// A v8 head's output is 1 x 4+classes x boxes: centre, size, one score per class.
void PrintBestBox(const tenon::TensorInfo& info, const std::vector<float>& values) {
  if (info.shape.size() != 3 || info.shape[1] <= 4 || info.shape[2] == 0) return;
  const int64_t boxes = info.shape[2];
  const auto best = std::max_element(values.begin() + 4 * boxes, values.begin() + info.shape[1] * boxes);
  const int64_t place = best - values.begin(), box = place % boxes;
  std::printf("best box: class %d, score %.3f, centre %.1f %.1f, size %.1f %.1f\n", static_cast<int>(place / boxes - 4),
              *best, values[box], values[boxes + box], values[2 * boxes + box], values[3 * boxes + box]);
}

void Run(const char* engine_path, const char* input_path) {
  const tenon::Engine engine = tenon::Engine::Load(engine_path);
  // Memory and threads of one stream of runs; as many contexts as there are streams share the engine's weights.
  tenon::Context context = engine.CreateContext({.threads = 0});
  std::vector<std::vector<float>> inputs, outputs;
  for (const auto& info : engine.inputs()) inputs.push_back(FloatBuffer(info));
  for (const auto& info : engine.outputs()) outputs.push_back(FloatBuffer(info));
  if (input_path) ReadFloats(input_path, inputs[0]);

  std::vector<const void*> input_pointers;
  std::vector<void*> output_pointers;
  for (const auto& input : inputs) input_pointers.push_back(input.data());
  for (auto& output : outputs) output_pointers.push_back(output.data());
  context.Run(input_pointers, output_pointers);

  std::printf("%s on %s, %d threads\n", engine.precision().c_str(), engine.device().c_str(), context.threads());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const tenon::TensorInfo& info = engine.outputs()[i];
    std::printf("%s: %s\n", info.name.c_str(), ToString(info.shape).c_str());
    PrintBestBox(info, outputs[i]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: detect ENGINE [INPUT.f32]\n");
    return 2;
  }
  try {
    Run(argv[1], argc > 2 ? argv[2] : nullptr);
    return 0;
  } catch (const tenon::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
