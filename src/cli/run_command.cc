#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/latency_options.h"
#include "cli/model_source.h"
#include "cli/npy.h"
#include "cli/random_input.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

struct RunOptions {
  ModelOptions model;
  std::vector<std::string> inputs;
  uint32_t seed = 0;
  std::string save_outputs;
  LatencyOptions latency;
  int streams = 1;
  bool save_times = false;
};

/// Where NAME ends in NAME=FILE: names of inputs may hold '=', too.
size_t NameLength(const std::string& argument, const Engine& engine) {
  for (const TensorInfo& info : engine.inputs()) {
    if (argument.starts_with(info.name + "=")) return info.name.size();
  }
  return argument.find('=');
}

std::map<std::string, Tensor> ReadInputs(const std::vector<std::string>& arguments, const Engine& engine) {
  std::map<std::string, Tensor> tensors;
  for (const std::string& argument : arguments) {
    const size_t equals = NameLength(argument, engine);
    if (equals == std::string::npos)
      ThrowInvalid({.what = "bad input", .where = "--inputs", .got = argument, .expected = "NAME=FILE.npy"});
    tensors[argument.substr(0, equals)] = ReadNpy(argument.substr(equals + 1));
  }
  return tensors;
}

/// The shape with `rows` places for images instead of `batch`, where that is what its first dimension counts.
Shape WithRows(Shape shape, int64_t batch, int64_t rows) {
  if (!shape.empty() && shape[0] == batch) shape[0] = rows;
  return shape;
}

/// The same first elements in another shape, the rest zeros.
Tensor Refit(const Tensor& tensor, const Shape& shape) {
  if (tensor.shape() == shape) return tensor;
  Tensor result(tensor.dtype(), shape);
  std::memcpy(result.raw(), tensor.raw(), static_cast<size_t>(std::min(tensor.size_bytes(), result.size_bytes())));
  return result;
}

