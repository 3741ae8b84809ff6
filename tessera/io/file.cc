#include "tessera/io/file.h"

#include <unistd.h>

#include <atomic>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

void RandomAccessFile::read_scattered(uint64_t offset,
                                      std::span<const std::span<std::byte>> parts) const {
  for (const std::span<std::byte> part : parts) {
    read(offset, part);
    offset += part.size();
  }
}

void WritableFile::write_gathered(uint64_t offset,
                                  std::span<const std::span<const std::byte>> parts) {
  for (const std::span<const std::byte> part : parts) {
    write_at(offset, part);
    offset += part.size();
  }
}

namespace {

std::filesystem::path temporary_sibling(const std::filesystem::path& path) {
  static std::atomic<uint64_t> count{0};
  std::filesystem::path sibling = path;
  sibling += fmt::format(".{}-{}.tmp", ::getpid(), ++count);
  return sibling;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  return folder.empty() ? "." : folder;
}

std::filesystem::path checked_destination(const FileSystem& files,
                                          const std::filesystem::path& path) {
  require(path.has_filename(), "'{}' is a folder; name a file in it", printable(path.string()));
  return files.destination(path);
}

}  // namespace

std::filesystem::path FileSystem::destination(const std::filesystem::path& path) const {
  require(!is_folder(path), "'{}' is a folder; name a file in it", printable(path.string()));
  return path;
}

AtomicFile::AtomicFile(FileSystem& files, const std::filesystem::path& path, Options options)
    : files_(files),
      path_(checked_destination(files, path)),
      temporary_(temporary_sibling(path_)),
      options_(options) {
  // Before the file is there, so that no signal comes between the two.
  if (&files_ == &local_file_system()) name_.emplace(temporary_);
  file_ = files_.create(temporary_);
}

AtomicFile::~AtomicFile() {
  if (file_ == nullptr) return;
  file_.reset();
  try {
    files_.remove(temporary_);
  } catch (const Error&) {  // already unwinding or abandoning: there is nobody to tell
  }
}

void AtomicFile::commit() {
  require(file_ != nullptr, "'{}' is committed already", printable(path_.string()));
  if (options_.sync) file_->sync();
  file_->close();
  files_.rename(temporary_, path_);
  file_.reset();
  name_.reset();
  if (options_.sync) files_.sync_folder(folder_of(path_));
}

std::string read_text(const std::filesystem::path& path, uint64_t limit) {
  return read_text(local_file_system(), path, limit);
}

std::string read_text(const FileSystem& files, const std::filesystem::path& path, uint64_t limit) {
  const std::unique_ptr<RandomAccessFile> file = files.open(path);
  require(file->size() <= limit, "'{}' has {}, more than the {} that are read as text",
          printable(path.string()), human_bytes(file->size()), human_bytes(limit));
  std::string text(file->size(), '\0');
  file->read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

void write_text(FileSystem& files, const std::filesystem::path& path, std::string_view text,
                AtomicFile::Options options) {
  AtomicFile file(files, path, options);
  file.file().append(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace tessera
