// Runs in the caller's streams and on the caller's buffers, on the GPU at hand: whatever the way, the bits are those of
// a plain run. A line for each check; exit status 1 where one fails.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "gpu/runtime_net.h"

namespace tenon::gpu_testing {
namespace {

using cuda::DeviceBuffer;
using cuda::DevicePtr;

template <class T = void>
T* Pointer(DevicePtr address) {
  return reinterpret_cast<T*>(address);
}

/// An engine, images, and what a plain run makes of each.
struct Lab {
  static constexpr size_t kImages = 4;

  Lab()
      : device(CudaDevice::Open(0)),
        driver(device.gpu().driver()),
        engine(MakeEngine(CompileNet(device, 2), device)),
        image_bytes(Bytes(engine.inputs()[0])),
        scores_bytes(Bytes(engine.outputs()[0])),
        sums_bytes(Bytes(engine.outputs()[1])) {
    Context context = engine.CreateContext();
    for (uint32_t i = 0; i < kImages; ++i) {
      images.push_back(RandomFloats(image_bytes / 4, i + 1));
      scores.emplace_back(scores_bytes / 4);
      sums.emplace_back(sums_bytes / 4);
      context.Run({images[i].data()}, {scores[i].data(), sums[i].data()});
    }
    TENON_CHECK(scores[0] != scores[1], "the network doesn't look at its input");
    TENON_CHECK(context.copied_bytes() == static_cast<int64_t>(image_bytes + scores_bytes + sums_bytes));
  }
  static size_t Bytes(const TensorInfo& info) { return static_cast<size_t>(internal::SizeBytes(info)); }

  CudaDevice device;
  const cuda::Driver& driver;
  Engine engine;
  size_t image_bytes, scores_bytes, sums_bytes;
  std::vector<std::vector<float>> images, scores, sums;
};

/// A set of tensors in the GPU's memory, `shift` bytes from where kernels could use them.
struct DeviceTensors {
  DeviceTensors(const Lab& lab, size_t shift = 0)
      : lab(lab),
        image(lab.driver, lab.image_bytes + shift, "an image"),
        scores(lab.driver, lab.scores_bytes + shift, "scores"),
        sums(lab.driver, lab.sums_bytes + shift, "sums"),
        input(Pointer(image.address() + shift)),
        outputs{Pointer(scores.address() + shift), Pointer(sums.address() + shift)} {}
  void Put(size_t i) const {
    lab.driver.Check(
        lab.driver.api().copy_to_device(reinterpret_cast<DevicePtr>(input), lab.images[i].data(), lab.image_bytes),
        "copy");
    scores.Fill(0xff);
    sums.Fill(0xff);
  }
  /// Whether the outputs are image `i`'s.
  bool Holds(size_t i) const {
    std::vector<float> got_scores(lab.scores[i].size()), got_sums(lab.sums[i].size());
    const auto get = [&](std::vector<float>& to, void* from) {
      lab.driver.Check(lab.driver.api().copy_to_host(to.data(), reinterpret_cast<DevicePtr>(from), to.size() * 4),
                       "copy");
    };
    get(got_scores, outputs[0]);
    get(got_sums, outputs[1]);
    return got_scores == lab.scores[i] && got_sums == lab.sums[i];
  }

