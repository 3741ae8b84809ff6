// All cards of one place: a folder (a checkout of mindspore-ai/hub among them), a base URL, or the
// cards that are part of Tessera.
//
//   const auto hub = open_hub("../hub", {});
//   for (const Card& card : hub->all()) …
//   const Card card = hub->find("mindspore/1.10/lenet_mnist");
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tessera/hub/card.h"
#include "tessera/hub/download.h"

namespace tessera::hub {

class CardIndex {
 public:
  virtual ~CardIndex() = default;
  /// Every card, by uid; malformed ones too, with their problems.
  virtual std::vector<Card> all() const = 0;
  /// Throws kNotFound, with the nearest uids where they are known.
  virtual Card find(const std::string& uid) const = 0;
  /// The folder or URL, or "built-in".
  virtual const std::string& name() const = 0;
};

/// A uid is a card's path below "mshub_res/assets", or below the folder, without ".md". Hidden
/// folders, and documents without front matter beside the assets, hold no cards. A uid without its
/// first parts is found too, where no other card ends so.
std::unique_ptr<CardIndex> open_folder(const std::filesystem::path& folder);
std::unique_ptr<CardIndex> open_built_in();
/// find() gets BASE/UID.md; all() gets BASE/index.json (what `tessera hub list --json` prints) or
/// BASE/index.txt (a uid per line). Cards that were got stay in the cache, for `offline` and for
/// when the server does not answer.
std::unique_ptr<CardIndex> open_url(const std::string& base, const FetchOptions& options);

/// `place` by what it is; "": what TESSERA_HUB says, or the built-in cards.
std::unique_ptr<CardIndex> open_hub(const std::string& place, const FetchOptions& options);

/// The card that `name` means: the URL of one, the path of a .md file that is there (if
/// `may_be_file`), or a uid of `hub`.
Card resolve_card(const std::string& name, const std::string& hub, const FetchOptions& options,
                  bool may_be_file = true);

}  // namespace tessera::hub
