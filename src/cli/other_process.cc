#include "cli/other_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "cli/npy.h"
#include "engine/engine_file.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

/// A new folder under the system's one for temporary files.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    const fs::path place = fs::temp_directory_path(error);
    if (error)
      ThrowInvalid(
          {.what = "no folder for temporary files", .got = error.message(), .hint = "Set TMPDIR to a folder."});
    path_ = (place / "tenon-verify-XXXXXX").string();
    if (!mkdtemp(path_.data()))
      ThrowInvalid({.what = "can't make a temporary folder", .where = path_, .got = std::strerror(errno)});
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string File(const std::string& name) const { return (fs::path(path_) / name).string(); }

 private:
  std::string path_;
};

/// This program, running with other arguments. The destructor ends it where it still runs.
class Child {
 public:
  Child(std::vector<std::string> arguments, const std::string& stdout_file, const std::string& stderr_file) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, stdout_file.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, stderr_file.c_str(), O_WRONLY | O_CREAT, 0600);
    const int error = posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
      ThrowInvalid({.what = "can't start another process", .where = "/proc/self/exe", .got = std::strerror(error)});
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Its exit status, or 128 + the signal that ended it. Throws Error(kInterrupted) after Ctrl-C.
  int Wait() {
    constexpr int kPollMs = 10;
    int status = 0;
    for (pid_t done = 0; done != pid_;) {
      CheckInterrupt();
      done = waitpid(pid_, &status, WNOHANG);
      if (done < 0 && errno != EINTR) ThrowInvalid({.what = "can't wait for a process", .got = std::strerror(errno)});
      if (done == 0) poll(nullptr, 0, kPollMs);
    }
    pid_ = -1;
    CheckInterrupt();  // Ctrl-C on a terminal reached the other process too
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace

std::vector<Tensor> RunInOtherProcess(const EngineModel& model, const std::string& device, int threads,
                                      const Tensor& input) {
  const TemporaryFolder folder;
  const std::string engine = folder.File("engine.tenon"), array = folder.File("input.npy");
  const std::string out = folder.File("stdout"), err = folder.File("stderr");
  WriteEngine(model, engine);
  WriteNpy(input, array);
  std::vector<std::string> arguments = {"tenon",          "run",
                                        engine,           "--inputs=" + model.inputs.at(0).name + "=" + array,
                                        "--save-outputs", folder.File("outputs"),
                                        "--warmup-ms",    "0",
                                        "--duration-s",   "0",
                                        "--iterations",   "1",
                                        "--json"};
  if (!device.empty()) arguments.insert(arguments.end(), {"--device", device});
  if (threads > 0) arguments.insert(arguments.end(), {"--threads", std::to_string(threads)});
  const int code = Child(std::move(arguments), out, err).Wait();
  if (code != 0) {
    throw Error(ErrorCode::kInternal, fmt::format("running the engine in another process failed: got status {}, {}",
                                                  code, ReadTextFile(err)));
  }
  const auto json = nlohmann::json::parse(ReadTextFile(out));
  std::vector<Tensor> outputs;
  for (const auto& output : json.at("outputs")) outputs.push_back(ReadNpy(output.at("file").get<std::string>()));
  return outputs;
}

}  // namespace tenon::cli
