#include "base/file.h"
#include "cli/command.h"
#include "cli/verify_html.h"
#include "cli/verify_report.h"
#include "cli/verify_session.h"
#include "engine/engine_file.h"

namespace tenon::cli {
namespace {

struct VerifyOptions {
  ModelOptions model;
  JudgeOptions judge;
  std::string source, report, precision;
  bool no_save = false;
};

/// --source, or the model itself where that is an ONNX file.
std::string SourcePath(const VerifyOptions& options) {
  if (!options.source.empty()) return options.source;
  if (!IsEngineFile(options.model.model)) return options.model.model;
  ThrowInvalid({.what = "verify needs the model that the engine was made of",
                .where = "--source",
                .got = "nothing",
                .expected = "an ONNX file"});
}

CommandResult Verify(const VerifyOptions& options, const GlobalOptions& global) {
  ChosenDevice(global);  // refused before the work
  if (!options.report.empty()) CheckWritable(options.report);
  const std::string& path = options.model.model;
  const bool is_engine = IsEngineFile(path);
  VerifySession session(SourcePath(options), options.model, options.judge, global);
  const std::string file_digest = is_engine ? HashFile(path).ToString() : "";
  const LoadedModel model = LoadModel(options.model, global);
  const LayerTimes times = options.report.empty() ? LayerTimes::kLeaveOut : LayerTimes::kMeasure;
  Verification verified = session.Verify(model.file, path, options.precision, times);

  CommandResult answer{.json = std::move(verified.report)};
  answer.text = VerifyTable(answer.json);
  answer.exit_code = verified.matrix.passed() ? 0 : static_cast<int>(ErrorCode::kGateFailed);
  if (!options.report.empty()) WriteTextFileAtomically(options.report, VerifyHtml(answer.json));
  if (is_engine && !options.no_save) KeepInEngine(path, file_digest, answer.json);
  return answer;
}

}  // namespace

void AddVerify(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand("verify", "proves on labelled images that an engine still is its model");
  AddModelFlags(*command, options->model);
  AddJudgeFlags(*command, options->judge);
  command->add_option("--precision", options->precision, "what was asked for (default: what the engine says it is)")
      ->check(CLI::IsMember({"fp32", "half", "int8"}));
  command->add_option("--source", options->source, "the ONNX file that the engine was made of");
  command->add_option("--report", options->report, "HTML page with the result");
  command->add_flag("--no-save", options->no_save, "don't keep the result in the engine file");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Verify(*options, global); }; });
}

}  // namespace tenon::cli