/// `rows`: of the context's places, those that count; a given array may have only these.
std::vector<Tensor> MakeInputs(const Engine& engine, const Context& context, int64_t rows, const RunOptions& options) {
  std::map<std::string, Tensor> given = ReadInputs(options.inputs, engine);
  std::vector<Tensor> inputs;
  for (const TensorInfo& info : context.inputs()) {
    const auto found = given.find(info.name);
    if (found == given.end()) {
      inputs.push_back(RandomTensor(info, options.seed));
      continue;
    }
    const Shape asked = WithRows(info.shape, context.batch(), rows);
    const bool has_shape = found->second.shape() == info.shape || found->second.shape() == asked;
    if (found->second.dtype() != info.dtype || !has_shape) {
      ThrowInvalid({.what = "an input doesn't fit",
                    .where = info.name,
                    .got = ToString(found->second.type()),
                    .expected = ToString(TensorType{info.dtype, asked})});
    }
    inputs.push_back(Refit(found->second, info.shape));
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
  LatencyMeasurement measured;
  double end_s = 0;  ///< of its measured runs, by the steady clock

  Stream(const Engine& engine, int threads, int batch)
      : context(engine.CreateContext({.threads = threads, .batch = batch})) {
    for (const TensorInfo& info : context.outputs()) outputs.emplace_back(info.dtype, info.shape);
    for (Tensor& output : outputs) pointers.push_back(output.raw());
  }
  void Measure(std::span<const void* const> inputs, const LatencyOptions& options) {
    const Runnable runnable = ContextRunnable("", context, inputs, pointers);
    measured = MeasureLatency({&runnable, 1}, options);
    end_s = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};

/// From the first measured run of any stream to the end of the last: streams need not start at once, and the sum of
/// their own rates would count time twice in which only some of them ran.
double WallSeconds(const std::vector<Stream>& streams) {
  double start = std::numeric_limits<double>::infinity(), end = -start;
  for (const Stream& stream : streams) {
    start = std::min(start, stream.end_s - stream.measured.wall_s);
    end = std::max(end, stream.end_s);
  }
  return end - start;
}

/// Runs all streams side by side; the first error of any of them is thrown here.
void MeasureAll(std::vector<Stream>& streams, std::span<const void* const> inputs, const LatencyOptions& options) {
  std::vector<std::exception_ptr> errors(streams.size());
  std::vector<std::jthread> threads;  // joined also where a later one can't be started
  const auto work = [&](size_t i) {
    try {
      streams[i].Measure(inputs, options);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  try {
    for (size_t i = 1; i < streams.size(); ++i) threads.emplace_back(work, i);
  } catch (const std::system_error& error) {
    ThrowInvalid({.what = "can't start a thread for each stream",
                  .where = "--streams",
                  .got = error.what(),
                  .expected = fmt::format("{} threads", streams.size()),
                  .hint = "Ask for fewer streams, or raise the process's limits."});
  }
  work(0);
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

/// A name that file systems take; outputs whose names differ only in what they don't take are numbered.
std::string FileName(std::string name, std::set<std::string>& taken) {
  constexpr size_t kLongest = 200;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '-' && c != '_'; },
      '_');
  const std::string stem = name.substr(0, kLongest);
  name = stem;
  for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}_{}", stem, i);
  return name + ".npy";
}

/// `rows`: of the context's places, those that count.
nlohmann::ordered_json SaveOutputs(const Stream& stream, int64_t rows, const std::string& folder) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  if (!folder.empty()) MakeOutputFolder(folder);
  std::set<std::string> taken;
  for (size_t i = 0; i < stream.outputs.size(); ++i) {
    const TensorInfo& info = stream.context.outputs()[i];
    const Tensor output = Refit(stream.outputs[i], WithRows(info.shape, stream.context.batch(), rows));
    const std::string file = folder.empty() ? "" : (fs::path(folder) / FileName(info.name, taken)).string();
    if (!file.empty()) WriteNpy(output, file);
    list.push_back({{"name", info.name}, {"shape", output.shape()}, {"dtype", ToString(info.dtype)}, {"file", file}});
  }
  return list;
}

/// Of a device with memory of its own.
std::optional<int64_t> FreeMemoryBytes(const GlobalOptions& global) {
  if (ParseDeviceFlag(global.device).kind == DeviceFlag::Kind::kReference) return std::nullopt;
  return ChosenDevice(global)->FreeMemoryBytes();
}

/// What the engine and its contexts say that they take, and what the driver says that they took.
void AddMemory(const Engine& engine, const std::vector<Stream>& streams, std::optional<int64_t> free_before,
               std::optional<int64_t> free_after, CommandResult& result) {
  int64_t contexts = 0;
  for (const Stream& stream : streams) contexts += stream.context.memory_bytes();
  result.json["memory_bytes"] = {
      {"weights", engine.weights_bytes()}, {"code", engine.code_bytes()}, {"contexts", contexts}};
  const auto mb = [](int64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  result.text += fmt::format("memory: {:.1f} MB of weights, ", mb(engine.weights_bytes()));
  if (engine.code_bytes() > 0)
    result.text += fmt::format("{:.1f} MB of {}, ", mb(engine.code_bytes()),
                               engine.device() == "cpu" ? "transformed weights" : "code");
  result.text += fmt::format("{:.1f} MB of contexts", mb(contexts));
  if (free_before && free_after && engine.device() == "cuda") {
    const int64_t taken = *free_before - *free_after;
    result.json["memory_bytes"]["driver"] = taken;
    result.text += fmt::format("; in all {:.1f} MB, the driver counts {:.1f} MB",
                               mb(engine.weights_bytes() + engine.code_bytes() + contexts), mb(taken));
  }
  result.text += "\n";
}

CommandResult Run(const RunOptions& options, const GlobalOptions& global) {
  if (!options.save_outputs.empty()) CheckOutputFolder(options.save_outputs);
  const std::optional<int64_t> free_before = FreeMemoryBytes(global);
  const LoadedModel model = LoadModel(options.model, global);
  std::vector<Stream> streams;
  const int cores = model.device ? model.device->host_threads() : 1;
  for (int i = 0; i < options.streams; ++i)
    streams.emplace_back(model.engine, std::max(1, cores / options.streams), model.batch);
  const Context& context = streams[0].context;
  const int64_t rows = model.batch > 0 ? model.batch : context.batch();
  const std::vector<Tensor> inputs = MakeInputs(model.engine, context, rows, options);
  std::vector<const void*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(input.raw());
  MeasureAll(streams, pointers, options.latency);
  const std::optional<int64_t> free_after = FreeMemoryBytes(global);

  std::vector<double> times;
  for (const Stream& stream : streams) {
    const auto& stream_times = stream.measured.rows[0].times_ms;
    times.insert(times.end(), stream_times.begin(), stream_times.end());
  }
  const double runs_per_s = static_cast<double>(times.size()) / WallSeconds(streams);
  const LatencyStats stats = SummariseTimes(times);
  const double images_per_s = runs_per_s * static_cast<double>(rows);
  CommandResult result;
  if (options.save_times) result.json["times_ms"] = times;
  result.json["latency_ms"] = ToJson(stats);
  result.json["throughput_ips"] = images_per_s;
  result.json["iterations"] = times.size();
  result.json["batch"] = context.batch();
  result.json["load"] = ToJson(streams[0].measured.load);
  result.json["outputs"] = SaveOutputs(streams[0], rows, options.save_outputs);
  result.text = fmt::format(
      "latency ms: median {:.3f}, p90 {:.3f}, p95 {:.3f}, p99 {:.3f}, min {:.3f}, mean {:.3f} ({} runs)\nthroughput: "
      "{:.1f} images/s\nmachine: {}\n",
      stats.median, stats.p90, stats.p95, stats.p99, stats.min, stats.mean, stats.runs, images_per_s,
      streams[0].measured.load.ToString());
  AddMemory(model.engine, streams, free_before, free_after, result);
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
  AddLatencyFlags(*command, options->latency);
  command->add_flag("--all-times", options->save_times, "the time of every run in the JSON, as times_ms");
  command->add_option("--streams", options->streams, "contexts that run side by side and share the threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Run(*options, global); }; });
}

}  // namespace tenon::cli
