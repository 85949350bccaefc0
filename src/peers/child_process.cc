#include "peers/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/interrupt.h"

namespace tenon {
namespace {

/// What posix_spawn wants, freed on every way out.
struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> arguments) : program_(arguments.at(0)) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    ThrowInvalid({.what = "can't make a socket", .got = std::strerror(errno)});
  SpawnSettings settings;
  posix_spawn_file_actions_adddup2(&settings.files, sockets[1], STDIN_FILENO);
  posix_spawn_file_actions_addopen(&settings.files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&settings.files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error = posix_spawnp(&pid_, argv[0], &settings.files, &settings.attributes, argv.data(), environ);
  close(sockets[1]);
  socket_ = sockets[0];
  if (error == 0) return;
  close(socket_);  // no destructor runs
  ThrowInvalid({.what = "can't start the program", .where = program_, .got = std::strerror(error)});
}

ChildProcess::~ChildProcess() {
  close(socket_);
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::ThrowGone() {
  ThrowInvalid({.what = "the other program ended before it was done", .where = program_});
}

void ChildProcess::WaitFor(short events) {
  pollfd wait{.fd = socket_, .events = events, .revents = 0};
  do {
    CheckInterrupt();
  } while (poll(&wait, 1, 100) <= 0);
}

void ChildProcess::Send(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    WaitFor(POLLOUT);
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) ThrowGone();
    if (sent > 0) bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

void ChildProcess::Receive(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    WaitFor(POLLIN);
    const ssize_t received = recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR)) ThrowGone();
    if (received > 0) bytes = bytes.subspan(static_cast<size_t>(received));
  }
}

}  // namespace tenon
