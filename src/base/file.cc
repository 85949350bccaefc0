#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"

namespace tenon {
namespace {

/// Closes the descriptor on every way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

[[noreturn]] void ThrowSystem(const char* what, const std::string& path, int error) {
  ThrowInvalid({.what = what, .where = path, .got = std::strerror(error)});
}

/// Unlinks the temporary file unless it was renamed into place.
struct TemporaryFile {
  std::string path;
  bool keep = false;
  ~TemporaryFile() {
    if (!keep) unlink(path.c_str());
  }
};

void WriteAll(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) ThrowSystem("can't write the file", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) ThrowSystem("can't open the file", path, errno);
  struct stat status;
  if (fstat(file.fd, &status) != 0) ThrowSystem("can't read the file's size", path, errno);
  if (!S_ISREG(status.st_mode)) {
    ThrowInvalid({.what = "can't read the file",
                  .where = path,
                  .got = S_ISDIR(status.st_mode) ? "a folder" : "no regular file",
                  .expected = "a file"});
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  void* mapped = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (mapped == MAP_FAILED) ThrowSystem("can't map the file", path, errno);
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

std::string ReadTextFile(const std::string& path) {
  const MappedFile file(path);
  return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
}

void WriteFileAtomically(const std::string& path, std::span<const std::span<const std::byte>> chunks) {
  // mkstemp in the target's folder: rename is atomic only within one file system.
  std::string temporary = path + ".XXXXXX";
  Descriptor file{mkostemp(temporary.data(), O_CLOEXEC)};
  if (file.fd < 0) ThrowSystem("can't write the file", path, errno);
  TemporaryFile guard{temporary};
  for (const auto& chunk : chunks) WriteAll(file.fd, chunk, path);
  fchmod(file.fd, 0644);
  if (fsync(file.fd) != 0) ThrowSystem("can't write the file", path, errno);
  if (rename(temporary.c_str(), path.c_str()) != 0) ThrowSystem("can't write the file", path, errno);
  guard.keep = true;
}

void WriteTextFileAtomically(const std::string& path, std::string_view text) {
  const std::span<const std::byte> chunk = std::as_bytes(std::span(text.data(), text.size()));
  WriteFileAtomically(path, std::span(&chunk, 1));
}

}  // namespace tenon
