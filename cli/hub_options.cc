#include "cli/hub_options.h"

#include <fmt/format.h>

#include "cli/word.h"

namespace tessera::cli {

void HubOptions::declare_place(Arguments& arguments) {
  arguments.group("Hub");
  arguments.option("--hub", hub,
                   "folder, checkout or base URL of cards; default: TESSERA_HUB, else the cards "
                   "that are part of Tessera");
  arguments.option("--cache", cache, "folder of fetched files; default: TESSERA_CACHE");
  arguments.flag("--offline", offline, "nothing over the network: what the cache has");
}

void HubOptions::declare_fetch(Arguments& arguments) {
  arguments.options("--mirror", mirrors,
                    "base URL that stands in for the files' own host, tried first; also "
                    "TESSERA_HUB_MIRRORS");
  arguments.flag("--force-reload", force_reload, "fetch again what the cache has");
  arguments.flag("--unverified", unverified,
                 "fetch files whose card gives no SHA-256 to check them by");
  arguments.option("--retries", retries, "failures in a row, without a new byte, until giving up");
}

hub::FetchOptions HubOptions::fetch_options(bool quiet) const {
  require_usage(retries >= 0 && retries <= 100, "--retries is {}; wanted 0 to 100", retries);
  hub::FetchOptions options;
  options.cache = cache;
  options.mirrors = mirrors;
  options.offline = offline;
  options.force_reload = force_reload;
  options.unverified = unverified;
  options.retries = static_cast<int>(retries);
  if (quiet) return options;
  options.tell = [](const std::string& what) { fmt::print(stderr, "{}\n", what); };
  options.progress = [bar = std::shared_ptr<Progress>()](uint64_t done,
                                                         std::optional<uint64_t> total) mutable {
    if (!bar)
      bar = std::make_shared<Progress>("fetching", static_cast<int64_t>(total.value_or(0)), false,
                                       true);
    bar->update(static_cast<int64_t>(done));
    if (total && done >= *total) bar.reset();
  };
  return options;
}

}  // namespace tessera::cli
