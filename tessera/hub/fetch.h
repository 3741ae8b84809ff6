// The asset of a card as a file of the cache: fetched where it is not there, its digest checked.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tessera/hub/card.h"
#include "tessera/hub/download.h"

namespace tessera::hub {

struct Fetched {
  std::filesystem::path path;
  std::string sha256;
  uint64_t size = 0;
  std::string url;          // "": it was in the cache
  bool is_verified = true;  // false: the card gives no digest; what came was taken
};

/// The asset of `format` ("": that which MindSpore Hub would load, see Card::weights). A file of
/// the cache is read again and fetched again where its bytes are wrong. Throws kNotFound when the
/// card has no such asset, or it is not in the cache and `offline`; kInvalidArgument when its
/// digest is not known and not `unverified`; and as download() does.
Fetched fetch_asset(const Card& card, const std::string& format, const FetchOptions& options);

/// `mirrors` and those of TESSERA_HUB_MIRRORS (between blanks or commas).
std::vector<std::string> all_mirrors(const std::vector<std::string>& mirrors);

}  // namespace tessera::hub
