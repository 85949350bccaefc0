#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/progress.h"

namespace tenon::cli {

/// Flags that every command takes.
struct GlobalOptions {
  bool json = false, quiet = false, verbose = false, no_color = false;
  std::string log_level = "warning";
  std::string device;  ///< "": the best there is
  int threads = 0;     ///< 0: all cores

  Progress::Mode progress() const { return quiet ? Progress::Mode::kQuiet : Progress::Mode::kShow; }
};

/// What a command leaves to print: JSON for --json, else text for people.
struct CommandResult {
  nlohmann::ordered_json json;
  std::string text;
  int exit_code = 0;
};

/// Set by the parsed subcommand.
using CommandBody = std::function<CommandResult(const GlobalOptions&)>;

// One function per subcommand, each in its own file; they declare the flags and set `body` when chosen.
void AddExport(CLI::App& app, CommandBody& body);
void AddVal(CLI::App& app, CommandBody& body);
void AddVerify(CLI::App& app, CommandBody& body);
void AddShip(CLI::App& app, CommandBody& body);
void AddPredict(CLI::App& app, CommandBody& body);
void AddRun(CLI::App& app, CommandBody& body);
void AddBenchmark(CLI::App& app, CommandBody& body);
void AddProfile(CLI::App& app, CommandBody& body);
void AddInspect(CLI::App& app, CommandBody& body);
void AddDevices(CLI::App& app, CommandBody& body);
/// Commands of the contract that later releases bring: they say so, with exit status 2.
void AddLaterCommands(CLI::App& app, CommandBody& body);

}  // namespace tenon::cli
