#include "tessera/hub/card.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/hub/front_matter.h"
#include "tessera/hub/internal/yaml_tree.h"
#include "tessera/hub/uid.h"
#include "tessera/io/file.h"

namespace tessera::hub {
namespace {

using internal::YamlFault;
using internal::YamlTree;

constexpr std::array<std::string_view, 5> kFormats{"ckpt", "mindir", "air", "onnx", "mslite"};
constexpr std::array<std::string_view, 3> kAssetKeys{"file-format", "asset-link", "asset-sha256"};
constexpr size_t kLongestValue = 4096;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// Text that is UTF-8 for certain.
std::string clean(std::string_view text) {
  return is_utf8(text) ? std::string(text) : printable(text, kLongestValue);
}

/// Nested values in YAML's one-line notation.
std::string flow_text(const YamlTree& tree) {
  if (tree.is_scalar()) return clean(tree.scalar);
  std::string text;
  const bool is_map = tree.kind == YamlTree::Kind::kMap;
  for (size_t i = 0; i < tree.items.size(); ++i)
    text += fmt::format("{}{}{}", i == 0 ? "" : ", ", is_map ? clean(tree.keys[i]) + ": " : "",
                        flow_text(tree.items[i]));
  return is_map ? "{" + text + "}" : "[" + text + "]";
}

/// "Model_Name" as "model-name", where that is a key of cards.
std::string known_spelling(const std::string& key) {
  std::string name = lower(trim(key));
  std::replace(name.begin(), name.end(), '_', '-');
  const auto& keys = known_keys();
  const bool is_known = name == "asset-link" || name == "asset-sha256" || name == "file-format" ||
                        std::any_of(keys.begin(), keys.end(),
                                    [&](const KnownKey& known) { return known.name == name; });
  return is_known ? name : clean(key);
}

/// "<https://…>", "[name](https://…)" and quotes around a link.
std::string bare_link(std::string_view text) {
  text = trim(text);
  const size_t markdown = text.find("](");
  if (text.starts_with('[') && text.ends_with(')') && markdown != std::string_view::npos)
    text = text.substr(markdown + 2, text.size() - markdown - 3);
  while (text.size() >= 2 && ((text.front() == '<' && text.back() == '>') ||
                              (text.front() == '"' && text.back() == '"')))
    text = trim(text.substr(1, text.size() - 2));
  return clean(text);
}

/// "CKPT" and ".ckpt" as "ckpt".
std::string bare_format(std::string_view text) {
  text = trim(text);
  return lower(text.starts_with('.') ? text.substr(1) : text);
}

void read_hash(std::string_view text, Asset& asset) {
  std::string hash = lower(trim(text));
  if (hash.starts_with("sha256:")) hash = std::string(trim(std::string_view(hash).substr(7)));
  const bool is_hex = hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (hash.empty()) {
    asset.hash_reason = "the card gives no asset-sha256";
  } else if (hash.size() != 64 || !is_hex) {
    asset.hash_reason =
        fmt::format("asset-sha256 is '{}': {} characters, not 64 hexadecimal digits",
                    printable(hash), hash.size());
  } else {
    asset.sha256 = hash;
  }
}

class Reader {
 public:
  explicit Reader(Card& card) : card_(card) {}

  void read(std::string_view text) {
    FrontMatter front = find_front_matter(text);
    first_line_ = front.first_line;
    YamlTree tree;
    if (front.problem.empty() && parse(front, tree))
      read_fields(tree);
    else if (!front.problem.empty())
      problem(-1, front.problem);
    card_.notes.insert(card_.notes.begin(), front.notes.begin(), front.notes.end());
  }

 private:
  template <typename... Args>
  void problem(int line, fmt::format_string<Args...> format, Args&&... args) {
    card_.problems.push_back(at(line) + fmt::format(format, std::forward<Args>(args)...));
  }
  void problem(int line, const std::string& what) { card_.problems.push_back(at(line) + what); }
  template <typename... Args>
  void note(int line, fmt::format_string<Args...> format, Args&&... args) {
    card_.notes.push_back(at(line) + fmt::format(format, std::forward<Args>(args)...));
  }
  std::string at(int line) const {
    return line < 0 ? std::string() : fmt::format("line {}: ", line + first_line_);
  }

  bool parse(FrontMatter& front, YamlTree& tree) {
    YamlFault fault;
    if (internal::read_yaml(joined(front.lines), tree, fault)) return true;
    YamlFault second;
    FrontMatter quoted = front;
    if (fault.line >= 0 && !fault.is_refused && quote_values(quoted) &&
        internal::read_yaml(joined(quoted.lines), tree, second)) {
      front.notes = quoted.notes;
      return true;
    }
    problem(fault.line, "its front matter is no YAML: {}", fault.reason);
    return false;
  }

