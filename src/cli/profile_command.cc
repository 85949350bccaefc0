#include "base/file.h"
#include "base/interrupt.h"
#include "cli/command.h"
#include "cli/int8_options.h"
#include "cli/model_source.h"
#include "cli/random_input.h"
#include "profile/advice.h"
#include "profile/chrome_trace.h"
#include "runtime/load.h"
#include "verify/json.h"

namespace tenon::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ProfileOptions {
  ModelOptions model;
  int iterations = 50;
  int top = 20;
  std::string trace;
};

/// Everything that the outputs are made of.
struct Profile {
  std::shared_ptr<const Program> program;
  MachinePeaks peaks;
  StepTimes times;
  std::vector<StepReport> steps;
  std::vector<OpReport> ops;
  std::vector<Advice> advice;
  int threads = 0;
  HostLoad load;  ///< while the runs were timed
};

/// The engine's profile that a context runs.
size_t ProfileOf(const EngineModel& model, const Context& context) {
  size_t profile = 0;
  while (model.profile(profile).batch() != context.batch()) ++profile;
  return profile;
}

StepTimes Measure(Context& context, const ProfileOptions& options, const GlobalOptions& global) {
  std::vector<Tensor> buffers;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const TensorInfo& info : context.inputs()) inputs.push_back(buffers.emplace_back(RandomTensor(info, 0)).raw());
  for (const TensorInfo& info : context.outputs())
    outputs.push_back(buffers.emplace_back(info.dtype, info.shape).raw());
  Progress progress("profile", "runs", options.iterations, global.progress());
  return MeasureStepTimes(context, inputs, outputs, {.iterations = options.iterations, .after = [&] {
                                                       CheckInterrupt();
                                                       progress.Advance();
                                                     }});
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

/// What an INT8 build says of the layers that it left in half. An engine from elsewhere may hold anything there.
std::map<std::string, std::string> LayersNotInInt8(const std::string& report) {
  std::map<std::string, std::string> layers;
  const Json json = Json::parse(report, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("kept") || !json["kept"].is_array()) return layers;
  for (const Json& kept : json["kept"]) {
    if (!kept.is_object() || !kept.contains("layer") || !kept["layer"].is_string()) continue;
    std::string& why = layers[kept["layer"].get<std::string>()];
    why = kept.contains("reason") && kept["reason"].is_string() ? kept["reason"].get<std::string>() : "";
    if (kept.contains("noise") && kept["noise"].is_number())
      why += fmt::format("{}noise {:.4f} in INT8", why.empty() ? "" : ": ", kept["noise"].get<double>());
  }
  return layers;
}

Profile MakeProfile(const ProfileOptions& options, const GlobalOptions& global) {
  const LoadedModel model = LoadModel(options.model, global);
  if (!model.device)
    ThrowInvalid("profile times the steps of an engine, and --device {} has none: use cpu or cuda", global.device);
  const Device& device = *model.device;
  Context context = model.engine.CreateContext({.threads = device.host_threads(), .batch = model.batch});
  Profile profile{.program = FindPlan(*model.file, device, ProfileOf(*model.file, context))};
  TENON_CHECK(profile.program != nullptr);
  profile.peaks = device.MeasurePeaks();
  profile.threads = context.threads();
  const HostLoadMeter load;
  profile.times = Measure(context, options, global);
  profile.load = load.Finish();
  profile.steps = JudgeSteps(*profile.program, device.families(), profile.times.step_us, profile.peaks,
                             static_cast<double>(device.cache_bytes()));
  profile.ops = SumByOp(profile.steps);
  AdviceContext advice{.peaks = profile.peaks, .engine_precision = profile.program->precision, .warnings = {}};
  if (const auto found = model.file->reports.find("warnings"); found != model.file->reports.end())
    advice.warnings = Lines(found->second);
  if (const auto found = model.file->reports.find(kInt8Report); found != model.file->reports.end())
    advice.not_in_int8 = LayersNotInInt8(found->second);
  profile.advice = AdviseOnDominating(profile.steps, advice);
  return profile;
}

