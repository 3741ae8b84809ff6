#include "cli/checkpoint_options.h"

#include <algorithm>

#include "cli/word.h"
#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::cli {

void CheckpointOptions::declare(Arguments& arguments, bool may_map) {
  arguments.group("Checkpoint");
  arguments.option("--key-file", key_file, "file with the key of an encrypted checkpoint");
  arguments.option("--cipher", cipher,
                   "AES-GCM, AES-CBC or SM4-CBC; default: what the file says; with -v1 the "
                   "container of MindSpore up to 1.6");
  arguments.options("--rename", rename,
                    "PATTERN=REPLACEMENT for names of the checkpoint, '*' captures "
                    "('l1.*=fc1.*'); or a file of such lines; or 'pytorch'");
  arguments.option("--prefix", prefix, "use only names that begin with this, without it");
  arguments.options("--allow", allow,
                    "accept one deviation: a parameter's name pattern, or KIND[:NAME-PATTERN]");
  arguments.flag("--lenient", lenient, "MindSpore's rules: prefix matching, dtype conversion");
  arguments.flag("--check-crc", crc, "read all and check the CRC; a file without one is refused");
  if (may_map) arguments.flag("--mmap", map, "map the file instead of reading it");
}

std::string read_key(const std::string& path) {
  std::string key = read_text(path, 64);
  if (!key.empty() && key.back() == '\n' && key.size() % 8 == 1) key.pop_back();
  require(key.size() == 16 || key.size() == 24 || key.size() == 32,
          "key file {} holds {} bytes; a key has 16, 24 or 32", path, key.size());
  return key;
}

void CheckpointOptions::require_unused() const {
  const bool unused = key_file.empty() && cipher.empty() && prefix.empty() && rename.empty() &&
                      allow.empty() && !lenient && !crc && !map;
  require_usage(unused, "there are options about a checkpoint, but no --weights");
}

OpenOptions CheckpointOptions::open_options() const {
  require_usage(cipher.empty() || !key_file.empty(), "--cipher needs --key-file");
  OpenOptions options;
  if (!key_file.empty()) options.key = read_key(key_file);
  options.cipher = cipher;
  for (const int generation : {1, 2}) {
    const std::string suffix = fmt::format("-v{}", generation);
    if (!cipher.ends_with(suffix)) continue;
    options.cipher = cipher.substr(0, cipher.size() - suffix.size());
    options.generation = generation;
  }
  options.crc = crc ? CrcCheck::kRequired : CrcCheck::kNo;
  options.allow = allow;
  // What MindSpore accepts in a file and can be read with a meaning.
  if (lenient)
    for (const char* kind : {"missing_crc", "short_content", "duplicate_names", "empty_name"})
      options.allow.emplace_back(kind);
  return options;
}

OpenOptions CheckpointOptions::checked_open_options() const {
  OpenOptions options = open_options();
  if (options.crc == CrcCheck::kNo) options.crc = CrcCheck::kIfPresent;
  return options;
}

bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches(pattern, name); });
}

bool CheckpointOptions::allows(const std::string& name) const {
  return matches_any(allow, name);
}

MatchOptions CheckpointOptions::match_options() const {
  MatchOptions options{.lenient = lenient, .prefix = prefix, .renaming = {}, .allow = allow};
  options.renaming = read_usage([&] { return read_name_map(rename); });
  return options;
}

LoadOptions CheckpointOptions::load_options(int threads) const {
  LoadOptions options;
  options.threads = threads;
  options.map = map;
  options.unaligned = unaligned;
  return options;
}

Checkpoint CheckpointOptions::open(const std::string& path) const {
  return open(path, open_options());
}

Checkpoint CheckpointOptions::open(const std::string& path, const OpenOptions& options) const {
  Checkpoint checkpoint = open_checkpoint(path, options);
  check_allow(allow, checkpoint.catalog.names());
  const MatchOptions match = match_options();
  if (match.renaming.empty() && match.prefix.empty()) return checkpoint;
  Catalog& catalog = checkpoint.catalog;
  const std::vector<std::string> names = map_names(catalog.names(), match.renaming);
  std::deque<Record> records;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool is_left_out = names[i].empty() && !catalog.records[i].name.empty();
    if (is_left_out || !names[i].starts_with(match.prefix)) continue;
    records.push_back(std::move(catalog.records[i]));
    records.back().name = names[i].substr(match.prefix.size());
  }
  require(!records.empty(), "nothing in {} is left, by --prefix '{}' and --rename{}", path,
          match.prefix, suggest(match.prefix, names));
  catalog.records = std::move(records);
  index_records(catalog);
  return checkpoint;
}

}  // namespace tessera::cli
