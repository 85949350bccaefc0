#include "quantize/calibrate.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "quantize/equalize.h"
#include "quantize/quantizable_convs.h"

namespace tenon {
namespace {

std::vector<const Value*> ConvInputs(const Graph& fused) {
  std::vector<const Value*> inputs;
  for (const QuantizableConv& conv : FindQuantizableConvs(fused)) {
    if (std::find(inputs.begin(), inputs.end(), conv.input) == inputs.end()) inputs.push_back(conv.input);
  }
  return inputs;
}

CalibrationImages EverySecond(const CalibrationImages& images, size_t first) {
  CalibrationImages half{.paths = {}, .preprocess = images.preprocess};
  for (size_t i = first; i < images.paths.size(); i += 2) half.paths.push_back(images.paths[i]);
  return half;
}

}  // namespace

int64_t ForEachBatch(const CalibrationImages& images, const Shape& input, Progress& progress,
                     const std::function<void(const ImageBatch&)>& use) {
  ImageLoader loader(images.paths, {.preprocess = images.preprocess, .rule = LetterboxRule::kVal});
  const auto batch = static_cast<size_t>(input.at(0)), size = static_cast<size_t>(ElemCount(input)) / batch;
  std::vector<float> values;
  std::vector<LoadedImage> held;
  int64_t read = 0;
  const auto flush = [&] {
    if (values.empty()) return;
    for (size_t i = 0; values.size() < batch * size; ++i) values.push_back(values[i]);
    use({values, held});
    values.clear();
    held.clear();
  };
  while (auto image = loader.Next()) {
    CheckInterrupt();
    progress.Advance();
    if (!image->error.empty()) {
      Log().warn("{}", image->error);
      continue;
    }
    ++read;
    TENON_CHECK(image->tensor.size() == size);
    values.insert(values.end(), image->tensor.begin(), image->tensor.end());
    held.push_back(std::move(*image));
    if (values.size() == batch * size) flush();
  }
  flush();
  if (read == 0) ThrowInvalid({.what = "no image to calibrate on could be read"});
  return read;
}

SplitStatistics ObserveConvInputs(const Graph& fused, const CalibrationImages& images, const Device& device,
                                  Progress::Mode mode, const std::string& title, const AfterImage& after) {
  std::vector<std::string> names;
  std::vector<std::vector<int64_t>> counts;
  for (const Value* input : ConvInputs(fused)) {
    names.push_back(input->name());
    counts.push_back(ChannelCounts(*input));
  }
  FloatModel model(fused, names, device);
  ThreadPool pool(device.host_threads());
  Progress progress(title, "images", static_cast<int64_t>(images.paths.size()), mode);
  SplitStatistics split;
  for (size_t half = 0; half < 2; ++half) {
    const CalibrationImages part = EverySecond(images, half);
    if (part.paths.empty()) {
      split.halves[half] = split.halves[0];
      break;
    }
    std::vector<TensorStatistics> statistics(names.size());
    split.images += ForEachBatch(part, model.input().shape, progress, [&](const ImageBatch& batch) {
      model.Run(batch.values);
      pool.Run(static_cast<int64_t>(names.size()), [&](int64_t i, int) {
        const auto tensor = static_cast<size_t>(i);
        statistics[tensor].Add(model.value(tensor), model.shape(tensor), counts[tensor]);
      });
      for (size_t i = 0; after && i < batch.images.size(); ++i)
        after(model, static_cast<int64_t>(i), 2 * batch.images[i].index + half, batch.images[i].plan);
    });
    for (size_t i = 0; i < names.size(); ++i) split.halves[half].emplace(names[i], std::move(statistics[i]));
  }
  return split;
}

}  // namespace tenon
