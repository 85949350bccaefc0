// mAP of a model quantised by Tenon's calibration, simulated in FP32: how the algorithms of src/quantize are judged
// without INT8 kernels. usage: int8_accuracy MODEL.onnx DATA.yaml CALIBRATE-FRACTION JUDGE-FRACTION [option...]
// options: sens (sensitivities, and mAP without the worst ones), nodw, CALIBRATOR, skip=TEXT
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "compile/compiler.h"
#include "onnx/importer.h"
#include "ops/conv.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "quantize/calibrate.h"
#include "quantize/insert.h"
#include "quantize/quantizable_convs.h"
#include "quantize/sensitivity.h"
#include "runtime/load.h"
#include "verify/accuracy.h"
#include "vision/head.h"

using namespace tenon;

namespace {

double Map(const Graph& graph, const Dataset& data, const CpuDevice& device) {
  TimingCache cache;
  CompileOptions options;
  options.tune.effort = 0;
  Detector detector(MakeCpuEngine(CompileForCpu(graph.Clone(), device, options, cache).engine, device), "", 0);
  const Accuracy accuracy = MeasureAccuracy(detector, data, {.progress = Progress::Mode::kQuiet});
  return 100 * accuracy.report.metrics.ap50_95;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) return 2;
  std::unique_ptr<Graph> graph = ImportOnnx(argv[1], {});
  RunPassGroups(*graph, {}, MakeFloatPassList());
  const CpuDevice device = CpuDevice::Detect();
  const Dataset train = LoadDataset({.data = argv[2], .images = "", .split = "train", .fraction = std::stod(argv[3])});
  const Dataset val = LoadDataset({.data = argv[2], .images = "", .split = "val", .fraction = std::stod(argv[4])});
  CalibrationImages images;
  for (const Sample& sample : train.samples) images.paths.push_back(sample.image_path);
  const Shape input = graph->inputs()[0]->shape();
  images.preprocess.height = static_cast<int>(input[2]);
  images.preprocess.width = static_cast<int>(input[3]);
  const StatisticsTable statistics = ObserveConvInputs(*graph, images, device, Progress::Mode::kQuiet);
  const auto convs = FindQuantizableConvs(*graph);
  InsertOptions options;
  bool sens = false, nofloat = false;
  for (const auto& conv : convs) options.int8.insert(conv.node->name());
  for (int i = 5; i < argc; ++i) {
    const std::string arg = argv[i];
    sens |= arg == "sens";
    nofloat |= arg == "nofloat";
    const auto known = std::find(kCalibratorNames.begin(), kCalibratorNames.end(), arg);
    if (known != kCalibratorNames.end()) options.calibrator = ParseCalibrator(arg);
    for (const auto& conv : convs) {
      const auto* op = conv.node->As<Conv>();
      if ((arg == "nodw" && op->groups > 1) ||
          (arg.starts_with("skip=") && conv.node->name().find(arg.substr(5)) != std::string::npos))
        options.int8.erase(conv.node->name());
    }
  }
  if (!nofloat) fmt::print("float {:.2f}\n", Map(*graph, val, device));
  std::fflush(stdout);
  const auto judge = [&] {
    double flops = 0;
    for (const auto& conv : convs) flops += options.int8.contains(conv.node->name()) ? conv.flops : 0;
    const std::unique_ptr<Graph> quantized = graph->Clone();
    InsertQuantization(*quantized, options, statistics);
    SimulateQuantization(*quantized);
    Verify(*quantized);
    fmt::print("{:.2f}, {} convs, {:.1f}% of FLOPs\n", Map(*quantized, val, device), options.int8.size(),
               100 * flops / DenseFlops(*graph));
    std::fflush(stdout);
  };
  judge();
  if (!sens) return 0;
  CalibrationImages few = images;
  few.paths.resize(std::min<size_t>(few.paths.size(), 4));
  const NoiseMeter meter(*graph, statistics, few, device);
  const double all = meter.Measure(options);
  fmt::print("noise of all {:.4f}\n", all);
  auto layers = MeasureSensitivity(*graph, meter, options, Progress::Mode::kQuiet);
  double sum = 0;
  for (const auto& layer : layers) sum += layer.noise;
  std::sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) { return a.noise > b.noise; });
  fmt::print("sum {:.4f}\n", sum);
  for (size_t i = 0; i < std::min<size_t>(30, layers.size()); ++i) {
    const auto conv =
        std::find_if(convs.begin(), convs.end(), [&](const auto& c) { return c.node->name() == layers[i].node; });
    fmt::print("{:.5f} {:.2f}% {} {} groups {} {}\n", layers[i].noise, 100 * layers[i].flops / DenseFlops(*graph),
               layers[i].node, ToString(conv->node->input(1)->shape()), conv->node->As<Conv>()->groups,
               statistics.at(conv->input->name()).histogram().max());
  }
  for (size_t i = 0; i < std::min<size_t>(16, layers.size()); ++i) {
    options.int8.erase(layers[i].node);
    if (i == 7 || i == 15) fmt::print("noise {:.4f} ", meter.Measure(options)), judge();
  }
} catch (const Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 2;
}
