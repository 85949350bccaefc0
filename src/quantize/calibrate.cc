#include "quantize/calibrate.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "quantize/quantizable_convs.h"
#include "vision/loader.h"

namespace tenon {

int64_t ForEachBatch(const CalibrationImages& images, const Shape& input, const std::string& title, Progress::Mode mode,
                     const std::function<void(std::span<const float>)>& use) {
  ImageLoader loader(images.paths, {.preprocess = images.preprocess, .rule = LetterboxRule::kVal});
  Progress progress(title, "images", static_cast<int64_t>(images.paths.size()), mode);
  const auto batch = static_cast<size_t>(input.at(0)), size = static_cast<size_t>(ElemCount(input)) / batch;
  std::vector<float> values;
  int64_t read = 0;
  const auto flush = [&] {
    if (values.empty()) return;
    for (size_t i = 0; values.size() < batch * size; ++i) values.push_back(values[i]);
    use(values);
    values.clear();
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
    if (values.size() == batch * size) flush();
  }
  flush();
  if (read == 0) ThrowInvalid({.what = "no image to calibrate on could be read"});
  return read;
}

StatisticsTable ObserveConvInputs(const Graph& fused, const CalibrationImages& images, const CpuDevice& device,
                                  Progress::Mode mode, const std::string& title) {
  std::vector<std::string> names;
  for (const QuantizableConv& conv : FindQuantizableConvs(fused)) {
    if (std::find(names.begin(), names.end(), conv.input->name()) == names.end()) names.push_back(conv.input->name());
  }
  FloatModel model(fused, names, device);
  std::vector<TensorStatistics> statistics(names.size());
  ThreadPool pool(device.threads);
  ForEachBatch(images, model.input().shape, title, mode, [&](std::span<const float> batch) {
    model.Run(batch);
    pool.Run(static_cast<int64_t>(names.size()), [&](int64_t i, int) {
      statistics[static_cast<size_t>(i)].Add(model.value(static_cast<size_t>(i)), model.shape(static_cast<size_t>(i)));
    });
  });
  StatisticsTable table;
  for (size_t i = 0; i < names.size(); ++i) table.emplace(names[i], std::move(statistics[i]));
  return table;
}

}  // namespace tenon
