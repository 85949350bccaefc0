#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/error.h"

namespace tenon {
namespace {

constexpr uint64_t kItemsMask = 0xffffffffu;
// About 50 us: longer than the gap between two steps of a network, far shorter than a time slice.
constexpr int kSpins = 2000;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { WorkerLoop(i); });
  } catch (const std::system_error& error) {
    Stop();  // threads that are neither joined nor detached would end the process
    ThrowInvalid({.what = "can't start a thread",
                  .got = error.what(),
                  .expected = fmt::format("{} threads", threads),
                  .hint = "Ask for fewer threads, or raise the process's limits."});
  } catch (...) {
    Stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::Stop() {
  stop_ = true;
  wake_.fetch_add(1);
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

bool ThreadPool::RunOneItem(int thread) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if ((ticket & kItemsMask) == 0) return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire));
  invoke_(work_, items_ - static_cast<int64_t>(ticket & kItemsMask), thread);
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

void ThreadPool::RunJob(int64_t items, Invoke invoke, const void* work) {
  TENON_CHECK(items >= 0 && items <= static_cast<int64_t>(kItemsMask), "{} items", items);
  if (items <= 1 || workers_.empty()) {
    for (int64_t item = 0; item < items; ++item) invoke(work, item, 0);
    return;
  }
  invoke_ = invoke;
  work_ = work;
  items_ = items;
  done_.store(0, std::memory_order_relaxed);
  const uint64_t job = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store(job << 32 | static_cast<uint64_t>(items), std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    wake_.fetch_add(1, std::memory_order_seq_cst);
    wake_.notify_all();
  }
  while (RunOneItem(0)) {
  }
  for (int spins = 0; done_.load(std::memory_order_acquire) != items; ++spins) {
    if (spins < kSpins)
      Pause();
    else
      std::this_thread::yield();
  }
}

void ThreadPool::WorkerLoop(int thread) {
  while (!stop_) {
    int spins = 0;
    while (spins < kSpins && !stop_) {
      if (RunOneItem(thread)) {
        spins = 0;
      } else {
        Pause();
        ++spins;
      }
    }
    const uint32_t seen = wake_.load(std::memory_order_seq_cst);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    // Work or the end may have come between the last look and the registration as a sleeper.
    const bool idle = (ticket_.load(std::memory_order_seq_cst) & kItemsMask) == 0 && !stop_;
    if (idle) wake_.wait(seen, std::memory_order_seq_cst);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }
}

}  // namespace tenon
