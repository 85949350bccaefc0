#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

/// A whole file mapped read-only. Throws Error(kInvalidInput) when the file can't be opened or is no regular file.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// The file's bytes as text. Throws Error(kInvalidInput).
std::string ReadTextFile(const std::string& path);

/// Writes the chunks one after another under a temporary name in the same folder, syncs, and renames: the file is
/// either the old one or the whole new one. Throws Error(kInvalidInput) with the reason (full disk, no permission),
/// Error(kInterrupted) after Ctrl-C, with the old file as it was.
void WriteFileAtomically(const std::string& path, std::span<const std::span<const std::byte>> chunks);
/// Throws what writing the file would throw for want of a folder or of permission; leaves nothing. For commands that
/// write at the end of long work.
void CheckWritable(const std::string& path);
/// The same for a folder of results that need not be there yet.
void CheckOutputFolder(const std::string& folder);
/// Makes the folder, and those above it. Throws Error(kInvalidInput).
void MakeOutputFolder(const std::string& folder);
void WriteTextFileAtomically(const std::string& path, std::string_view text);

}  // namespace tenon
