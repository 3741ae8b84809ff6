#include "cli/checkpoint_options.h"

#include "tessera/base/error.h"

namespace tessera::cli {

void CheckpointOptions::declare(Arguments& arguments) {
  arguments.group("Checkpoint");
  arguments.option("--key-file", key_file, "file with the key of an encrypted checkpoint");
  arguments.option("--cipher", cipher, "AES-GCM, AES-CBC or SM4-CBC; default: what the file says");
  arguments.options("--rename", rename,
                    "PATTERN=REPLACEMENT for names of the checkpoint; '*' captures ('l1.*=fc1.*')");
  arguments.option("--prefix", prefix, "use only names that begin with this, without it");
  arguments.options("--allow", allow,
                    "accept one deviation: a parameter's name pattern, or KIND[:NAME-PATTERN]");
  arguments.flag("--lenient", lenient, "MindSpore's rules: prefix matching, dtype conversion");
  arguments.flag("--check-crc", crc, "read all and check the CRC; a file without one is refused");
  arguments.flag("--mmap", map, "map the file instead of reading it");
}

std::string read_key(const std::string& path) {
  std::string key = read_text(path, 64);
  if (!key.empty() && key.back() == '\n' && key.size() % 8 == 1) key.pop_back();
  require(key.size() == 16 || key.size() == 24 || key.size() == 32,
          "key file {} holds {} bytes; a key has 16, 24 or 32", path, key.size());
  return key;
}

OpenOptions CheckpointOptions::open_options() const {
  OpenOptions options;
  if (!key_file.empty()) options.key = read_key(key_file);
  options.cipher = cipher;
  options.check_crc = crc;
  options.allow = allow;
  return options;
}

MatchOptions CheckpointOptions::match_options() const {
  MatchOptions options{.lenient = lenient, .prefix = prefix, .renaming = {}, .allow = allow};
  for (const std::string& text : rename) options.renaming.push_back(parse_renaming(text));
  return options;
}

LoadOptions CheckpointOptions::load_options(int threads) const {
  LoadOptions options;
  options.threads = threads;
  options.map = map;
  return options;
}

}  // namespace tessera::cli