  /// base's join drops the separator before the first text that is not empty.
  static std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }

  void read_fields(const YamlTree& tree) {
    if (tree.kind != YamlTree::Kind::kMap) return problem(-1, "its front matter has no keys");
    card_.is_read = true;
    const YamlTree* asset = nullptr;
    for (size_t i = 0; i < tree.items.size(); ++i) {
      const std::string& key = tree.keys[i];
      const YamlTree& value = tree.items[i];
      const std::string name = known_spelling(key);
      if (name != key) note(value.line, "the key '{}' is read as '{}'", printable(key), name);
      const auto known = std::find_if(card_.fields.begin(), card_.fields.end(),
                                      [&](const auto& field) { return field.first == name; });
      if (known != card_.fields.end()) {
        note(value.line, "'{}' is given twice; the last is taken", printable(name));
        known->second = flow_text(value);
      } else {
        card_.fields.emplace_back(name, flow_text(value));
      }
      if (name == "asset") asset = &value;
    }
    fill();
    if (asset != nullptr) read_assets(*asset);
  }

  bool has(std::string_view key) const {
    return std::any_of(card_.fields.begin(), card_.fields.end(),
                       [&](const auto& field) { return field.first == key; });
  }

  void fill() {
    card_.model = card_.field("model-name");
    card_.backbone = card_.field("backbone-name");
    card_.dataset = card_.field("train-dataset");
    card_.accuracy = card_.field("accuracy");
    card_.evaluation = card_.field("evaluation");
    std::vector<std::string> missing;
    for (const KnownKey& key : known_keys())
      if (key.is_required && !has(key.name)) missing.emplace_back(key.name);
    if (!missing.empty()) problem(-1, "it lacks {}", join(missing, ", "));
    if (card_.model.empty()) note(-1, "it has no model-name; the backbone-name names the network");
    const std::string tunable = lower(card_.field("fine-tunable"));
    if (!tunable.empty() && tunable != "true" && tunable != "false" && tunable != "yes" &&
        tunable != "no" && tunable != "on" && tunable != "off")
      note(-1, "fine-tunable is '{}', not true or false", printable(tunable));
    read_accuracy();
  }

  void read_accuracy() {
    std::string_view text = trim(card_.accuracy);
    if (text.ends_with('%')) text = trim(text.substr(0, text.size() - 1));
    card_.accuracy_number = parse_double(text);
    if (!text.empty() && !card_.accuracy_number) card_.accuracy_number = first_number(text);
    if (!text.empty() && !card_.accuracy_number)
      note(-1, "accuracy is '{}', not a number", printable(text));
    if (text.empty()) {
      const std::string evaluation = lower(card_.evaluation);
      const size_t acc = evaluation.find("acc");
      if (acc != std::string::npos)
        card_.accuracy_number = first_number(std::string_view(evaluation).substr(acc + 3));
    }
  }

  /// Of "acc92.53", "Top-1: 76.97" and "{top1: 0.767, top5: 0.93}" the number that is a result, not
  /// part of a name.
  static std::optional<double> first_number(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789";
    for (size_t begin = 0;
         (begin = text.find_first_of(kDigits, begin)) != std::string_view::npos;) {
      const size_t end = std::min(text.find_first_not_of("0123456789.", begin), text.size());
      std::string_view number = text.substr(begin, end - begin);
      while (number.ends_with('.')) number.remove_suffix(1);
      if (number.find('.') == std::string_view::npos && is_of_a_name(text, begin, end)) {
        begin = end;
        continue;
      }
      const bool has_comma = end + 1 < text.size() && text[end] == ',' && begin == 0 &&
                             text.find_first_not_of(kDigits, end + 1) == std::string_view::npos;
      return has_comma ? parse_double(fmt::format("{}.{}", number, text.substr(end + 1)))
                       : parse_double(number);
    }
    return {};
  }

  /// The 1 of "top1", "Top-1", "acc@1" and "F1", and what stands before a colon.
  static bool is_of_a_name(std::string_view text, size_t begin, size_t end) {
    const size_t after = text.find_first_not_of(" )\"'", end);
    if (after != std::string_view::npos && (text[after] == ':' || text[after] == '=')) return true;
    const std::string before = lower(text.substr(0, begin));
    const size_t last = before.find_last_not_of(" -_");
    return last != std::string::npos &&
           (before[last] == '@' || std::string_view(before).substr(0, last + 1).ends_with("top") ||
            (last + 1 == begin && before[last] == 'f'));
  }

