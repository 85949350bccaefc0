#include "base/error.h"
#include "cli/command.h"

namespace tenon::cli {

void AddLaterCommands(CLI::App& app, CommandBody& body) {
  for (const char* name : {"merge"}) {
    CLI::App* command = app.add_subcommand(name, "comes with a later release");
    // Whatever follows is swallowed here: falling through to the program, it would be an unknown argument.
    command->allow_extras()->fallthrough(false);
    command->callback([name, &body] {
      body = [name](const GlobalOptions&) -> CommandResult {
        ThrowInvalid(
            "tenon {} comes with a later release; this one has export, val, verify, ship, predict, run, benchmark, "
            "profile, inspect "
            "and devices",
            name);
      };
    });
  }
}

}  // namespace tenon::cli
