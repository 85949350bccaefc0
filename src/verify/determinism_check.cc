#include <fmt/format.h>

#include <cstring>
#include <thread>

#include "verify/checks.h"

namespace tenon {
namespace {

constexpr int kRunsAtOnce = 5;

/// A context with outputs of its own.
class Session {
 public:
  Session(const Engine& engine, int threads) : context_(engine.CreateContext({.threads = threads})) {
    for (const TensorInfo& info : engine.outputs()) outputs_.emplace_back(info.dtype, info.shape);
    for (Tensor& output : outputs_) pointers_.push_back(output.raw());
  }

  const std::vector<Tensor>& Run(const Tensor& input) {
    const void* pointer = input.raw();
    context_.Run(std::span(&pointer, 1), pointers_);
    return outputs_;
  }
  /// The outputs as memory of their own: the next run overwrites these.
  std::vector<Tensor> RunAndCopy(const Tensor& input) {
    std::vector<Tensor> copies;
    for (const Tensor& output : Run(input)) {
      copies.emplace_back(output.dtype(), output.shape());
      std::memcpy(copies.back().raw(), output.raw(), static_cast<size_t>(output.size_bytes()));
    }
    return copies;
  }

 private:
  Context context_;
  std::vector<Tensor> outputs_;
  std::vector<void*> pointers_;
};

int64_t CountDifferent(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  if (a.size() != b.size()) return static_cast<int64_t>(std::max(a.size(), b.size()));
  int64_t different = 0;
  for (size_t i = 0; i < a.size(); ++i) different += !Identical(a[i], b[i]);
  return different;
}

/// Different outputs over runs of two contexts at the same time.
int64_t RunTwoAtOnce(const Engine& engine, const Tensor& image, int threads, const std::vector<Tensor>& expected) {
  int64_t different[2] = {};
  std::exception_ptr errors[2];
  const auto work = [&](int which) {
    try {
      Session session(engine, threads);
      for (int i = 0; i < kRunsAtOnce; ++i) different[which] += CountDifferent(session.Run(image), expected);
    } catch (...) {
      errors[which] = std::current_exception();
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return different[0] + different[1];
}

}  // namespace

Check CheckDeterminism(const Engine& engine, const Tensor& image, int threads, const OtherProcess& other_process) {
  Session session(engine, threads);
  const std::vector<Tensor> expected = session.RunAndCopy(image);
  session.Run(Tensor(image.dtype(), image.shape()));  // a black image between: what it leaves in memory must not matter
  const int64_t again = CountDifferent(session.Run(image), expected);
  const int64_t at_once = RunTwoAtOnce(engine, image, threads, expected);
  const int64_t elsewhere = CountDifferent(other_process(image), expected);
  Check check{.name = "determinism", .status = PassIf(again + at_once + elsewhere == 0), .threshold = 0};
  check.value = static_cast<double>(again + at_once + elsewhere);
  const auto say = [](int64_t count) { return count == 0 ? "identical bytes" : "DIFFERENT"; };
  check.detail =
      fmt::format("the same image again: {}; in two contexts at once, {} times each: {}; in another process: {}",
                  say(again), kRunsAtOnce, say(at_once), say(elsewhere));
  check.more = {{"different_outputs", {{"again", again}, {"two_contexts", at_once}, {"two_processes", elsewhere}}}};
  return check;
}

}  // namespace tenon
