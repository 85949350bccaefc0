#include "fibers.h"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace {

constexpr size_t kStackBytes = 128 << 10;
constexpr unsigned char kPoison = 0xff;  // NaN as FP32 and as half

/// A copy under way, or (to == null) an arrival behind those before it.
struct Copy {
  void* to = nullptr;
  const void* from = nullptr;
  int bytes = 0, valid = 0;
  std::optional<unsigned> barrier;  ///< that is told of the bytes, or arrived at
};

struct Barrier {
  int count = 0, missing = 0, bytes = 0;
  unsigned phase = 0;
};

/// A thread of the block.
struct Fiber {
  ucontext_t context;  ///< to begin with; from then on it is left and entered by jumps, which cost no system call
  jmp_buf place;
  bool has_begun = false;
  EmulatedIndex index;
  unsigned warp = 0;
  bool has_ended = false;
  std::deque<Copy> copies;    ///< in the order they were begun
  std::deque<size_t> groups;  ///< copies of each group that is not known to be done
  size_t uncommitted = 0;
  std::optional<std::pair<unsigned, unsigned>> awaited;  ///< barrier and parity
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
    barriers_.clear();
    bulk_copies_.clear();
    for (unsigned i = 0; i < threads; ++i) {
      fibers_[i].index = {i % size.x, i / size.x % size.y, i / size.x / size.y};
      Start(fibers_[i], i);
    }
    while (failure_.empty()) {
      if (runnable_.empty() || random_() % 64 == 0) {
        if (!DoSomeCopy() && runnable_.empty()) break;
        continue;
      }
      std::swap(runnable_[random_() % runnable_.size()], runnable_.back());
      running_ = runnable_.back();
      runnable_.pop_back();
      emulator_.thread = running_->index;
      Resume(*running_);
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

  void CopyAsync(Copy copy) {
    running_->copies.push_back(copy);
    ++running_->uncommitted;
  }
  void CopyBulk(Copy copy) { bulk_copies_.push_back(copy); }
  void CommitCopies() { running_->groups.push_back(std::exchange(running_->uncommitted, 0)); }
  void WaitCopies(size_t left) {
    Fiber& fiber = *running_;
    size_t until = fiber.uncommitted;  // copies that may stay under way
    for (size_t i = 0; i < std::min(left, fiber.groups.size()); ++i) until += fiber.groups[fiber.groups.size() - 1 - i];
    while (fiber.copies.size() > until) DoCopy(fiber);
    while (fiber.groups.size() > left) fiber.groups.pop_front();
  }

  void InitBarrier(unsigned barrier, int count) { barriers_[barrier] = {.count = count, .missing = count}; }
  void Arrive(unsigned barrier, int expected_bytes) {
    Barrier* at = Find(barrier);
    if (at == nullptr) return;
    at->bytes += expected_bytes;
    if (--at->missing < 0) failure_ = "more arrivals at a barrier than it waits for";
    EndPhase(barrier, *at);
  }
  void WaitBarrier(unsigned barrier, unsigned parity) {
    const Barrier* at = Find(barrier);
    if (at != nullptr && (at->phase & 1) != parity) return;
    running_->awaited = {barrier, parity};
    Yield();
  }

  void Fail(const char* why) {
    failure_ = why;
    Yield();  // never to come back
  }

 private:
  void Start(Fiber& fiber, unsigned thread) {
    fiber.warp = thread / 32;
    static std::vector<std::unique_ptr<char[]>> stacks;  // of all blocks, one after another
    if (stacks.size() <= thread) stacks.push_back(std::make_unique_for_overwrite<char[]>(kStackBytes));
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks[thread].get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = nullptr;
    makecontext(
        &fiber.context, [] { Current().RunThread(); }, 0);
    runnable_.push_back(&fiber);
  }
  void RunThread() {
    kernel_.run(arguments_);
    if (!running_->copies.empty()) failure_ = "a thread ends with copies that nothing has waited for";
    running_->has_ended = true;
    _longjmp(scheduler_, 1);
  }
  void Resume(Fiber& fiber) {
    if (_setjmp(scheduler_) != 0) return;
    if (fiber.has_begun) _longjmp(fiber.place, 1);
    fiber.has_begun = true;
    setcontext(&fiber.context);
  }
  Barrier* Find(unsigned barrier) {
    const auto found = barriers_.find(barrier);
    if (found == barriers_.end()) failure_ = "a barrier that was not initialised";
    return found == barriers_.end() ? nullptr : &found->second;
  }
  void EndPhase(unsigned address, Barrier& barrier) {
    if (barrier.missing > 0 || barrier.bytes != 0) return;
    barrier.missing = barrier.count;
    ++barrier.phase;
    for (Fiber& fiber : fibers_) {
      if (!fiber.awaited || fiber.awaited->first != address || fiber.awaited->second == (barrier.phase & 1)) continue;
      fiber.awaited.reset();
      runnable_.push_back(&fiber);
    }
  }
  void DoCopy(Fiber& fiber) { Do(TakeFirst(fiber.copies)); }
  static Copy TakeFirst(std::deque<Copy>& copies) {
    const Copy copy = copies.front();
    copies.pop_front();
    return copy;
  }
  void Do(const Copy& copy) {
    if (copy.to == nullptr) return Arrive(*copy.barrier, 0);
    std::memset(copy.to, 0, static_cast<size_t>(copy.bytes));
    if (copy.valid > 0) std::memcpy(copy.to, copy.from, static_cast<size_t>(std::min(copy.valid, copy.bytes)));
    Barrier* at = copy.barrier ? Find(*copy.barrier) : nullptr;
    if (at == nullptr) return;
    at->bytes -= copy.bytes;
    EndPhase(*copy.barrier, *at);
  }
  /// Some copy that is under way is done. @return whether there was one
  bool DoSomeCopy() {
    if (!bulk_copies_.empty() && random_() % 2 == 0) return Do(TakeFirst(bulk_copies_)), true;
    const size_t first = random_() % fibers_.size();
    for (size_t i = 0; i < fibers_.size(); ++i) {
      Fiber& fiber = fibers_[(first + i) % fibers_.size()];
      if (fiber.copies.empty()) continue;
      const auto group = std::find_if(fiber.groups.begin(), fiber.groups.end(), [](size_t left) { return left > 0; });
      --(group == fiber.groups.end() ? fiber.uncommitted : *group);
      DoCopy(fiber);
      return true;
    }
    if (bulk_copies_.empty()) return false;
    return Do(TakeFirst(bulk_copies_)), true;
  }
  void Release(std::vector<Fiber*>& waiting) {
    runnable_.insert(runnable_.end(), waiting.begin(), waiting.end());
    waiting.clear();
  }
  void ReleaseBlock() {
    const auto left = std::count_if(fibers_.begin(), fibers_.end(), [](const Fiber& f) { return !f.has_ended; });
    if (static_cast<ptrdiff_t>(at_barrier_.size()) == left) Release(at_barrier_);
  }
  void Yield() {
    if (_setjmp(running_->place) == 0) _longjmp(scheduler_, 1);
  }

  static inline Block* current_ = nullptr;
  Emulator& emulator_;
  const EmulatedKernel& kernel_;
  const void* arguments_;
  std::mt19937 random_;
  jmp_buf scheduler_;
  std::vector<Fiber> fibers_;
  std::vector<Fiber*> runnable_, at_barrier_;
  std::vector<Warp> warps_;
  std::map<unsigned, Barrier> barriers_;
  std::deque<Copy> bulk_copies_;  ///< of all threads, which need not wait for them
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
      .sync_warp =
          [](const void* in, void* out, void (*compute)(const void* const*, void* const*)) {
            Block::Current().SyncWarp(in, out, compute);
          },
      .copy_async =
          [](void* to, const void* from, int bytes, int valid) {
            Block::Current().CopyAsync({to, from, bytes, valid, {}});
          },
      .commit_copies = [] { Block::Current().CommitCopies(); },
      .wait_copies = [](int left) { Block::Current().WaitCopies(static_cast<size_t>(left)); },
      .init_barrier = [](unsigned barrier, int count) { Block::Current().InitBarrier(barrier, count); },
      .arrive = [](unsigned barrier, int bytes) { Block::Current().Arrive(barrier, bytes); },
      .arrive_when_copied = [](unsigned barrier) { Block::Current().CopyAsync({.barrier = barrier}); },
      .wait_barrier = [](unsigned barrier, unsigned parity) { Block::Current().WaitBarrier(barrier, parity); },
      .copy_bulk =
          [](void* to, const void* from, int bytes, unsigned barrier) {
            Block::Current().CopyBulk({to, from, bytes, bytes, barrier});
          },
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
