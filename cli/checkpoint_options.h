// The options of every word that opens a checkpoint: one spelling, one meaning.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "tessera/checkpoint/match.h"

namespace tessera::cli {

struct CheckpointOptions {
  std::string key_file;
  std::string cipher;
  std::string prefix;
  std::vector<std::string> rename;
  std::vector<std::string> allow;
  bool lenient = false;
  bool crc = false;
  bool map = false;
  bool unaligned = false;  // as LoadOptions has it

  /// `may_map`: with --mmap, for words that load tensors.
  void declare(Arguments& arguments, bool may_map = true);
  /// Reads the key file. Throws kInvalidArgument when its size is no key size.
  OpenOptions open_options() const;
  /// The same for words that read everything anyway: a CRC that is there is checked.
  OpenOptions checked_open_options() const;
  /// Whether a pattern of --allow matches the name.
  bool allows(const std::string& name) const;
  MatchOptions match_options() const;
  LoadOptions load_options(int threads = 0) const;
  /// Throws UsageError when any of them is given: for words that were given no checkpoint.
  void require_unused() const;
  /// The checkpoint with --rename and --prefix applied to its names: for words that load no
  /// network.
  Checkpoint open(const std::string& path) const;
  Checkpoint open(const std::string& path, const OpenOptions& options) const;
};

/// Whether any of the patterns matches the name.
bool matches_any(const std::vector<std::string>& patterns, const std::string& name);

/// The key in a file: 16, 24 or 32 bytes; one newline at the end is not part of it.
std::string read_key(const std::string& path);

}  // namespace tessera::cli
