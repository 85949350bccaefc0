#include "peers/child_process.h"

#include <gmock/gmock.h>

#include <chrono>
#include <string>

#include "base/error.h"
#include "peers/onnxruntime_peer.h"

namespace tenon {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text.data(), text.size())); }

TEST(ChildProcessTest, SendsAndReceives) {
  ChildProcess cat({"sh", "-c", "cat <&0 >&0"});  // descriptor 0 is the socket, both ways
  const std::string text(1 << 20, 'x');           // more than a socket's buffer: needs both sides to go on
  std::string back(text.size(), '\0');
  for (size_t at = 0; at < text.size(); at += 4096) {
    cat.Send(Bytes(text.substr(at, 4096)));
    cat.Receive(std::as_writable_bytes(std::span(back.data() + at, 4096)));
  }
  EXPECT_EQ(back, text);
}

TEST(ChildProcessTest, AProgramThatIsMissingOrEndsIsAnError) {
  EXPECT_THROW(ChildProcess({"/nowhere/python"}), Error);
  ChildProcess gone({"true"});
  std::byte byte;
  EXPECT_THROW(gone.Receive(std::span(&byte, 1)), Error);
  const std::string much(1 << 24, 'x');
  EXPECT_THROW(gone.Send(Bytes(much)), Error) << "no SIGPIPE";
}

TEST(ChildProcessTest, TheDestructorDoesNotWait) {
  const auto start = std::chrono::steady_clock::now();
  { ChildProcess sleeper({"sleep", "60"}); }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(OnnxRuntimePeerTest, SaysWhyItCannot) {
  try {
    OnnxRuntimePeer peer({.python = "python3", .model = "/nowhere.onnx"});
    FAIL() << "no error";
  } catch (const Error& error) {
    // ModuleNotFoundError where it is not installed, NoSuchFile where it is.
    EXPECT_THAT(error.what(), testing::AnyOf(testing::HasSubstr("No module"), testing::HasSubstr("nowhere.onnx")));
  }
  EXPECT_THROW(OnnxRuntimePeer({.python = "true", .model = "x.onnx"}), Error) << "no Python at all";
}

}  // namespace
}  // namespace tenon
