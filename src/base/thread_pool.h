#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace tenon {

/// A fixed set of threads that share out numbered items of work, one job at a time. The caller works too. Items are
/// taken dynamically, so a thread that lost its core costs only the item it holds. One thread may call Run at a time.
class ThreadPool {
 public:
  /// `threads` includes the caller: 1 means no extra thread. Throws Error(kInvalidInput) when one can't be started.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls work(item, thread) for every item in [0, items); returns when all are done. `work` must not throw.
  /// A reference to the callable is kept during the call only: no allocation.
  template <class F>
  void Run(int64_t items, const F& work) {
    RunJob(
        items, [](const void* f, int64_t item, int thread) { (*static_cast<const F*>(f))(item, thread); }, &work);
  }

 private:
  using Invoke = void (*)(const void* work, int64_t item, int thread);
  void RunJob(int64_t items, Invoke invoke, const void* work);
  void WorkerLoop(int thread);
  void Stop();
  /// Takes one item of the current job and runs it; false when none is left.
  bool RunOneItem(int thread);

  // The job; written by the caller while no item can be taken (low half of ticket_ is 0), read only by a thread that
  // holds an item of it, which keeps the job from ending: no lock is needed.
  Invoke invoke_ = nullptr;
  const void* work_ = nullptr;
  int64_t items_ = 0;

  alignas(64) std::atomic<uint64_t> ticket_{0};  ///< job number << 32 | items not taken yet
  alignas(64) std::atomic<int64_t> done_{0};
  alignas(64) std::atomic<uint32_t> wake_{0};  ///< futex word: changes when sleepers should look again
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace tenon
