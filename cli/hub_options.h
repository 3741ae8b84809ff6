// The options of every word that takes something from a hub.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/common_options.h"
#include "cli/output.h"
#include "tessera/hub/download.h"

namespace tessera::cli {

struct HubOptions {
  std::string hub;  // "": TESSERA_HUB or the built-in cards
  std::string cache;
  std::vector<std::string> mirrors;
  bool offline = false;
  bool force_reload = false;
  bool unverified = false;
  int64_t retries = 5;

  /// --hub, --cache, --offline.
  void declare_place(Arguments& arguments);
  /// The options of fetching besides.
  void declare_fetch(Arguments& arguments);
  /// What is told goes to stderr, progress to a bar there; neither where `quiet`.
  hub::FetchOptions fetch_options(bool quiet) const;
};

}  // namespace tessera::cli