Json StepJson(const StepReport& report, double median_us) {
  const ProgramStep& step = *report.step;
  return {{"step", report.index},
          {"name", step.name},
          {"op", step.op},
          {"ms", report.us / 1e3},
          {"median_ms", median_us / 1e3},
          {"share", report.share},
          {"gflop", step.flops / 1e9},
          {"work_share", report.work_share},
          {"gflops_per_s", report.flops_per_s / 1e9},
          {"of_compute_peak", report.of_compute_peak},
          {"mbytes", step.bytes / 1e6},
          {"gbytes_per_s", report.bytes_per_s / 1e9},
          {"of_memory_peak", report.of_memory_peak},
          {"limit_ms", report.limit_us / 1e3},
          {"bound", ToString(report.bound)},
          {"precision", PrecisionOf(step.compute)},
          {"family", step.family},
          {"tactic", step.tactic},
          {"sources", step.sources}};
}

/// Beside other work the peaks, which are taken in a quiet moment, are out of reach.
std::string BusyNote(const HostLoad& load) {
  constexpr double kBusy = 0.1;
  if (!load.others_share || *load.others_share < kBusy) return {};
  return fmt::format(
      "(other processes took {:.0f}% of the CPU time: every share of a peak is too low, and so is what is said of it)",
      100 * *load.others_share);
}

Json ToJson(const Profile& profile, const ProfileOptions& options) {
  const MachinePeaks& peaks = profile.peaks;
  Json json = {{"model", options.model.model},
               {"device", profile.program->fingerprint},
               {"precision", profile.program->precision},
               {"threads", profile.threads},
               {"iterations", options.iterations},
               {"load", tenon::ToJson(profile.load)},
               {"whole_ms", profile.times.whole_us / 1e3},
               {"whole_median_ms", profile.times.whole_median_us / 1e3},
               {"steps_ms", profile.times.SumUs() / 1e3},
               {"steps_over_whole", profile.times.Ratio()},
               {"peaks",
                {{"fp32_gops", peaks.fp32_ops / 1e9},
                 {"half_gops", peaks.half_ops / 1e9},
                 {"int8_gops", peaks.int8_ops / 1e9},
                 {"memory_gbytes_per_s", peaks.memory_bytes / 1e9},
                 {"cache_gbytes_per_s", peaks.cache_bytes / 1e9},
                 {"launch_us", peaks.launch_us}}}};
  json["steps"] = Json::array();
  for (const StepReport& report : profile.steps)
    json["steps"].push_back(StepJson(report, profile.times.step_median_us[report.index]));
  json["ops"] = Json::array();
  for (const OpReport& op : profile.ops)
    json["ops"].push_back(
        {{"op", op.op}, {"steps", op.steps}, {"ms", op.us / 1e3}, {"share", op.share}, {"gflop", op.flops / 1e9}});
  json["advice_note"] = BusyNote(profile.load);
  json["advice"] = Json::array();
  for (const Advice& advice : profile.advice)
    json["advice"].push_back({{"step", advice.step}, {"saves_ms", advice.saves_us / 1e3}, {"text", advice.text}});
  return json;
}

/// "/model.0/conv/Conv +2"
std::string SourcesText(const ProgramStep& step) {
  if (step.sources.empty()) return step.name;
  return step.sources.size() == 1 ? step.sources[0] : fmt::format("{} +{}", step.sources[0], step.sources.size() - 1);
}

std::string Summary(const Profile& profile, const ProfileOptions& options) {
  const MachinePeaks& peaks = profile.peaks;
  const auto rate = [](double ops) { return ops > 0 ? fmt::format("{:.0f} G/s", ops / 1e9) : std::string("none"); };
  return fmt::format(
      "{}: {}, {} steps, {} threads, the quietest quarter of {} runs, {}\n"
      "whole {:.3f} ms (median {:.3f}), sum of the steps {:.3f} ms: {:.3f} of the whole\n"
      "peaks now: FP32 {}, half {}, INT8 {}, copy {:.1f} GB/s in memory and {:.1f} GB/s in L2, empty step {:.1f} "
      "us\n\n",
      options.model.model, profile.program->precision, profile.steps.size(), profile.threads, options.iterations,
      profile.load.ToString(), profile.times.whole_us / 1e3, profile.times.whole_median_us / 1e3,
      profile.times.SumUs() / 1e3, profile.times.Ratio(), rate(peaks.fp32_ops), rate(peaks.half_ops),
      rate(peaks.int8_ops), peaks.memory_bytes / 1e9, peaks.cache_bytes / 1e9, peaks.launch_us);
}

