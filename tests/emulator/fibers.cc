#include "fibers.h"

#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace {

constexpr size_t kStackBytes = 256 << 10;
constexpr unsigned char kPoison = 0xff;  // NaN as FP32 and as half

struct Copy {
  void* to;
  const void* from;
  int bytes, valid;
};

/// A thread of the block.
struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  EmulatedIndex index;
  unsigned warp = 0;
  bool has_ended = false;
  std::vector<Copy> uncommitted;
  std::deque<std::vector<Copy>> groups;
};

struct Warp {
  std::vector<Fiber*> waiting;
  const void* in[32];
  void* out[32];
};

/// The block that is running. Kernels call back without an argument: there is one at a time (the driver's lock).
class Block {
 public:
  Block(Emulator& emulator, const EmulatedKernel& kernel, const void* arguments, unsigned seed)
      : emulator_(emulator), kernel_(kernel), arguments_(arguments), random_(seed) {}

  std::string Run(EmulatedIndex size) {
    current_ = this;
    const unsigned threads = size.x * size.y * size.z;
    if (threads % 32 != 0) return "blocks of whole warps alone are emulated";
    fibers_.clear();
    fibers_.resize(threads);
    warps_.assign(threads / 32, {});
    for (unsigned i = 0; i < threads; ++i) {
      fibers_[i].index = {i % size.x, i / size.x % size.y, i / size.x / size.y};
      Start(fibers_[i], i);
    }
    while (!runnable_.empty() && failure_.empty()) {
      std::swap(runnable_[random_() % runnable_.size()], runnable_.back());
      running_ = runnable_.back();
      runnable_.pop_back();
      emulator_.thread = running_->index;
      swapcontext(&scheduler_, &running_->context);
      if (running_->has_ended) ReleaseBlock();  // the others don't wait for it any more
    }
    const bool stuck = std::any_of(fibers_.begin(), fibers_.end(), [](const Fiber& f) { return !f.has_ended; });
    if (failure_.empty() && stuck) return "some threads wait for others that have ended, or never come";
    return failure_;
  }

  static Block& Current() { return *current_; }

  void SyncBlock() {
    at_barrier_.push_back(running_);
    ReleaseBlock();
    Yield();
  }

  void SyncWarp(const void* in, void* out, void (*compute)(const void* const*, void* const*)) {
    Warp& warp = warps_[running_->warp];
    const size_t lane = static_cast<size_t>(running_ - fibers_.data()) % 32;
    warp.in[lane] = in;
    warp.out[lane] = out;
    warp.waiting.push_back(running_);
    if (warp.waiting.size() == 32) {
      compute(warp.in, warp.out);
      Release(warp.waiting);
    }
    Yield();
  }

  void CopyAsync(Copy copy) { running_->uncommitted.push_back(copy); }
  void CommitCopies() { running_->groups.push_back(std::exchange(running_->uncommitted, {})); }
  void WaitCopies(size_t left) {
    for (; running_->groups.size() > left; running_->groups.pop_front()) {
      for (const Copy& copy : running_->groups.front()) {
        std::memset(copy.to, 0, static_cast<size_t>(copy.bytes));
        if (copy.valid > 0) std::memcpy(copy.to, copy.from, static_cast<size_t>(std::min(copy.valid, copy.bytes)));
      }
    }
  }

  void Fail(const char* why) {
    failure_ = why;
    Yield();  // never to come back
  }

 private:
  void Start(Fiber& fiber, unsigned thread) {
    fiber.warp = thread / 32;
    fiber.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = &scheduler_;
    makecontext(&fiber.context, [] { Current().RunThread(); }, 0);
    runnable_.push_back(&fiber);
  }
  void RunThread() {
    kernel_.run(arguments_);
    if (!running_->uncommitted.empty()) failure_ = "a thread ends with copies that it hasn't committed";
    running_->has_ended = true;
  }
  void Release(std::vector<Fiber*>& waiting) {
    runnable_.insert(runnable_.end(), waiting.begin(), waiting.end());
    waiting.clear();
  }
  void ReleaseBlock() {
    const auto left = std::count_if(fibers_.begin(), fibers_.end(), [](const Fiber& f) { return !f.has_ended; });
    if (static_cast<ptrdiff_t>(at_barrier_.size()) == left) Release(at_barrier_);
  }
  void Yield() { swapcontext(&running_->context, &scheduler_); }

  static inline Block* current_ = nullptr;
  Emulator& emulator_;
  const EmulatedKernel& kernel_;
  const void* arguments_;
  std::mt19937 random_;
  ucontext_t scheduler_;
  std::vector<Fiber> fibers_;
  std::vector<Fiber*> runnable_, at_barrier_;
  std::vector<Warp> warps_;
  Fiber* running_ = nullptr;
  std::string failure_;
};

}  // namespace

std::string RunEmulatedKernel(const EmulatedKernel& kernel, const void* arguments, EmulatedIndex grid,
                              EmulatedIndex block, unsigned shared_bytes, unsigned seed) {
  if (shared_bytes > kernel.shared_bytes) return "more shared memory than is emulated";
  Emulator emulator{
      .block_size = block,
      .grid_size = grid,
      .shared_bytes = shared_bytes,
      .sync_block = [] { Block::Current().SyncBlock(); },
      .sync_warp = [](const void* in, void* out,
                      void (*compute)(const void* const*, void* const*)) { Block::Current().SyncWarp(in, out, compute); },
      .copy_async = [](void* to, const void* from, int bytes,
                       int valid) { Block::Current().CopyAsync({to, from, bytes, valid}); },
      .commit_copies = [] { Block::Current().CommitCopies(); },
      .wait_copies = [](int left) { Block::Current().WaitCopies(static_cast<size_t>(left)); },
      .fail = [](const char* why) { Block::Current().Fail(why); }};
  *kernel.emulator = &emulator;
  std::vector<unsigned> order(size_t{grid.x} * grid.y * grid.z);
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  Block runner(emulator, kernel, arguments, seed);
  for (const unsigned i : order) {
    emulator.block = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    std::memset(kernel.shared_memory, kPoison, shared_bytes);
    if (std::string why = runner.Run(block); !why.empty())
      return why + " (block " + std::to_string(i) + ", thread " + std::to_string(emulator.thread.x) + ")";
  }
  return {};
}
