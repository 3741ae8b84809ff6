// Files that name classes, as lists of a data set's labels come:
//
//   text   one class a line, the first is class 0: "cat", or "n02123045 tabby, tabby cat"
//   JSON   ["cat", "dog"], {"cat": 0, "dog": 1}, {"0": "cat"} or {"0": ["n02123045", "tabby"]}
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// A class as a file names it.
struct ClassName {
  std::string folder;  // what its folder may be called: the first word of a line
  std::string name;    // for people
  bool operator==(const ClassName&) const = default;
};

/// The classes by number. Throws kCorruptData for JSON of another kind, numbers that are not 0 to
/// the count less one, text that is not UTF-8, and a file without a class.
std::vector<ClassName> parse_class_names(std::string_view text);
std::vector<ClassName> read_class_names(const std::filesystem::path& path);

}  // namespace tessera