std::string StepTable(const Profile& profile, int top) {
  std::string text =
      fmt::format("{:>4} {:>9} {:>6} {:>6} {:>8} {:>5} {:>7} {:>5} {:<9} {:<4} {:<12} {:<30} {}\n", "step", "ms",
                  "share", "sum", "GFLOP/s", "peak", "GB/s", "copy", "bound", "type", "op", "tactic", "source layers");
  const size_t shown = top == 0 ? profile.steps.size() : std::min(static_cast<size_t>(top), profile.steps.size());
  double sum = 0;
  for (size_t i = 0; i < shown; ++i) {
    const StepReport& report = profile.steps[i];
    const ProgramStep& step = *report.step;
    sum += report.share;
    text += fmt::format(
        "{:>4} {:>9.3f} {:>5.1f}% {:>5.1f}% {:>8.1f} {:>4.0f}% {:>7.1f} {:>4.0f}% {:<9} {:<4} {:<12} {:<30} {}\n",
        report.index, report.us / 1e3, 100 * report.share, 100 * sum, report.flops_per_s / 1e9,
        100 * report.of_compute_peak, report.bytes_per_s / 1e9, 100 * report.of_memory_peak, ToString(report.bound),
        PrecisionOf(step.compute), step.op, step.family + " " + step.tactic, SourcesText(step));
  }
  if (shown < profile.steps.size())
    text += fmt::format("     ... {} more steps, {:.1f}% (--top 0 shows all)\n", profile.steps.size() - shown,
                        100 * (1 - sum));
  return text;
}

std::string Text(const Profile& profile, const ProfileOptions& options) {
  std::string text = Summary(profile, options) + StepTable(profile, options.top) + "\nby op\n";
  for (const OpReport& op : profile.ops)
    text += fmt::format("{:<14} {:>3} steps {:>9.3f} ms {:>5.1f}% {:>8.1f} GFLOP/s\n", op.op, op.steps, op.us / 1e3,
                        100 * op.share, op.us > 0 ? op.flops / op.us / 1e3 : 0.0);
  text += "\nwhat could be tried on what dominates\n";
  if (const std::string busy = BusyNote(profile.load); !busy.empty()) text += busy + "\n";
  for (const Advice& advice : profile.advice)
    text += fmt::format("step {} {}: {}\n", advice.step, SourcesText(profile.program->steps[advice.step]), advice.text);
  return text;
}

CommandResult RunProfile(const ProfileOptions& options, const GlobalOptions& global) {
  if (!options.trace.empty()) CheckWritable(options.trace);
  const Profile profile = MakeProfile(options, global);
  CommandResult result{.json = ToJson(profile, options), .text = Text(profile, options)};
  if (options.trace.empty()) return result;
  const std::string title = fmt::format("{}, {} threads", options.model.model, profile.threads);
  WriteTextFileAtomically(
      options.trace,
      MakeChromeTrace(profile.times.runs, profile.steps, title).dump(-1, ' ', false, Json::error_handler_t::replace));
  result.text += fmt::format("\ntrace of {} runs in {}: open it at https://ui.perfetto.dev\n",
                             profile.times.runs.size(), options.trace);
  result.json["trace"] = options.trace;
  return result;
}

}  // namespace

void AddProfile(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<ProfileOptions>();
  CLI::App* command = app.add_subcommand("profile", "time of each step against the machine's peaks, and what to try");
  AddModelFlags(*command, options->model);
  command->add_option("--iterations", options->iterations, "timed runs, and as many without timers between them")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--top", options->top, "steps in the table, those that dominate; 0: all")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command->add_option("--trace", options->trace, "Chrome trace (JSON) of ten of the runs, for Perfetto");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return RunProfile(*options, global); }; });
}

}  // namespace tenon::cli
