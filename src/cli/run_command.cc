#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "base/interrupt.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/model_source.h"
#include "cli/npy.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct RunOptions {
  ModelOptions model;
  std::vector<std::string> inputs;
  uint32_t seed = 0;
  std::string save_outputs;
  double warmup_ms = 200, duration_s = 3;
  int iterations = 10, streams = 1;
  bool save_times = false;
};

/// Uniform in [0, 1) for floats, as images are; 0 or 1 for the rest.
Tensor RandomTensor(const TensorInfo& info, uint32_t seed) {
  Tensor values(DType::kFloat32, info.shape);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < values.elems(); ++i) {
    const float unit = static_cast<float>(random() >> 8) / 16777216.0f;
    values.data<float>()[i] = IsFloat(info.dtype) ? unit : static_cast<float>(unit >= 0.5f);
  }
  return values.CastTo(info.dtype);
}

std::map<std::string, Tensor> ReadInputs(const std::vector<std::string>& arguments) {
  std::map<std::string, Tensor> tensors;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    if (equals == std::string::npos)
      ThrowInvalid({.what = "bad input", .where = "--inputs", .got = argument, .expected = "NAME=FILE.npy"});
    tensors[argument.substr(0, equals)] = ReadNpy(argument.substr(equals + 1));
  }
  return tensors;
}

std::vector<Tensor> MakeInputs(const Engine& engine, const RunOptions& options) {
  std::map<std::string, Tensor> given = ReadInputs(options.inputs);
  std::vector<Tensor> inputs;
  for (const TensorInfo& info : engine.inputs()) {
    const auto found = given.find(info.name);
    if (found == given.end()) {
      inputs.push_back(RandomTensor(info, options.seed));
      continue;
    }
    if (found->second.dtype() != info.dtype || found->second.shape() != info.shape) {
      ThrowInvalid({.what = "an input doesn't fit",
                    .where = info.name,
                    .got = ToString(found->second.type()),
                    .expected = ToString(TensorType{info.dtype, info.shape})});
    }
    inputs.push_back(found->second);
    given.erase(found);
  }
  if (!given.empty()) {
    std::string names;
    for (const TensorInfo& info : engine.inputs()) names += (names.empty() ? "" : ", ") + info.name;
    ThrowInvalid({.what = "no such input", .where = "--inputs", .got = given.begin()->first, .expected = names});
  }
  return inputs;
}

/// One context with its outputs, run over and over on its own thread.
struct Stream {
  Context context;
  std::vector<Tensor> outputs;
  std::vector<void*> pointers;
  std::vector<double> times_ms;

  Stream(const Engine& engine, int threads) : context(engine.CreateContext({.threads = threads})) {
    for (const TensorInfo& info : engine.outputs()) outputs.emplace_back(info.dtype, info.shape);
    for (Tensor& output : outputs) pointers.push_back(output.raw());
  }
  double RunOnce(std::span<const void* const> inputs) {
    const auto start = Clock::now();
    context.Run(inputs, pointers);
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }
};

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void Measure(Stream& stream, std::span<const void* const> inputs, const RunOptions& options) {
  const auto warmup = Clock::now();
  do {
    CheckInterrupt();
    stream.RunOnce(inputs);
  } while (SecondsSince(warmup) * 1e3 < options.warmup_ms);
  const auto start = Clock::now();
  for (int i = 0; i < options.iterations || SecondsSince(start) < options.duration_s; ++i) {
    CheckInterrupt();
    stream.times_ms.push_back(stream.RunOnce(inputs));
  }
}

/// Runs all streams side by side; the first error of any of them is thrown here. Returns the wall time in seconds.
double MeasureAll(std::vector<Stream>& streams, std::span<const void* const> inputs, const RunOptions& options) {
  std::vector<std::exception_ptr> errors(streams.size());
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  const auto work = [&](size_t i) {
    try {
      Measure(streams[i], inputs, options);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  for (size_t i = 1; i < streams.size(); ++i) threads.emplace_back(work, i);
  work(0);
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return SecondsSince(start);
}

double Percentile(const std::vector<double>& sorted, double fraction) {
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(fraction * static_cast<double>(sorted.size())))];
}

std::string FileName(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '-' && c != '_'; },
      '_');
  return name + ".npy";
}

