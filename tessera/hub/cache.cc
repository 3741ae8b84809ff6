#include "tessera/hub/cache.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/crypto.h"
#include "tessera/io/file.h"
#include "tessera/io/file_lock.h"
#include "tessera/io/json.h"

namespace tessera::hub {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestRef = 64 << 10;
constexpr auto kLockPause = std::chrono::milliseconds(50);

std::string digest_of(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text)));
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

fs::path with_suffix(fs::path path, const char* suffix) {
  path += suffix;
  return path;
}

/// The lock of one file, once whoever holds it lets go. Its file is removed while it is held: see
/// FileLock::try_lock.
class HeldLock {
 public:
  HeldLock(fs::path path, const FetchOptions& options) : path_(std::move(path)) {
    for (bool is_first = true; !(lock_ = FileLock::try_lock(path_)); is_first = false) {
      if (is_first && options.tell)
        options.tell("another process fetches this file; waiting for it");
      std::this_thread::sleep_for(kLockPause);
    }
  }
  ~HeldLock() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  fs::path path_;
  std::optional<FileLock> lock_;
};

std::string hash_file(const fs::path& path) {
  const auto file = local_file_system().open(path);
  std::vector<std::byte> buffer(size_t{1} << 20);
  Sha256 hash;
  for (uint64_t at = 0; at < file->size();) {
    const auto part = std::span(buffer).first(
        static_cast<size_t>(std::min<uint64_t>(buffer.size(), file->size() - at)));
    file->read(at, part);
    hash.update(part);
    at += part.size();
  }
  std::string text;
  for (const uint8_t byte : hash.finish()) text += fmt::format("{:02x}", byte);
  return text;
}

std::string to_json(const Ref& ref) {
  return fmt::format(
      "{{\"hub\": \"{}\", \"uid\": \"{}\", \"card\": \"{}\", \"asset\": \"{}\", \"link\": "
      "\"{}\"}}\n",
      json_escape(ref.hub), json_escape(ref.uid), ref.card, ref.asset, json_escape(ref.link));
}

/// Nothing where the file is none of ours.
std::optional<Ref> read_ref(const fs::path& path) {
  try {
    const Json json = parse_json(read_text(path, kLargestRef));
    const auto text = [&](std::string_view key) { return json.at(key).as_string(); };
    Ref ref{text("hub"), text("uid"), text("card"), text("asset"), text("link")};
    if ((!ref.card.empty() && !is_digest(ref.card)) ||
        (!ref.asset.empty() && !is_digest(ref.asset)))
      return {};
    return ref;
  } catch (const Error&) {
    return {};
  }
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

fs::path default_cache() {
  if (const std::string cache = environment("TESSERA_CACHE"); !cache.empty()) return cache;
  const std::string xdg = environment("XDG_CACHE_HOME");
  if (fs::path(xdg).is_absolute()) return fs::path(xdg) / "tessera";
  const std::string home = environment("HOME");
  if (!home.empty()) return fs::path(home) / ".cache" / "tessera";
  fail(ErrorCode::kNotFound, "there is no folder for fetched files: set TESSERA_CACHE or HOME");
}

Cache::Cache(fs::path root) : root_(root.empty() ? default_cache() : std::move(root)) {}

fs::path Cache::path_of(const std::string& sha256) const {
  require(is_digest(sha256), "'{}' is no SHA-256", printable(sha256));
  return root_ / "sha256" / sha256.substr(0, 2) / sha256;
}

bool Cache::has(const std::string& sha256) const {
  std::error_code ignored;
  return fs::is_regular_file(path_of(sha256), ignored);
}

bool Cache::is_right(const std::string& sha256) const {
  return hash_file(path_of(sha256)) == sha256;
}

Downloaded Cache::get(const std::vector<std::string>& urls, const std::string& sha256,
                      const std::string& key, const FetchOptions& options) {
  const fs::path path = path_of(sha256.empty() ? digest_of(key) : sha256);
  local_file_system().create_folders(path.parent_path());
  const bool was_there = !sha256.empty() && has(sha256);
  const HeldLock lock(with_suffix(path, ".lock"), options);
  // Another process may have fetched it meanwhile, which is new enough for force_reload too.
  const bool is_new = !sha256.empty() && has(sha256) && (!options.force_reload || !was_there);
  if (is_new && is_right(sha256)) return {sha256, fs::file_size(path), ""};
  const auto file_of = [&](const std::string& digest) {
    const fs::path file = path_of(digest);
    local_file_system().create_folders(file.parent_path());
    return file;
  };
  return download(urls, with_suffix(path, ".part"), sha256, file_of, options);
}

std::string Cache::put(std::string_view text) {
  const std::string digest = digest_of(text);
  const fs::path path = path_of(digest);
  local_file_system().create_folders(path.parent_path());
  if (!has(digest)) write_text(local_file_system(), path, text, {});
  return digest;
}

std::string Cache::text(const std::string& sha256) const {
  std::string text = read_text(path_of(sha256));
  require_valid(digest_of(text) == sha256, "{} has not the digest that its name says",
                printable(path_of(sha256).string()));
  return text;
}

fs::path Cache::ref_path(const std::string& hub, const std::string& uid) const {
  return root_ / "refs" / (digest_of(hub + "\n" + uid) + ".json");
}

std::optional<Ref> Cache::ref(const std::string& hub, const std::string& uid) const {
  const fs::path path = ref_path(hub, uid);
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return {};
  auto ref = read_ref(path);
  if (ref && (ref->hub != hub || ref->uid != uid)) return {};
  return ref;
}

void Cache::set_ref(const Ref& ref) {
  if (this->ref(ref.hub, ref.uid) == ref) return;
  local_file_system().create_folders(root_ / "refs");
  write_text(local_file_system(), ref_path(ref.hub, ref.uid), to_json(ref), {});
}

std::vector<Ref> Cache::refs() const {
  std::vector<Ref> refs;
  const fs::path folder = root_ / "refs";
  if (!local_file_system().is_folder(folder)) return refs;
  for (const std::string& name : local_file_system().list(folder))
    if (auto ref = read_ref(folder / name)) refs.push_back(std::move(*ref));
  std::sort(refs.begin(), refs.end(), [](const Ref& a, const Ref& b) { return a.uid < b.uid; });
  return refs;
}

std::vector<CachedFile> Cache::files() const {
  std::vector<CachedFile> files;
  const FileSystem& system = local_file_system();
  const fs::path top = root_ / "sha256";
  if (!system.is_folder(top)) return files;
  for (const std::string& two : system.list(top)) {
    if (two.size() != 2 || !system.is_folder(top / two)) continue;
    for (const std::string& name : system.list(top / two)) {
      const bool is_part = name.ends_with(".part");
      const std::string digest = is_part ? name.substr(0, name.size() - 5) : name;
      std::error_code error;
      const fs::path path = top / two / name;
      if (!is_digest(digest) || !digest.starts_with(two) || !fs::is_regular_file(path, error))
        continue;
      const uint64_t size = fs::file_size(path, error);
      if (!error) files.push_back({digest, path, size, is_part});
    }
  }
  return files;
}

bool Cache::remove(const CachedFile& file) {
  const fs::path lock_path = with_suffix(path_of(file.sha256), ".lock");
  const auto lock = FileLock::try_lock(lock_path);
  if (!lock) return false;
  std::error_code error;
  fs::remove(file.path, error);
  fs::remove(lock_path, error);
  return true;
}

void Cache::remove_ref(const Ref& ref) {
  std::error_code ignored;
  fs::remove(ref_path(ref.hub, ref.uid), ignored);
}

}  // namespace tessera::hub
