#include "tessera/hub/fetch.h"

#include <fmt/format.h>

#include <cstdlib>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/hub/cache.h"
#include "tessera/hub/uid.h"

namespace tessera::hub {
namespace {

const Asset& require_asset(const Card& card, const std::string& format) {
  const std::string name = printable(card.uid);
  std::string problems;
  for (const std::string& problem : card.problems)
    problems += (problems.empty() ? "; " : ", ") + printable(problem);
  require_valid(card.is_read, "card {} cannot be read{}", name, problems);
  if (card.assets.empty()) fail(ErrorCode::kNotFound, "card {} offers no file{}", name, problems);
  if (format.empty()) return *card.weights();
  const Asset* found = nullptr;
  std::vector<std::string> known;
  for (const Asset& asset : card.assets) {
    known.push_back(asset.format);
    if (asset.format == format) found = &asset;
  }
  if (found == nullptr)
    fail(ErrorCode::kNotFound, "card {} offers no '{}', but {}", name, printable(format),
         printable(join(known, ", ")));
  return *found;
}

std::vector<std::string> addresses(const Asset& asset, const FetchOptions& options) {
  std::vector<std::string> urls;
  for (std::string base : all_mirrors(options.mirrors)) {
    while (base.ends_with('/')) base.pop_back();
    urls.push_back(base + std::string(url_path(asset.link)));
  }
  urls.push_back(asset.link);
  return urls;
}

std::string kept_in(const Cache& cache) {
  return printable(cache.root().string());
}

Fetched fetch_checked(const Asset& asset, Cache& cache, const FetchOptions& options) {
  const std::filesystem::path path = cache.path_of(asset.sha256);
  const bool is_there = cache.has(asset.sha256);
  const bool is_right =
      is_there && (!options.force_reload || options.offline) && cache.is_right(asset.sha256);
  if (is_right) return {path, asset.sha256, std::filesystem::file_size(path), "", true};
  if (options.offline)
    fail(is_there ? ErrorCode::kCorruptData : ErrorCode::kNotFound,
         "offline, and the file with SHA-256 {} is {} the cache {}", asset.sha256,
         is_there ? "damaged in" : "not in", kept_in(cache));
  if (is_there && !options.force_reload && options.tell)
    options.tell("the cached file is damaged; fetching it again");
  const Downloaded got = cache.get(addresses(asset, options), asset.sha256, asset.link, options);
  return {path, got.sha256, got.size, got.url, true};
}

Fetched fetch_unverified(const Asset& asset, const std::optional<Ref>& ref, Cache& cache,
                         const FetchOptions& options) {
  const bool is_known = ref && ref->link == asset.link && !ref->asset.empty() &&
                        cache.has(ref->asset) && cache.is_right(ref->asset);
  if (is_known && (!options.force_reload || options.offline)) {
    const std::filesystem::path path = cache.path_of(ref->asset);
    return {path, ref->asset, std::filesystem::file_size(path), "", false};
  }
  if (options.offline)
    fail(ErrorCode::kNotFound, "offline, and {} is not in the cache {}",
         printable(without_password(asset.link)), kept_in(cache));
  const Downloaded got = cache.get(addresses(asset, options), "", asset.link, options);
  return {cache.path_of(got.sha256), got.sha256, got.size, got.url, false};
}

}  // namespace

std::vector<std::string> all_mirrors(const std::vector<std::string>& mirrors) {
  std::vector<std::string> all = mirrors;
  const char* value = std::getenv("TESSERA_HUB_MIRRORS");
  std::string text = value == nullptr ? "" : value;
  for (char& c : text) c = c == ',' ? ' ' : c;
  for (const std::string_view part : split(text, ' '))
    if (!trim(part).empty()) all.emplace_back(trim(part));
  for (const std::string& base : all)
    if (const auto why = why_no_link(base))
      fail(ErrorCode::kInvalidArgument, "'{}' is no mirror: {}", printable(base), *why);
  return all;
}

Fetched fetch_asset(const Card& card, const std::string& format, const FetchOptions& options) {
  const ErrorContext context(
      [&] { return fmt::format("fetching what card {} offers", printable(card.uid)); });
  const Asset& asset = require_asset(card, format);
  if (!asset.link_reason.empty()) fail(ErrorCode::kCorruptData, "{}", asset.link_reason);
  if (asset.sha256.empty() && !options.unverified)
    fail(ErrorCode::kInvalidArgument,
         "{}: nothing says whether the bytes are right; --unverified takes what comes",
         asset.hash_reason);
  Cache cache(options.cache);
  const std::optional<Ref> known = cache.ref(card.hub, card.uid);
  const Fetched fetched = asset.sha256.empty() ? fetch_unverified(asset, known, cache, options)
                                               : fetch_checked(asset, cache, options);
  Ref ref = known.value_or(Ref{});
  ref.hub = card.hub;
  ref.uid = card.uid;
  ref.asset = fetched.sha256;
  ref.link = asset.link;
  cache.set_ref(ref);
  return fetched;
}

}  // namespace tessera::hub