  const Lab& lab;
  DeviceBuffer image, scores, sums;
  const void* input;
  std::vector<void*> outputs;
};

void CheckInPlace(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  DeviceTensors tensors(lab);
  for (size_t i = 0; i < Lab::kImages; ++i) {
    tensors.Put(i);
    context.Run(std::span(&tensors.input, 1), tensors.outputs);
    TENON_CHECK(tensors.Holds(i), "image {}", i);
    TENON_CHECK(context.copied_bytes() == 0, "{} bytes were copied", context.copied_bytes());
    TENON_CHECK(context.device_us() > 0);
  }
}

void CheckMisaligned(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  DeviceTensors tensors(lab, 4);
  tensors.Put(1);
  context.Run(std::span(&tensors.input, 1), tensors.outputs);
  TENON_CHECK(tensors.Holds(1));
  TENON_CHECK(context.copied_bytes() > 0);
}

void CheckPinned(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  const HostMemory image = lab.engine.AllocateHost(lab.image_bytes), scores = lab.engine.AllocateHost(lab.scores_bytes),
                   sums = lab.engine.AllocateHost(lab.sums_bytes);
  const cuda::Stream stream(lab.driver);
  const void* input = image.data();
  std::vector<void*> outputs = {scores.data(), sums.data()};
  for (size_t i = 0; i < Lab::kImages; ++i) {
    std::memcpy(image.data(), lab.images[i].data(), lab.image_bytes);
    context.RunAsync(std::span(&input, 1), outputs, stream.handle());
    stream.Synchronize();  // the caller's own wait is enough
    TENON_CHECK(std::memcmp(scores.data(), lab.scores[i].data(), lab.scores_bytes) == 0, "image {}", i);
    TENON_CHECK(std::memcmp(sums.data(), lab.sums[i].data(), lab.sums_bytes) == 0, "image {}", i);
  }
}

/// More sets than a context remembers, each with an image of its own, many runs behind each other; then once more.
void CheckManyBuffers(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  const cuda::Stream stream(lab.driver);
  std::vector<std::unique_ptr<DeviceTensors>> sets;
  for (size_t i = 0; i < 20; ++i) sets.push_back(std::make_unique<DeviceTensors>(lab));
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < sets.size(); ++i) sets[i]->Put((i + static_cast<size_t>(round)) % Lab::kImages);
    for (auto& set : sets) context.RunAsync(std::span(&set->input, 1), set->outputs, stream.handle());
    context.Synchronize();
    for (size_t i = 0; i < sets.size(); ++i)
      TENON_CHECK(sets[i]->Holds((i + static_cast<size_t>(round)) % Lab::kImages), "set {}", i);
  }
}

/// One context, runs in turns in two streams and the default stream, nobody waits in between.
void CheckManyStreams(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  const cuda::Stream first(lab.driver), second(lab.driver);
  const cuda::StreamHandle streams[] = {first.handle(), second.handle(), nullptr};
  std::vector<std::unique_ptr<DeviceTensors>> sets;
  for (size_t i = 0; i < 12; ++i) {
    sets.push_back(std::make_unique<DeviceTensors>(lab));
    sets.back()->Put(i % Lab::kImages);
  }
  for (size_t i = 0; i < sets.size(); ++i)
    context.RunAsync(std::span(&sets[i]->input, 1), sets[i]->outputs, streams[i % 3]);
  context.Synchronize();
  for (size_t i = 0; i < sets.size(); ++i) TENON_CHECK(sets[i]->Holds(i % Lab::kImages), "set {}", i);
}

/// What is in the stream before comes first: the image gets there only then.
void CheckOrder(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  DeviceTensors tensors(lab);
  const HostMemory image = lab.engine.AllocateHost(lab.image_bytes);
  std::memcpy(image.data(), lab.images[2].data(), lab.image_bytes);
  const cuda::Stream stream(lab.driver);
  tensors.Put(0);
  stream.CopyFromHost(reinterpret_cast<DevicePtr>(tensors.input), image.data(), lab.image_bytes);
  context.RunAsync(std::span(&tensors.input, 1), tensors.outputs, stream.handle());
  stream.Synchronize();
  TENON_CHECK(tensors.Holds(2));
}

void CheckFreedWhileRunning(const Lab& lab) {
  const cuda::Stream stream(lab.driver);
  DeviceTensors tensors(lab);
  tensors.Put(3);
  {
    Context context = lab.engine.CreateContext();
    for (int i = 0; i < 50; ++i) context.RunAsync(std::span(&tensors.input, 1), tensors.outputs, stream.handle());
  }
  stream.Synchronize();
  TENON_CHECK(tensors.Holds(3));
}

void CheckRefusals(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  DeviceTensors tensors(lab);
  const cuda::Stream stream(lab.driver);
  bool is_refused = false;
  try {
    const cuda::Graph recording(lab.driver, stream, [&] {
      try {
        context.RunAsync(std::span(&tensors.input, 1), tensors.outputs, stream.handle());
      } catch (const Error& error) {
        is_refused = error.code() == ErrorCode::kInvalidInput;
        fmt::print("        {}\n", error.what());
      }
    });
  } catch (const Error&) {  // an empty graph may be refused, too
  }
  TENON_CHECK(is_refused, "a stream that is being recorded was taken");
  tensors.Put(1);
  context.RunAsync(std::span(&tensors.input, 1), tensors.outputs, stream.handle());  // and does no harm
  context.Synchronize();
  TENON_CHECK(tensors.Holds(1));
}

