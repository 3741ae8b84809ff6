// The front matter of a card: the lines between its first two lines that begin with "---". What
// real cards hold is made YAML where its meaning is plain, and every such place is noted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera::hub {

struct FrontMatter {
  std::vector<std::string> lines;  // one for each of the file's, so that numbers of lines agree
  int first_line = 0;              // of lines[0] in the file, from 1
  std::vector<std::string> notes;
  std::string problem;  // why there is none, and empty otherwise
};

/// Drops a byte order mark and carriage returns, makes tabs of indentation two blanks, reads
/// "evaluation: -" as nothing and "key:value" of a known key as "key: value".
FrontMatter find_front_matter(std::string_view text);

/// For front matter that is no YAML: quotes values that YAML reads as something else, such as
/// "PSNR: 38 | SSIM: 1", "*best*" or "- none". Says whether it changed anything.
bool quote_values(FrontMatter& front);

/// The keys that MindSpore Hub knows, those that it demands first.
struct KnownKey {
  std::string_view name;
  bool is_required = false;
};
const std::vector<KnownKey>& known_keys();

}  // namespace tessera::hub
