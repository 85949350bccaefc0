#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "cli/command.h"
#include "cli/precisions.h"
#include "cli/ship_search.h"
#include "cli/verify_html.h"
#include "cli/verify_report.h"
#include "engine/engine_file.h"
#include "quantize/calibrator.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What --precision, --half and --int8 name, fastest first; empty: the device decides.
std::vector<std::string> AskedPrecisions(const ShipOptions& options) {
  std::vector<std::string> asked = options.precisions;
  if (!asked.empty() && (options.model.half || options.model.int8))
    ThrowInvalid("--precision says already what --half and --int8 say: give one of them");
  for (const std::string& name : asked) InPrecision(options.model, name, "--precision");  // refuses unknown ones
  if (options.model.half) asked.push_back("half");
  if (options.model.int8) asked.push_back("int8");
  std::vector<std::string> ordered;
  for (const char* name : {"int8", "half", "fp32"}) {
    if (std::find(asked.begin(), asked.end(), name) != asked.end()) ordered.emplace_back(name);
  }
  return ordered;
}

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return fs::weakly_canonical(a, ignored) == fs::weakly_canonical(b, ignored);
}

/// The options with everything decided that flags decide. Throws Error(kInvalidInput) for flags that don't fit together
/// and for files that could not be written at the end.
ShipOptions Decide(ShipOptions options, const GlobalOptions& global) {
  const std::string& source = options.model.model;
  ChosenDevice(global);  // refused before the work
  if (IsEngineFile(source))
    ThrowInvalid("{} is an engine already: ship builds from the ONNX file; tenon verify judges an engine", source);
  if (options.model.build) ThrowInvalid("--build is for engines, and ship builds from the ONNX file");
  ParseOneBatch(options.model.batch);
  options.precisions = AskedPrecisions(options);
  const auto& asked = options.precisions;
  if (options.calibration_given && !asked.empty() && std::find(asked.begin(), asked.end(), "int8") == asked.end())
    ThrowInvalid(
        "--calibration, --calib-split, --max-images and --weight-rounding are for INT8, which --precision leaves out");
  ParseCalibrator(options.int8.calibration);
  if (options.output.empty()) options.output = fs::path(source).replace_extension(".tenon").string();
  for (const auto& [a, b] :
       {std::pair(options.output, source), {options.report, source}, {options.report, options.output}}) {
    if (!a.empty() && SameFile(a, b)) ThrowInvalid("{} would take the place of {}: give another name", a, b);
  }
  CheckWritable(options.output);
  if (!options.report.empty()) CheckWritable(options.report);
  return options;
}

/// The report of the engine that is shipped, or of the last that was verified, and what was tried.
Json ToJson(const ShipResult& result) {
  Json json = result.report.is_object() ? result.report : Json{{"passed", false}, {"checks", Json::array()}};
  if (!result.engine) json["engine"] = json["precision"] = nullptr;
  json["fallbacks"] = result.fallbacks;
  json["attempts"] = Json::array();
  for (const ShipAttempt& attempt : result.attempts) json["attempts"].push_back(ToJson(attempt));
  return json;
}

CommandResult Ship(const ShipOptions& given, const GlobalOptions& global) {
  const ShipOptions options = Decide(given, global);
  if (!global.quiet)
    PrintDevice(*ChosenDevice(global));
  const ShipResult result = SearchEngineToShip(options, global);
  CommandResult answer{.json = ToJson(result)};
  answer.text = AttemptsTable(answer.json["attempts"]);
  if (result.engine) {
    result.engine->reports[kVerifyReport] = answer.json.dump(2, ' ', false, Json::error_handler_t::replace);
    const int64_t size = WriteEngine(*result.engine, options.output);
    answer.json["size_bytes"] = size;
    answer.text += VerifyTable(answer.json);
    answer.text += fmt::format("shipped {}: {}, {:.1f} MB\n", options.output, result.attempts.back().settings.precision,
                               static_cast<double>(size) / 1e6);
  } else {
    answer.exit_code = static_cast<int>(ErrorCode::kGateFailed);
    answer.text += "nothing shipped\n";
    for (const Json& fallback : result.fallbacks)
      answer.text +=
          fmt::format("  {}: {}\n", fallback["precision"].get<std::string>(), fallback["reason"].get<std::string>());
  }
  if (!options.report.empty()) WriteTextFileAtomically(options.report, VerifyHtml(answer.json));
  return answer;
}

void AddCalibrationFlags(CLI::App& command, ShipOptions& options) {
  const std::vector<CLI::Option*> flags = {
      command.add_option("--calibration", options.int8.calibration,
                         "of the first INT8 engine: mse, entropy, percentile or minmax"),
      command.add_option("--calib-split", options.int8.split,
                         "images to calibrate on (default: train, or val where there is none)"),
      command
          .add_option("--max-images", options.int8.max_images,
                      "calibrate the first INT8 engine on at most so many images")
          ->check(CLI::Range(int64_t{1}, int64_t{1'000'000})),
      command.add_option("--weight-rounding", options.int8.weight_rounding, "of the first INT8 engine: nearest")};
  for (CLI::Option* flag : flags) flag->each([&options](const std::string&) { options.calibration_given = true; });
}

}  // namespace

void AddShip(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<ShipOptions>();
  CLI::App* command =
      app.add_subcommand("ship", "builds the fastest precision that passes verify, falling back by itself");
  AddModelFlags(*command, options->model);
  AddJudgeFlags(*command, options->judge);
  AddCalibrationFlags(*command, *options);
  command
      ->add_option("--precision", options->precisions,
                   "only these of int8,half,fp32 (default: all that the device has)")
      ->delimiter(',');
  command->add_option("-o,--output", options->output, "engine file (default: the source with suffix .tenon)");
  command->add_option("--report", options->report, "HTML page with the result and what was tried");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Ship(*options, global); }; });
}

}  // namespace tenon::cli