  void read_assets(const YamlTree& tree) {
    if (tree.is_scalar()) {
      if (!trim(tree.scalar).empty())
        problem(tree.line, "asset is the text '{}', not a list", printable(tree.scalar));
      return;
    }
    if (tree.kind == YamlTree::Kind::kMap) {
      note(tree.line, "asset is no list; its one entry is read");
      return read_asset(tree, 1);
    }
    for (size_t i = 0; i < tree.items.size(); ++i) {
      if (tree.items[i].kind == YamlTree::Kind::kMap)
        read_asset(tree.items[i], i + 1);
      else
        problem(tree.items[i].line, "asset {} is no map", i + 1);
    }
  }

  /// What the keys of an asset say, as they are written.
  struct AssetText {
    std::map<std::string, std::string, std::less<>> values;  // by key, of kAssetKeys
    std::string first;                                       // the key that it begins with
  };

  void read_asset(const YamlTree& tree, size_t number) {
    AssetText text;
    for (size_t i = 0; i < tree.items.size(); ++i) {
      const std::string name = known_spelling(tree.keys[i]);
      if (std::find(kAssetKeys.begin(), kAssetKeys.end(), name) == kAssetKeys.end()) continue;
      const bool is_whole = text.values.size() == kAssetKeys.size();
      if (is_whole && name == text.first) {
        note(tree.items[i].line, "asset {} gives '{}' twice; another asset is read from there on",
             number, name);
        add_asset(std::exchange(text, {}), tree.line, number);
      } else if (text.values.contains(name)) {
        note(tree.items[i].line, "asset {} gives '{}' twice; the last is taken", number, name);
      }
      if (text.first.empty()) text.first = name;
      text.values[name] = flow_text(tree.items[i]);
    }
    add_asset(std::move(text), tree.line, number);
  }

  void add_asset(AssetText text, int line, size_t number) {
    Asset asset;
    asset.format = bare_format(text.values["file-format"]);
    asset.link = bare_link(text.values["asset-link"]);
    read_hash(text.values["asset-sha256"], asset);
    if (!asset.hash_reason.empty()) problem(line, "asset {}: {}", number, asset.hash_reason);
    if (const auto why = why_no_link(asset.link)) {
      asset.link_reason = asset.link.empty()
                              ? "it has no asset-link"
                              : fmt::format("asset-link '{}': {}", printable(asset.link), *why);
      problem(line, "asset {}: {}", number, asset.link_reason);
    }
    if (std::find(kFormats.begin(), kFormats.end(), asset.format) == kFormats.end())
      problem(line, "asset {}: file-format is '{}'; known: ckpt, mindir, air, onnx, mslite", number,
              printable(asset.format));
    card_.assets.push_back(std::move(asset));
  }

  Card& card_;
  int first_line_ = 1;
};

Card too_large(std::string uid, uint64_t size) {
  return unreadable_card(std::move(uid), fmt::format("it has {}; a card has at most {}",
                                                     human_bytes(size), human_bytes(kLargestCard)));
}

}  // namespace

const std::string& Card::field(std::string_view key) const {
  static const std::string kNothing;
  for (const auto& [name, value] : fields)
    if (name == key) return value;
  return kNothing;
}

const Asset* Card::weights() const {
  const Asset* found = nullptr;
  for (const Asset& asset : assets)
    if (asset.format == "ckpt") found = &asset;
  return found != nullptr || assets.empty() ? found : &assets.front();
}

Card read_card(std::string uid, std::string_view text) {
  if (text.size() > kLargestCard) return too_large(std::move(uid), text.size());
  Card card;
  card.uid = std::move(uid);
  Reader(card).read(text);
  return card;
}

Card read_card_file(std::string uid, const std::filesystem::path& path) {
  Card card;
  try {
    const auto file = local_file_system().open(path);
    const uint64_t size = file->size();
    std::string text(static_cast<size_t>(std::min(size, kLargestCard)), '\0');
    file->read(0, std::as_writable_bytes(std::span(text)));
    card = size > kLargestCard ? too_large(std::move(uid), size) : read_card(std::move(uid), text);
  } catch (const Error& error) {
    card = unreadable_card(std::move(uid), error.what());
  }
  card.hub = path.parent_path().string();
  card.place = path.string();
  return card;
}

Card unreadable_card(std::string uid, std::string reason) {
  Card card;
  card.uid = std::move(uid);
  card.problems.push_back(std::move(reason));
  return card;
}

}  // namespace tessera::hub
