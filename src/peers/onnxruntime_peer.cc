#include "peers/onnxruntime_peer.h"

#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ir/types.h"
#include "peers/child_process.h"
#include "peers/onnxruntime_script.h"
#include "runtime/executable.h"

namespace tenon {
namespace {

using Json = nlohmann::json;

/// NumPy's names.
constexpr std::pair<DType, const char*> kTypes[] = {
    {DType::kFloat32, "float32"}, {DType::kFloat16, "float16"}, {DType::kFloat64, "float64"}, {DType::kInt8, "int8"},
    {DType::kUInt8, "uint8"},     {DType::kInt32, "int32"},     {DType::kInt64, "int64"},     {DType::kBool, "bool"}};

const char* NumpyName(DType dtype) {
  for (const auto& [type, name] : kTypes) {
    if (type == dtype) return name;
  }
  ThrowInvalid("ONNX Runtime takes no {} from Python", ToString(dtype));
}

DType FromNumpy(const std::string& name) {
  for (const auto& [type, known] : kTypes) {
    if (name == known) return type;
  }
  ThrowInvalid("ONNX Runtime gave an output of an unknown type, {}", name);
}

size_t BytesOf(const TensorInfo& info) { return static_cast<size_t>(ElemCount(info.shape) * SizeOf(info.dtype)); }

template <class T>
std::span<std::byte> WritableBytes(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

std::span<const std::byte> BytesOfText(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

/// The other process, by the protocol of onnxruntime_peer.py.
class OnnxRuntimePeer::Session {
 public:
  explicit Session(const OnnxRuntimeOptions& options)
      : inputs_(options.inputs), process_({options.python, "-B", "-c", kOnnxRuntimeScript}) {
    Json config = {{"model", options.model}, {"threads", options.threads}, {"inputs", Json::array()}};
    for (const TensorInfo& info : inputs_)
      config["inputs"].push_back({{"name", info.name}, {"shape", info.shape}, {"dtype", NumpyName(info.dtype)}});
    process_.Send(BytesOfText(config.dump() + "\n"));
    std::string hello(ReplySize(), '\0');
    process_.Receive(std::as_writable_bytes(std::span(hello.data(), hello.size())));
    const Json ready = Json::parse(hello);
    version_ = ready.at("version");
    for (const Json& output : ready.at("outputs"))
      outputs_.push_back({output.at("name"), FromNumpy(output.at("dtype")), output.at("shape").get<Shape>()});
  }

  const std::string& version() const { return version_; }
  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }

  void SetInputs(std::span<const void* const> inputs) {
    process_.Send(BytesOfText("I"));
    for (size_t i = 0; i < inputs_.size(); ++i)
      process_.Send({static_cast<const std::byte*>(inputs[i]), BytesOf(inputs_[i])});
    ExpectReply(0);
  }
  double Run() {
    process_.Send(BytesOfText("R"));
    double ms = 0;
    ExpectReply(sizeof(ms));
    process_.Receive(WritableBytes(ms));
    return ms;
  }
  void GetOutputs(std::span<void* const> outputs) {
    process_.Send(BytesOfText("O"));
    size_t bytes = 0;
    for (const TensorInfo& info : outputs_) bytes += BytesOf(info);
    ExpectReply(bytes);
    for (size_t i = 0; i < outputs_.size(); ++i)
      process_.Receive({static_cast<std::byte*>(outputs[i]), BytesOf(outputs_[i])});
  }

  /// For contexts that run at the same time: the process answers one after the other.
  double RunOn(std::span<const void* const> inputs, std::span<void* const> outputs) {
    const std::lock_guard lock(mutex_);
    SetInputs(inputs);
    const double ms = Run();
    GetOutputs(outputs);
    return ms;
  }

 private:
  /// Size of the next reply's content; an error reply is thrown.
  uint32_t ReplySize() {
    char kind = 0;
    uint32_t size = 0;
    process_.Receive(WritableBytes(kind));
    process_.Receive(WritableBytes(size));
    if (kind == 'k') return size;
    std::string message(std::min<uint32_t>(size, 4096), '\0');
    process_.Receive(std::as_writable_bytes(std::span(message.data(), message.size())));
    ThrowInvalid("ONNX Runtime: {}", message);
  }
  void ExpectReply(size_t bytes) {
    const uint32_t size = ReplySize();
    if (size != bytes) ThrowInvalid("ONNX Runtime answered with {} bytes instead of {}", size, bytes);
  }

  std::vector<TensorInfo> inputs_, outputs_;
  ChildProcess process_;
  std::mutex mutex_;
  std::string version_;
};

namespace {

/// Runs through a session that it shares with the peer. A template: Session is private to the peer.
template <class Session>
class PeerExecution final : public internal::Execution {
 public:
  explicit PeerExecution(std::shared_ptr<Session> session) : session_(std::move(session)) {}
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us) override {
    const double ms = session_->RunOn(inputs, outputs);
    if (step_us) *step_us = {ms * 1e3};
  }
  int64_t memory_bytes() const override { return 0; }  // the other process's
  int threads() const override { return 1; }

 private:
  std::shared_ptr<Session> session_;
};

template <class Session>
class PeerExecutable final : public internal::Executable {
 public:
  PeerExecutable(std::shared_ptr<Session> session, std::map<std::string, std::string> model_metadata)
      : session_(std::move(session)) {
    inputs = session_->inputs();
    outputs = session_->outputs();
    metadata = std::move(model_metadata);
    precision = "fp32";
    device = "onnxruntime";
    step_count = 1;
  }
  std::unique_ptr<internal::Execution> NewExecution(int) const override {
    return std::make_unique<PeerExecution<Session>>(session_);
  }

 private:
  std::shared_ptr<Session> session_;
};

}  // namespace

OnnxRuntimePeer::OnnxRuntimePeer(const OnnxRuntimeOptions& options)
    : session_(std::make_shared<Session>(options)),
      executable_(std::make_shared<PeerExecutable<Session>>(session_, options.metadata)) {}

const std::string& OnnxRuntimePeer::version() const { return session_->version(); }
Engine OnnxRuntimePeer::engine() const { return Engine::Adopt(internal::NewHandle({executable_})); }
void OnnxRuntimePeer::SetInputs(std::span<const void* const> inputs) const { session_->SetInputs(inputs); }
double OnnxRuntimePeer::TimedRun() const { return session_->Run(); }

}  // namespace tenon
