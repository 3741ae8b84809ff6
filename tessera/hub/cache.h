// Fetched files by their SHA-256, safe for many processes at once, and what names them:
//
//   <root>/sha256/ab/ab12…        appears only when its digest was right
//   <root>/sha256/ab/ab12….part   what came so far; the next fetch goes on with it
//   <root>/sha256/ab/ab12….lock   held by the process that fetches
//   <root>/refs/<digest>.json     one card or asset: hub, uid, digests, link
//
// Every path is made of digests: no name of a card or of a server is ever part of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/hub/download.h"

namespace tessera::hub {

/// TESSERA_CACHE, or tessera/ below XDG_CACHE_HOME or ~/.cache. Throws kNotFound where the
/// environment has none of them.
std::filesystem::path default_cache();

/// What was fetched for a card.
struct Ref {
  std::string hub;  // where the card came from
  std::string uid;
  std::string card;   // SHA-256 of its text; "": the hub was no URL
  std::string asset;  // SHA-256; "": not fetched
  std::string link;   // of the asset
  bool operator==(const Ref&) const = default;
};

struct CachedFile {
  std::string sha256;
  std::filesystem::path path;
  uint64_t size = 0;
  bool is_part = false;
};

class Cache {
 public:
  /// Creates no folder before something is put into it. Empty: default_cache().
  explicit Cache(std::filesystem::path root);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path path_of(const std::string& sha256) const;
  /// Whether the file is there; its content is not read.
  bool has(const std::string& sha256) const;
  /// Whether the content has the digest that its name says. Reads all of it.
  bool is_right(const std::string& sha256) const;

  /// The file with this digest (of `key` where `sha256` is empty), fetched from `urls` by one
  /// process while others wait for it. With force_reload what is there is not taken.
  Downloaded get(const std::vector<std::string>& urls, const std::string& sha256,
                 const std::string& key, const FetchOptions& options);
  /// Stores a small text and returns its digest.
  std::string put(std::string_view text);
  std::string text(const std::string& sha256) const;

  std::optional<Ref> ref(const std::string& hub, const std::string& uid) const;
  void set_ref(const Ref& ref);
  std::vector<Ref> refs() const;

  /// All files, by digest.
  std::vector<CachedFile> files() const;
  /// Removes a file and its lock; not one that another process fetches. Says whether it did.
  bool remove(const CachedFile& file);
  void remove_ref(const Ref& ref);

 private:
  std::filesystem::path ref_path(const std::string& hub, const std::string& uid) const;
  std::filesystem::path root_;
};

}  // namespace tessera::hub
