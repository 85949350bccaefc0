#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <system_error>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/one_line.h"
#include "cli/arguments.h"
#include "cli/command.h"

namespace tenon::cli {
namespace {

void SetUpLogging(const GlobalOptions& global) {
  const std::string level = global.quiet ? "error" : global.verbose ? "info" : global.log_level;
  Log().set_level(spdlog::level::from_str(level == "warning" ? "warn" : level));
  const bool color = !global.no_color && !std::getenv("NO_COLOR") && isatty(STDERR_FILENO);
  if (!color) Log().set_pattern("%l: %v");
}

void AddGlobalFlags(CLI::App& app, GlobalOptions& global) {
  app.add_flag("--json", global.json, "one JSON object on stdout when done");
  app.add_flag("-q,--quiet", global.quiet, "no progress, no warnings");
  app.add_flag("-v,--verbose", global.verbose, "say why kernels were refused and how long candidates took");
  app.add_option("--log-level", global.log_level, "trace, debug, info, warning, error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.add_flag("--no-color", global.no_color, "plain text (NO_COLOR is honoured too)");
  app.add_option("--device", global.device, "cpu, cuda, cuda:N or reference");
  app.add_option("--threads", global.threads, "CPU threads (default: all cores)")->check(CLI::Range(1, 1024));
}

int Fail(const GlobalOptions& global, ErrorCode code, const std::string& text) {
  const std::string message = OneLine(text);
  fmt::print(stderr, "error: {}\n", message);
  if (global.json) {
    const nlohmann::ordered_json json = {{"error", {{"code", static_cast<int>(code)}, {"message", message}}}};
    std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  }
  return static_cast<int>(code);
}

int Run(GlobalOptions& global, const CommandBody& body) {
  SetUpLogging(global);
  const CommandResult result = body(global);
  if (global.json)
    std::cout << result.json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  else
    std::cout << result.text;
  std::cout.flush();
  if (!std::cout) ThrowInvalid("can't write the result to stdout");
  return result.exit_code;
}

/// A standard stream that the caller closed is /dev/null: else the next file opened has its number, and messages go
/// there.
void OpenClosedStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0) _exit(2);
  }
}

int Main(int argc, char** argv) {
  OpenClosedStreams();
  InstallInterruptHandler();
  GlobalOptions global;
  CommandBody body;
  CLI::App app(
      "Tenon compiles a trained detector (ONNX) into a fused engine for this very device and measures that it still is "
      "the model.",
      "tenon");
  app.set_version_flag("--version", TENON_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // global flags may stand after the command
  AddGlobalFlags(app, global);
  AddExport(app, body);
  AddVal(app, body);
  AddVerify(app, body);
  AddShip(app, body);
  AddPredict(app, body);
  AddRun(app, body);
  AddBenchmark(app, body);
  AddProfile(app, body);
  AddInspect(app, body);
  AddDevices(app, body);
  AddLaterCommands(app, body);
  std::vector<std::string> arguments = TranslateKeyValues({argv + 1, argv + argc});
  // CLI11 wants them last first. --json is looked for by hand, so that parse errors honour it.
  global.json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  const bool json = global.json;
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    global.json = json;
    return Fail(global, ErrorCode::kInvalidInput, fmt::format("{}. Run tenon --help", error.what()));
  }
  try {
    return Run(global, body);
  } catch (const Error& error) {
    return Fail(global, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return Fail(global, ErrorCode::kInvalidInput, "out of memory");
  } catch (const std::system_error& error) {  // a folder that is gone, a pipe that nobody reads
    return Fail(global, ErrorCode::kInvalidInput, error.what());
  } catch (const std::exception& error) {
    return Fail(global, ErrorCode::kInternal, fmt::format("internal error: {}", error.what()));
  }
}

}  // namespace
}  // namespace tenon::cli

int main(int argc, char** argv) { return tenon::cli::Main(argc, argv); }
