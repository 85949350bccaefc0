#pragma once
#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace tenon {

/// Another program, talked to over a socket that is its file descriptor 0. Its stdout and stderr are dropped. It has a
/// process group of its own, so that Ctrl-C on the terminal is for Tenon alone; the destructor kills it.
class ChildProcess {
 public:
  /// @param arguments the program (looked for in PATH) and its arguments
  /// Throws Error(kInvalidInput) when it can't be started.
  explicit ChildProcess(std::vector<std::string> arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Both throw Error(kInvalidInput) when the process is gone, Error(kInterrupted) after Ctrl-C.
  void Send(std::span<const std::byte> bytes);
  void Receive(std::span<std::byte> bytes);

 private:
  void WaitFor(short events);
  [[noreturn]] void ThrowGone();

  std::string program_;
  int socket_ = -1;
  pid_t pid_ = -1;
};

}  // namespace tenon
