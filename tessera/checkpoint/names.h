// Choosing and renaming records by name, before they are matched with a network or converted.
//
//   '*.fc?'       matches: '*' stands for any run of characters, '?' for one
//   network.*=*   a renaming: every '*' on the right takes what the '*' of the same place matched
//   moments.*=    leaves records out
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/catalog.h"

namespace tessera {

/// MindSpore's options of load_checkpoint (since 1.8): names that begin with one of
/// `specify_prefix` (when there are any) and with none of `filter_prefix`. `choice` counts only
/// when neither list has an entry.
struct NameFilter {
  std::vector<std::string> specify_prefix;
  std::vector<std::string> filter_prefix;
  std::function<bool(const std::string&)> choice;
};

/// The catalog with the records that pass. Throws kInvalidArgument for an empty prefix, kNotFound
/// when nothing is left.
Catalog select(const Catalog& catalog, const NameFilter& filter);

struct Renaming {
  std::string pattern;      // in which '*' captures
  std::string replacement;  // has at most as many '*'; empty: the record is left out
};

/// Reads "PATTERN=REPLACEMENT"; throws kInvalidArgument.
Renaming parse_renaming(std::string_view text);
/// `names` after renaming, "" for those left out: for each the first rule that matches is applied,
/// once. Throws kInvalidArgument naming all rules that match no name and all names that become one;
/// with `may_leave_out_nothing` rules that leave records out need not match.
std::vector<std::string> rename(std::span<const std::string> names, std::span<const Renaming> rules,
                                bool may_leave_out_nothing = false);

/// Throws kInvalidArgument naming all `names` whose `renamed` is another's too; "" is none's.
void check_distinct(std::span<const std::string> names, std::span<const std::string> renamed);

}  // namespace tessera
