#include "quantize/sensitivity.h"

#include <algorithm>
#include <unordered_set>

#include "base/interrupt.h"
#include "ops/matmul.h"
#include "passes/fusable.h"
#include "quantize/float_model.h"

namespace tenon {
namespace {

double Variance(const std::vector<std::vector<std::vector<float>>>& batches, size_t tensor) {
  double sum = 0, squares = 0, count = 0;
  for (const auto& batch : batches) {
    for (const float x : batch[tensor]) sum += x, squares += static_cast<double>(x) * x;
    count += static_cast<double>(batch[tensor].size());
  }
  return count > 0 ? std::max(squares / count - sum / count * (sum / count), 1e-12) : 1;
}

double SquaredDistance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

std::vector<std::string> FinalTensors(const Graph& graph) {
  const std::vector<Node*> nodes = graph.NodeList();
  std::unordered_set<const Value*> feeds_dense;
  std::vector<std::string> names;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const bool dense = EpilogueOf((*node)->op()) || (*node)->As<Attention>();
    const auto feeds = [&](const Value* output) { return output && feeds_dense.contains(output); };
    const bool above_dense = std::any_of((*node)->outputs().begin(), (*node)->outputs().end(), feeds);
    if (dense && !above_dense && (*node)->output()->dtype() == DType::kFloat32 && (*node)->output()->has_shape())
      names.push_back((*node)->output()->name());
    if (!dense && !above_dense) continue;
    for (const Value* input : (*node)->inputs()) {
      if (input) feeds_dense.insert(input);
    }
  }
  std::reverse(names.begin(), names.end());
  return names;
}

NoiseMeter::NoiseMeter(const Graph& fused, const StatisticsTable& statistics, const CalibrationImages& images,
                       const Device& device)
    : fused_(fused), statistics_(statistics), device_(device.Share()), finals_(FinalTensors(fused)) {
  FloatModel model(fused, finals_, device);
  Progress progress("", "images", static_cast<int64_t>(images.paths.size()), Progress::Mode::kQuiet);
  ForEachBatch(images, model.input().shape, progress, [&](const ImageBatch& batch) {
    model.Run(batch.values);
    batches_.emplace_back(batch.values.begin(), batch.values.end());
    auto& values = expected_.emplace_back();
    for (size_t i = 0; i < finals_.size(); ++i) values.emplace_back(model.value(i).begin(), model.value(i).end());
  });
  for (size_t i = 0; i < finals_.size(); ++i) variance_.push_back(Variance(expected_, i));
}

double NoiseMeter::Measure(const InsertOptions& options) const {
  const std::unique_ptr<Graph> quantized = fused_.Clone();
  InsertQuantization(*quantized, options, statistics_);
  FloatModel model(*quantized, finals_, *device_);
  double noise = 0;
  for (size_t b = 0; b < batches_.size(); ++b) {
    CheckInterrupt();
    model.Run(batches_[b]);
    for (size_t i = 0; i < finals_.size(); ++i) {
      const double distance = SquaredDistance(expected_[b][i], model.value(i));
      noise += distance / (variance_[i] * static_cast<double>(expected_[b][i].size()));
    }
  }
  return noise / static_cast<double>(batches_.size() * finals_.size());
}

}  // namespace tenon
