// mAP and noise of assignments of INT8, with the INT8 kernels (cost model's tactics, what isn't in INT8 in half where
// the CPU has it): how the algorithms of src/quantize are judged. usage: int8_accuracy MODEL.onnx DATA.yaml
// CALIBRATION-IMAGES JUDGING-IMAGES CALIB-FILE VARIANT... A variant: words joined by commas: float, all, CALIBRATOR,
// -dw, -TEXT (convs whose name holds TEXT are left out), drift=DATA.yaml alone (how far its val images are from those
// of the calibration), sens (each conv's noise by itself), adaround, nomap, file=ENGINE (to write). `equalised` as the
// first variant equalises the model before all others (with a CALIB-FILE of its own).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "backends/cpu/cpu_device.h"
#include "base/error.h"
#include "base/file.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "onnx/importer.h"
#include "ops/conv.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "quantize/calibration_file.h"
#include "quantize/equalize.h"
#include "quantize/insert.h"
#include "quantize/quality.h"
#include "quantize/quantizable_convs.h"
#include "quantize/sensitivity.h"
#include "quantize/weight_rounding.h"
#include "runtime/load.h"
#include "verify/accuracy.h"
#include "vision/head.h"

using namespace tenon;

namespace {

double Map(std::unique_ptr<Graph> graph, const Dataset& data, const CpuDevice& device, Precision precision,
           const std::string& file) {
  TimingCache cache;
  CompileOptions options;
  options.tune.effort = 0;
  options.precision = precision;
  const auto engine = CompileFor(std::move(graph), device, options, cache).engine;
  if (!file.empty()) WriteEngine(*engine, file);
  if (data.samples.empty()) return 0;
  Detector detector(MakeEngine(engine, device), "", 0);
  return 100 * MeasureAccuracy(detector, data, {.progress = Progress::Mode::kQuiet}).report.metrics.ap50_95;
}

template <class T>
std::vector<T> Spread(const std::vector<T>& all, size_t count) {
  std::vector<T> some;
  count = std::min(count, all.size());
  for (size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
  return some;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 6) return 2;
  std::unique_ptr<Graph> graph = ImportOnnx(argv[1], {});
  RunPassGroups(*graph, {}, MakeFloatPassList());
  const CpuDevice device = CpuDevice::Detect();
  const Precision rest = device.features.avx512_bf16 ? Precision::kHalf : Precision::kFp32;
  const Dataset train = LoadDataset({.data = argv[2], .images = "", .split = "train"});
  Dataset val = LoadDataset({.data = argv[2], .images = "", .split = "val"});
  val.samples = Spread(val.samples, std::stoul(argv[4]));
  if (std::stoul(argv[4]) > 400) val.samples.insert(val.samples.end(), train.samples.begin(), train.samples.end());
  CalibrationImages images;
  for (const Sample& sample : Spread(train.samples, std::stoul(argv[3]))) images.paths.push_back(sample.image_path);
  const Shape input = graph->inputs()[0]->shape();
  images.preprocess.height = static_cast<int>(input[2]);
  images.preprocess.width = static_cast<int>(input[3]);
  const CalibrationImages some{Spread(images.paths, 32), images.preprocess};
  if (std::string_view(argv[6]) == "equalised") {
    const auto seen = ObserveConvInputs(*graph, some, device, Progress::Mode::kQuiet, "equalise").All();
    fmt::print("{} tensors equalised\n", EqualizeChannels(*graph, seen));
  }
  Calibration calibration;
  if (std::filesystem::exists(argv[5])) {
    calibration = ParseCalibration(ReadTextFile(argv[5]));
  } else {
    calibration.observed = ObserveConvInputs(*graph, images, device, Progress::Mode::kQuiet, "calibrate");
    WriteTextFileAtomically(argv[5], PrintCalibration(calibration));
  }
  const StatisticsTable statistics = calibration.observed.All();
  const auto convs = FindQuantizableConvs(*graph);
  CalibrationImages few = images;
  few.paths = Spread(few.paths, 4);
  std::optional<WeightTable> rounded;
  const NoiseMeter meter(*graph, statistics, few, device);
  for (int i = 6; i < argc; ++i) {
    if (std::string_view(argv[i]) == "equalised") continue;
    InsertOptions options;
    for (const auto& conv : convs) options.int8.insert(conv.node->name());
    bool is_float = false, sens = false, map = true;
    std::istringstream words(argv[i]);
    std::string file;
    for (std::string word; std::getline(words, word, ',');) {
      if (word.starts_with("file=")) file = word.substr(5);
      is_float |= word == "float";
      sens |= word == "sens";
      if (word == "adaround") {
        if (!rounded) rounded = RoundConvWeights(*graph, some, statistics, device, Progress::Mode::kQuiet);
        options.weights = &*rounded;
      }
      map &= word != "nomap";
      const auto known = std::find(kCalibratorNames.begin(), kCalibratorNames.end(), word);
      if (known != kCalibratorNames.end()) options.calibrator = ParseCalibrator(word);
      if (word[0] != '-') continue;
      for (const auto& conv : convs) {
        const bool depthwise = conv.node->As<Conv>()->groups > 1;
        if (word == "-dw" ? depthwise : conv.node->name().find(word.substr(1)) != std::string::npos)
          options.int8.erase(conv.node->name());
      }
    }
    if (std::string_view(argv[i]).starts_with("drift=")) {
      CalibrationImages others{.paths = {}, .preprocess = images.preprocess};
      const Dataset data = LoadDataset({.data = argv[i] + 6, .images = "", .split = "val"});
      for (const Sample& sample : Spread(data.samples, 32)) others.paths.push_back(sample.image_path);
      const SplitStatistics seen = ObserveConvInputs(*graph, others, device, Progress::Mode::kQuiet, "drift");
      const Drift drift = JudgeDrift(calibration.observed, seen.All(), seen.images);
      fmt::print("{}: {:.5f}, expected {:.5f}, {:.2f} times that {}\n", argv[i], drift.median, drift.expected,
                 drift.median / drift.expected, drift.warning);
      continue;
    }
    double flops = 0;
    for (const auto& conv : convs) flops += options.int8.contains(conv.node->name()) ? conv.flops : 0;
    fmt::print("{}: {} of {} convs, {:.1f}% of FLOPs", argv[i], options.int8.size(), convs.size(),
               100 * flops / DenseFlops(*graph));
    if (!is_float) fmt::print(", noise {:.5f}", meter.Measure(options));
    std::fflush(stdout);
    std::unique_ptr<Graph> quantized = graph->Clone();
    if (!is_float) InsertQuantization(*quantized, options, statistics);
    if (map)
      fmt::print(", mAP {:.2f}", Map(std::move(quantized), val, device, is_float ? Precision::kFp32 : rest, file));
    fmt::print("\n");
    std::fflush(stdout);
    if (!sens) continue;
    const auto start = std::chrono::steady_clock::now();
    struct Layer {
      std::string node;
      double noise, flops;
    };
    std::vector<Layer> layers;
    for (const auto& conv : convs) {
      InsertOptions alone = options;
      alone.int8 = {conv.node->name()};
      layers.push_back({conv.node->name(), meter.Measure(alone), conv.flops});
    }
    fmt::print("{:.1f} s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    std::sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) { return a.noise > b.noise; });
    for (size_t k = 0; k < std::min<size_t>(24, layers.size()); ++k) {
      const auto conv =
          std::find_if(convs.begin(), convs.end(), [&](const auto& c) { return c.node->name() == layers[k].node; });
      fmt::print("  {:.5f} {:.2f}% {} {} groups {} {} max {}\n", layers[k].noise,
                 100 * layers[k].flops / DenseFlops(*graph), layers[k].node, ToString(conv->node->input(1)->shape()),
                 conv->node->As<Conv>()->groups, static_cast<int>(conv->node->As<Conv>()->epilogue.activation),
                 statistics.at(conv->input->name()).histogram().max());
    }
  }
} catch (const Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 2;
}
