// Files over HTTP: resumed, tried again after a growing wait, from the first of several addresses
// that gives the right bytes, whose SHA-256 is computed while they come.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tessera::hub {

struct FetchOptions {
  std::filesystem::path cache;       // "": see default_cache()
  std::vector<std::string> mirrors;  // base URLs, tried in order and before the asset's own host
  bool offline = false;              // nothing but what the cache has
  bool force_reload = false;         // fetch again what the cache has
  bool unverified = false;           // fetch assets whose card gives no SHA-256 to check
  int retries = 5;                   // in a row without a new byte
  double first_wait = 0.5;           // seconds; each further wait is twice as long
  long stalled_seconds = 60;         // without a byte, until a connection is given up
  uint64_t largest = uint64_t{16} << 30;  // bytes of an asset
  /// Called as bytes come; `total` where the server says how many there will be. May be null.
  std::function<void(uint64_t done, std::optional<uint64_t> total)> progress;
  /// Told of retries, mirrors and what the cache lacks. May be null.
  std::function<void(const std::string&)> tell;
};

struct Downloaded {
  std::string sha256;
  uint64_t size = 0;
  std::string url;  // that gave it
};

/// Fills the file `part`, which may hold the first bytes already, and moves it to `file_of(sha256)`
/// when it is complete and, unless `sha256` is empty, has that digest. Throws kNotFound,
/// kCorruptData (wrong digest) or kIo, naming what each address answered; then `part` keeps what
/// came.
Downloaded download(const std::vector<std::string>& urls, const std::filesystem::path& part,
                    const std::string& sha256,
                    const std::function<std::filesystem::path(const std::string&)>& file_of,
                    const FetchOptions& options);

/// A small file as text. Throws kNotFound or kIo.
std::string download_text(const std::string& url, uint64_t largest, const FetchOptions& options);

}  // namespace tessera::hub
