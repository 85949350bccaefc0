#include "base/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "base/error.h"

namespace tenon {
namespace {
volatile std::sig_atomic_t interrupted = 0;

void OnSignal(int) {
  if (interrupted) _exit(130);
  interrupted = 1;
}
}  // namespace

void InstallInterruptHandler() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A file that reaches the process's size limit is an error of write(), as a full disk is, not the end of the process.
  action.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &action, nullptr);
}

void CheckInterrupt() {
  if (interrupted) throw Error(ErrorCode::kInterrupted, "interrupted");
}

}  // namespace tenon
