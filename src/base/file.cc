#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/memory.h"

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

/// The file that `path` leads to, so that a symbolic link stays one.
std::string BehindLinks(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

constexpr mode_t kNewFileMode = 0666;  // less the process's umask

/// A file on its way to `path`. Where the file system can, it has no name while it is written: then nothing is left of
/// it whatever ends the process. Otherwise it has a temporary name, which the destructor unlinks.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : path_(BehindLinks(path)) {
    struct stat old;
    const bool exists = stat(path_.c_str(), &old) == 0;
    if (!exists && errno != ENOENT) ThrowSystem("can't write the file", path, errno);
    // Renaming would put a file in the place of the device: as root even in that of /dev/null.
    if (exists && !S_ISREG(old.st_mode)) {
      ThrowInvalid({.what = "can't write the file",
                    .where = path,
                    .got = S_ISDIR(old.st_mode) ? "a folder" : "a device, pipe or socket",
                    .expected = "a file or a new name"});
    }
    file_.fd = OpenUnnamed(path_);
    if (file_.fd < 0) OpenNamed();
    if (exists) KeepAccess(old);
  }
  ~TemporaryFile() {
    if (!temporary_.empty()) unlink(temporary_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int fd() const { return file_.fd; }

  /// Puts the file in the place of `path`, in one step for whoever looks.
  void Commit() {
    if (temporary_.empty()) LinkUnnamed();
    if (rename(temporary_.c_str(), path_.c_str()) != 0) ThrowSystem("can't write the file", path_, errno);
    temporary_.clear();
  }

 private:
  static int OpenUnnamed(const std::string& path) {
    if (access("/proc/self/fd", X_OK) != 0) return -1;  // the only way to give the file a name later
    const auto folder = std::filesystem::path(path).parent_path();
    return open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, kNewFileMode);
  }

  std::string NextName() const {
    static std::atomic<int> counter{0};
    constexpr size_t kLongest = 200;  // of 255 bytes: room for the rest
    const std::filesystem::path path(path_);
    const std::string name = path.filename().string().substr(0, kLongest);
    return (path.parent_path() / fmt::format("{}.partial-{}-{}", name, getpid(), ++counter)).string();
  }

  void OpenNamed() {
    do {
      temporary_ = NextName();
      file_.fd = open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kNewFileMode);
    } while (file_.fd < 0 && errno == EEXIST);
    if (file_.fd >= 0) return;
    temporary_.clear();
    ThrowSystem("can't write the file", path_, errno);
  }

  /// The new file is for whom the old one was for. What isn't allowed (another's file, by no root) is left.
  void KeepAccess(const struct stat& old) {
    [[maybe_unused]] const int owner = fchown(file_.fd, old.st_uid, old.st_gid);
    fchmod(file_.fd, old.st_mode & 0777);
  }

  void LinkUnnamed() {
    const std::string source = fmt::format("/proc/self/fd/{}", file_.fd);
    while (true) {
      const std::string name = NextName();
      if (linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        temporary_ = name;
        return;
      }
      if (errno != EEXIST) ThrowSystem("can't write the file", path_, errno);
    }
  }

  const std::string path_;
  Descriptor file_{-1};
  std::string temporary_;  ///< its name, while it has one
};

void WriteAll(int fd, std::span<const std::byte> bytes, const std::string& path) {
  constexpr size_t kPiece = 4 << 20;  // so that Ctrl-C is looked for now and then
  while (!bytes.empty()) {
    CheckInterrupt();
    const ssize_t written = write(fd, bytes.data(), std::min(bytes.size(), kPiece));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) ThrowSystem("can't write the file", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  // Non-blocking: opening a FIFO would else wait for a writer. It means nothing to regular files.
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
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
  CheckMemory(path, static_cast<int64_t>(file.bytes().size()));
  return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
}

void WriteFileAtomically(const std::string& path, std::span<const std::span<const std::byte>> chunks) {
  TemporaryFile file(path);  // in the target's folder: rename is atomic only within one file system
  for (const auto& chunk : chunks) WriteAll(file.fd(), chunk, path);
  if (fsync(file.fd()) != 0) ThrowSystem("can't write the file", path, errno);
  CheckInterrupt();
  file.Commit();
}

void CheckWritable(const std::string& path) { const TemporaryFile probe(path); }

void CheckOutputFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::path place = std::filesystem::absolute(folder, error);
  while (!std::filesystem::exists(place, error) && place != place.parent_path()) place = place.parent_path();
  if (!std::filesystem::is_directory(place, error)) ThrowSystem("can't make the folder", folder, ENOTDIR);
  try {
    CheckWritable((place / "file").string());
  } catch (const Error&) {
    ThrowSystem("can't write into the folder", folder, errno);
  }
}

void MakeOutputFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) ThrowInvalid({.what = "can't make the folder", .where = folder, .got = error.message()});
}

void WriteTextFileAtomically(const std::string& path, std::string_view text) {
  const std::span<const std::byte> chunk = std::as_bytes(std::span(text.data(), text.size()));
  WriteFileAtomically(path, std::span(&chunk, 1));
}

}  // namespace tenon