nlohmann::ordered_json SaveOutputs(const Engine& engine, const Stream& stream, const std::string& folder) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  if (!folder.empty()) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) ThrowInvalid({.what = "can't make the folder", .where = folder, .got = error.message()});
  }
  for (size_t i = 0; i < stream.outputs.size(); ++i) {
    const TensorInfo& info = engine.outputs()[i];
    const std::string file = folder.empty() ? "" : (fs::path(folder) / FileName(info.name)).string();
    if (!file.empty()) WriteNpy(stream.outputs[i], file);
    list.push_back({{"name", info.name}, {"shape", info.shape}, {"dtype", ToString(info.dtype)}, {"file", file}});
  }
  return list;
}

CommandResult Run(const RunOptions& options, const GlobalOptions& global) {
  const LoadedModel model = LoadModel(options.model, global);
  const std::vector<Tensor> inputs = MakeInputs(model.engine, options);
  std::vector<const void*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(input.raw());
  std::vector<Stream> streams;
  const int cores = ChosenCpu(global).threads;
  for (int i = 0; i < options.streams; ++i) streams.emplace_back(model.engine, std::max(1, cores / options.streams));
  const double wall_s = MeasureAll(streams, pointers, options);

  std::vector<double> times;
  for (const Stream& stream : streams) times.insert(times.end(), stream.times_ms.begin(), stream.times_ms.end());
  CommandResult result;
  if (options.save_times) result.json["times_ms"] = times;
  std::sort(times.begin(), times.end());
  double sum = 0;
  for (const double time : times) sum += time;
  const double batch = model.engine.inputs().empty() || model.engine.inputs()[0].shape.empty()
                           ? 1
                           : static_cast<double>(model.engine.inputs()[0].shape[0]);
  result.json["latency_ms"] = {{"median", Percentile(times, 0.5)},
                               {"p90", Percentile(times, 0.9)},
                               {"p95", Percentile(times, 0.95)},
                               {"p99", Percentile(times, 0.99)},
                               {"min", times.front()},
                               {"mean", sum / static_cast<double>(times.size())}};
  // Over the measured runs alone: the wall time has the warm-up in it.
  const double measured_s = std::min(wall_s, sum / 1e3 / static_cast<double>(streams.size()));
  result.json["throughput_ips"] = static_cast<double>(times.size()) * batch / measured_s;
  result.json["iterations"] = times.size();
  result.json["outputs"] = SaveOutputs(model.engine, streams[0], options.save_outputs);
  const auto& latency = result.json["latency_ms"];
  result.text = fmt::format(
      "latency ms: median {:.3f}, p90 {:.3f}, p95 {:.3f}, p99 {:.3f}, min {:.3f}, mean {:.3f} ({} runs)\nthroughput: "
      "{:.1f} images/s\n",
      latency["median"].get<double>(), latency["p90"].get<double>(), latency["p95"].get<double>(),
      latency["p99"].get<double>(), latency["min"].get<double>(), latency["mean"].get<double>(), times.size(),
      result.json["throughput_ips"].get<double>());
  for (const auto& output : result.json["outputs"]) {
    result.text += fmt::format("output {}: {} {}{}\n", output["name"].get<std::string>(),
                               output["dtype"].get<std::string>(), ToString(output["shape"].get<Shape>()),
                               output["file"] == "" ? "" : " -> " + output["file"].get<std::string>());
  }
  return result;
}

}  // namespace

void AddRun(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "raw tensors and latency");
  AddModelFlags(*command, options->model);
  command->add_option("--inputs", options->inputs, "NAME=FILE.npy, repeatable; others are random");
  command->add_option("--seed", options->seed, "of random inputs")->capture_default_str();
  command->add_option("--save-outputs", options->save_outputs, "folder for one .npy per output");
  command->add_option("--warmup-ms", options->warmup_ms, "untimed runs before")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--duration-s", options->duration_s, "measure at least so long")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--iterations", options->iterations, "and at least so many runs")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  command->add_flag("--all-times", options->save_times, "the time of every run in the JSON, as times_ms");
  command->add_option("--streams", options->streams, "contexts that run side by side and share the threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Run(*options, global); }; });
}

}  // namespace tenon::cli
