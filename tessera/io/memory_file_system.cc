#include "tessera/io/memory_file_system.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

class MemoryFile : public RandomAccessFile {
 public:
  MemoryFile(std::shared_ptr<const std::string> content, std::string name)
      : content_(std::move(content)), name_(std::move(name)) {}

  void read(uint64_t offset, std::span<std::byte> out) const override {
    require_valid(offset <= content_->size() && out.size() <= content_->size() - offset,
                  "{}: {} bytes at byte {} reach beyond its {} bytes", printable(name_), out.size(),
                  offset, content_->size());
    if (!out.empty()) std::memcpy(out.data(), content_->data() + offset, out.size());
  }
  uint64_t size() const override { return content_->size(); }
  const std::string& name() const override { return name_; }
  Mapping map() const override { return {std::as_bytes(std::span(*content_)), content_}; }

 private:
  std::shared_ptr<const std::string> content_;
  std::string name_;
};

class MemoryWritableFile : public WritableFile {
 public:
  explicit MemoryWritableFile(std::shared_ptr<std::string> content)
      : content_(std::move(content)) {}

  void append(std::span<const std::byte> bytes) override {
    write_at(end_, bytes);
    end_ += bytes.size();
  }
  void write_at(uint64_t offset, std::span<const std::byte> bytes) override {
    content_->resize(std::max<size_t>(content_->size(), offset + bytes.size()));
    if (!bytes.empty()) std::memcpy(content_->data() + offset, bytes.data(), bytes.size());
  }
  void sync() override {}
  void close() override {}

 private:
  std::shared_ptr<std::string> content_;
  uint64_t end_ = 0;
};

std::string folder_prefix(const std::filesystem::path& folder) {
  std::string prefix = folder.string();
  if (!prefix.ends_with('/')) prefix += '/';
  return prefix;
}

}  // namespace

void MemoryFileSystem::put(const std::filesystem::path& path, std::string content) {
  const std::scoped_lock lock(mutex_);
  files_[path.string()] = std::make_shared<std::string>(std::move(content));
}

std::string MemoryFileSystem::content(const std::filesystem::path& path) const {
  return *find(path);
}

MemoryFileSystem::Content MemoryFileSystem::find(const std::filesystem::path& path) const {
  const std::scoped_lock lock(mutex_);
  const auto found = files_.find(path.string());
  if (found == files_.end())
    fail(ErrorCode::kNotFound, "there is no file {} in memory", printable(path.string()));
  return found->second;
}

std::unique_ptr<RandomAccessFile> MemoryFileSystem::open(const std::filesystem::path& path) const {
  require(!is_folder(path), "{} is a folder; a regular file is wanted", printable(path.string()));
  return std::make_unique<MemoryFile>(find(path), path.string());
}

std::unique_ptr<WritableFile> MemoryFileSystem::create(const std::filesystem::path& path) {
  const std::scoped_lock lock(mutex_);
  auto& content = files_[path.string()];
  if (content != nullptr) fail(ErrorCode::kIo, "creating {}: it exists", printable(path.string()));
  content = std::make_shared<std::string>();
  return std::make_unique<MemoryWritableFile>(content);
}

void MemoryFileSystem::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  Content content = find(from);
  const std::scoped_lock lock(mutex_);
  files_.erase(from.string());
  files_[to.string()] = std::move(content);
}

void MemoryFileSystem::remove(const std::filesystem::path& path) {
  const std::scoped_lock lock(mutex_);
  if (files_.erase(path.string()) == 0)
    fail(ErrorCode::kNotFound, "there is no file {} in memory", printable(path.string()));
}

void MemoryFileSystem::create_folders(const std::filesystem::path& folder) {
  // Folders are there while files are in them; only a file in the way is wrong.
  for (std::filesystem::path path = folder; path.has_relative_path(); path = path.parent_path())
    require(!exists(path), "{} is a file; a folder is wanted", printable(path.string()));
}

bool MemoryFileSystem::remove_empty_folder(const std::filesystem::path& /*folder*/) {
  return false;
}

void MemoryFileSystem::sync_folder(const std::filesystem::path& /*folder*/) {}

bool MemoryFileSystem::exists(const std::filesystem::path& path) const {
  const std::scoped_lock lock(mutex_);
  return files_.contains(path.string());
}

bool MemoryFileSystem::is_folder(const std::filesystem::path& path) const {
  const std::string prefix = folder_prefix(path);
  const std::scoped_lock lock(mutex_);
  const auto next = files_.lower_bound(prefix);
  return next != files_.end() && next->first.starts_with(prefix);
}

std::vector<std::string> MemoryFileSystem::list(const std::filesystem::path& folder) const {
  const std::string prefix = folder_prefix(folder);
  const std::scoped_lock lock(mutex_);
  std::set<std::string> names;
  for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix);
       ++it) {
    const std::string rest = it->first.substr(prefix.size());
    names.insert(rest.substr(0, rest.find('/')));
  }
  return {names.begin(), names.end()};
}

std::unique_ptr<RandomAccessFile> memory_file(std::string content, std::string name) {
  return std::make_unique<MemoryFile>(std::make_shared<const std::string>(std::move(content)),
                                      std::move(name));
}

}  // namespace tessera
