#pragma once
// Between the emulated driver, which runs kernels, and the kernels, which it compiles for the CPU from their own texts.
// No standard header: every kernel's translation unit reads this.

struct EmulatedIndex {
  unsigned x, y, z;
};

/// What a kernel may ask of the machine that runs it. A block's threads are fibers that give way to each other at these
/// calls alone, in an order drawn at random, so that a barrier that is missing shows.
struct Emulator {
  EmulatedIndex thread, block, block_size, grid_size;  ///< of the fiber that is running
  unsigned shared_bytes;                               ///< dynamic shared memory of the launch

  /// Returns when all threads of the block that haven't ended are there.
  void (*sync_block)();
  /// Returns when all 32 lanes of the warp are there: the last one computes every lane's `out` from all of `in`.
  void (*sync_warp)(const void* in, void* out, void (*compute)(const void* const* in, void* const* out));
  /// An asynchronous copy: done when its thread waits for the group it was committed in, or at any time before.
  void (*copy_async)(void* to, const void* from, int bytes, int valid);
  void (*commit_copies)();
  void (*wait_copies)(int groups_left);
  /// Barriers in shared memory (sm_90), by their address: a phase ends when `count` arrivals and all the bytes that
  /// they expect are there.
  void (*init_barrier)(unsigned barrier, int count);
  void (*arrive)(unsigned barrier, int expected_bytes);
  void (*arrive_when_copied)(unsigned barrier);
  void (*wait_barrier)(unsigned barrier, unsigned parity);
  void (*copy_bulk)(void* to, const void* from, int bytes, unsigned barrier);
  /// Ends the run with a message: an access out of bounds, say.
  void (*fail)(const char* why);
};

/// What a compiled kernel exports, as `emulated_kernel`.
struct EmulatedKernel {
  Emulator** emulator;  ///< set before it runs
  void (*run)(const void* arguments);
  unsigned long arguments_bytes;
  unsigned char* shared_memory;  ///< dynamic
  unsigned long shared_bytes;    ///< at most
};