/// The caller's own context stays current.
void CheckContextStays(const Lab& lab) {
  cuda::ContextHandle none = nullptr, after = nullptr;
  lab.driver.Check(lab.driver.api().context_set(nullptr), "unset the context");
  std::vector<float> scores(lab.scores[0].size()), sums(lab.sums[0].size());
  lab.engine.CreateContext().Run({lab.images[0].data()}, {scores.data(), sums.data()});
  lab.driver.Check(lab.driver.api().context_get(&after), "say its context");
  lab.device.gpu().Use();
  TENON_CHECK(after == none, "the caller's context was replaced");
  TENON_CHECK(scores == lab.scores[0]);
}

double HostUs(int runs, const std::function<void(int)>& run) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) run(i);
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / runs;
}

/// What a call costs the host: with buffers that it knows, and with new ones each time.
void PrintTimes(const Lab& lab) {
  Context context = lab.engine.CreateContext();
  const cuda::Stream stream(lab.driver);
  DeviceTensors tensors(lab);
  DeviceBuffer many(lab.driver, 64 * 200 + lab.image_bytes, "images");
  const auto run = [&](const void* input) { context.RunAsync(std::span(&input, 1), tensors.outputs, stream.handle()); };
  run(tensors.input);
  context.Synchronize();
  const double known = HostUs(200, [&](int) { run(tensors.input); });
  context.Synchronize();
  const double fresh = HostUs(200, [&](int i) { run(Pointer(many.address() + 64 * static_cast<DevicePtr>(i))); });
  context.Synchronize();
  fmt::print("        a call takes {:.1f} us of the host, with new buffers {:.1f} us; the graph {:.1f} us\n", known,
             fresh, context.device_us());
}

int64_t Free(const Lab& lab) { return *lab.device.FreeMemoryBytes(); }

/// What the driver takes for allocations, and for an engine and its contexts: what they say.
void CheckMemory(const Lab& lab) {
  for (const size_t bytes : {4u << 10, 100u << 10, 600u << 10, 1u << 20, 1500u << 10, 2u << 20, 3u << 20, 10u << 20}) {
    const int64_t before = Free(lab);
    std::vector<DeviceBuffer> buffers;
    std::vector<size_t> sizes(16, bytes);
    for (const size_t size : sizes) buffers.emplace_back(lab.driver, size, "memory");
    fmt::print("        16 times {} KiB take {} KiB, {} by the rule\n", bytes >> 10, (before - Free(lab)) >> 10,
               cuda::TakenBytes(sizes) >> 10);
  }
  const int64_t before = Free(lab);
  const Engine engine = MakeEngine(CompileNet(lab.device, 512), lab.device);
  std::vector<Context> contexts;
  std::vector<float> image(Lab::Bytes(engine.inputs()[0]) / 4), scores(Lab::Bytes(engine.outputs()[0]) / 4),
      sums(Lab::Bytes(engine.outputs()[1]) / 4);
  int64_t said = engine.weights_bytes() + engine.code_bytes();
  for (int i = 0; i < 3; ++i) {
    contexts.push_back(engine.CreateContext());
    contexts.back().Run({image.data()}, {scores.data(), sums.data()});
    said += contexts.back().memory_bytes();
  }
  const int64_t taken = before - Free(lab);
  fmt::print("        an engine and three contexts say {} KiB and take {} KiB\n", said >> 10, taken >> 10);
  TENON_CHECK(std::abs(said - taken) <= taken / 20, "more than 5% apart");
}

int Main() {
  const Lab lab;
  const std::pair<const char*, void (*)(const Lab&)> checks[] = {
      {"device buffers in place", CheckInPlace},
      {"misaligned device buffers", CheckMisaligned},
      {"pinned buffers", CheckPinned},
      {"more buffers than are remembered", CheckManyBuffers},
      {"many streams", CheckManyStreams},
      {"the stream's order", CheckOrder},
      {"a context freed while it runs", CheckFreedWhileRunning},
      {"streams that can't be taken", CheckRefusals},
      {"the caller's context", CheckContextStays},
      {"times", PrintTimes},
      {"memory", CheckMemory}};
  int failed = 0;
  for (const auto& [name, check] : checks) {
    try {
      check(lab);
      fmt::print("passed  {}\n", name);
    } catch (const std::exception& error) {
      ++failed;
      fmt::print("FAILED  {}: {}\n", name, error.what());
    }
  }
  fmt::print("asynchronous runs: {} checks, {} failed\n", std::size(checks), failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tenon::gpu_testing

int main() {
  try {
    return tenon::gpu_testing::Main();
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
