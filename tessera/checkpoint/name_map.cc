#include "tessera/checkpoint/name_map.h"

#include <array>
#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/file.h"

namespace tessera {
namespace {

void add_line(NameMap& map, std::string_view line) {
  line = trim(line);
  if (line.empty() || line.front() == '#') return;
  if (line == "pytorch") {
    map.pytorch = true;
    return;
  }
  const size_t at = line.find('=');
  require(at != std::string_view::npos, "'{}' is neither PATTERN=REPLACEMENT nor 'pytorch'",
          printable(line));
  map.rules.push_back(
      parse_renaming(fmt::format("{}={}", trim(line.substr(0, at)), trim(line.substr(at + 1)))));
}

void add_file(NameMap& map, const std::string& path) {
  const std::string text = read_text(path);
  size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const ErrorContext context(
        [&] { return fmt::format("reading the name map {}, line {}", printable(path), number); });
    add_line(map, line);
  }
  require(!map.empty(), "the name map {} has no rule", printable(path));
}

struct Word {
  std::string_view pytorch;
  std::string_view mindspore;
};
constexpr std::array<Word, 4> kNorm{{{"weight", "gamma"},
                                     {"bias", "beta"},
                                     {"running_mean", "moving_mean"},
                                     {"running_var", "moving_variance"}}};

/// PyTorch's names made MindSpore's where a layer is a norm or an embedding.
class PyTorchNames {
 public:
  PyTorchNames(std::span<const std::string> names, std::span<const std::string> wanted)
      : wanted_(wanted.begin(), wanted.end()), by_network_(!wanted.empty()) {
    for (const std::string& name : names)
      if (name.ends_with(".running_mean")) norms_.insert(name.substr(0, name.rfind('.')));
  }

  std::string of(const std::string& name) const {
    const size_t dot = name.rfind('.');
    if (dot == std::string::npos) return name;
    const std::string layer = name.substr(0, dot);
    const std::string_view last = std::string_view(name).substr(dot + 1);
    if (is_norm(layer)) {
      for (const Word& word : kNorm)
        if (word.pytorch == last) return fmt::format("{}.{}", layer, word.mindspore);
    }
    if (last == "weight" && wanted_.contains(layer + ".embedding_table"))
      return layer + ".embedding_table";
    return name;
  }

 private:
  bool is_norm(const std::string& layer) const {
    if (by_network_) return wanted_.contains(layer + ".gamma");
    return norms_.contains(layer);
  }

  std::set<std::string> wanted_;
  std::set<std::string> norms_;
  bool by_network_;
};

}  // namespace

NameMap read_name_map(std::span<const std::string> entries) {
  NameMap map;
  for (const std::string& entry : entries) {
    if (entry == "pytorch" || entry.find('=') != std::string::npos) {
      add_line(map, entry);
      map.whole = map.whole || entry == "pytorch";
    } else {
      const ErrorContext context([&] {
        return fmt::format(
            "'{}' is neither PATTERN=REPLACEMENT nor 'pytorch', so it is taken for a file",
            printable(entry));
      });
      add_file(map, entry);
      map.whole = true;
    }
  }
  return map;
}

std::vector<std::string> map_names(std::span<const std::string> names, const NameMap& map,
                                   std::span<const std::string> wanted) {
  std::vector<std::string> mapped = rename(names, map.rules, map.whole);
  if (!map.pytorch) return mapped;
  const PyTorchNames pytorch(mapped, wanted);
  bool is_used = false;
  for (std::string& name : mapped) {
    std::string other = pytorch.of(name);
    is_used = is_used || other != name;
    name = std::move(other);
  }
  require(is_used,
          "'pytorch' changes no name: no stored weight belongs to a norm or an embedding{}",
          wanted.empty() ? ", as far as the stored names tell" : " of the network");
  check_distinct(names, mapped);
  return mapped;
}

}  // namespace tessera
