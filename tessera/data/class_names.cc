#include "tessera/data/class_names.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/file.h"
#include "tessera/io/json.h"

namespace tessera {
namespace {

constexpr size_t kMostClasses = size_t{1} << 20;

/// "n02123045 tabby, tabby cat" where the first word can be a folder's name that says nothing.
ClassName of_line(std::string_view line) {
  const size_t space = line.find_first_of(" \t");
  const std::string_view first = line.substr(0, space);
  const bool is_code = space != std::string_view::npos &&
                       first.find_first_of("0123456789") != std::string_view::npos;
  if (!is_code) return {std::string(line), std::string(line)};
  return {std::string(first), std::string(trim(line.substr(space)))};
}

std::vector<ClassName> of_text(std::string_view text) {
  std::vector<ClassName> classes;
  size_t number = 0;
  size_t empty_at = 0;  // a line without a class
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const std::string_view name = trim(line);
    if (name.empty()) {
      if (empty_at == 0) empty_at = number;
      continue;
    }
    require_valid(empty_at == 0, "line {} is empty, but line {} names a class", empty_at, number);
    classes.push_back(of_line(name));
  }
  return classes;
}

ClassName of_value(const Json& value) {
  if (!value.is_array()) return {value.as_string(), value.as_string()};
  require_valid(value.items().size() == 2, "a class is a name or [folder, name], found {} items",
                value.items().size());
  return {value.items()[0].as_string(), value.items()[1].as_string()};
}

/// {"cat": 0} as MindSpore's class_indexing, or {"0": "cat"}. There may be gaps, as where the
/// folders are some of a network's classes: those are named by their number.
std::vector<ClassName> of_members(const Json::Object& members) {
  std::vector<std::optional<ClassName>> places(members.size());
  for (const auto& [key, value] : members) {
    const bool key_names = !value.is_string() && !value.is_array();
    const std::optional<int64_t> index = key_names ? value.as_int() : parse_int(key);
    require_valid(index && *index >= 0 && *index < static_cast<int64_t>(kMostClasses),
                  "'{}' does not give a number from 0 to {}", printable(key), kMostClasses - 1);
    const auto place = static_cast<size_t>(*index);
    if (place >= places.size()) places.resize(place + 1);
    require_valid(!places[place], "'{}' gives the number {}, which another class has",
                  printable(key), place);
    places[place] = key_names ? ClassName{key, key} : of_value(value);
  }
  std::vector<ClassName> classes;
  for (size_t i = 0; i < places.size(); ++i)
    classes.push_back(places[i] ? std::move(*places[i]) : ClassName{"", fmt::format("{}", i)});
  return classes;
}

std::vector<ClassName> of_json(std::string_view text) {
  const Json root = parse_json(text, {});
  if (root.is_object()) return of_members(root.members());
  std::vector<ClassName> classes;
  for (const Json& item : root.items()) classes.push_back(of_value(item));
  return classes;
}

}  // namespace

std::vector<ClassName> parse_class_names(std::string_view text) {
  require_valid(is_utf8(text), "the names of the classes are not UTF-8");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::string_view content = trim(text);
  require_valid(!content.empty(), "it names no class");
  std::vector<ClassName> classes =
      content.front() == '{' || content.front() == '[' ? of_json(content) : of_text(text);
  require_valid(!classes.empty() && classes.size() <= kMostClasses, "it names {} classes",
                classes.size());
  return classes;
}

std::vector<ClassName> read_class_names(const std::filesystem::path& path) {
  const ErrorContext context([&] { return fmt::format("reading the labels {}", path.string()); });
  constexpr uint64_t kMostBytes = uint64_t{1} << 27;
  const auto file = local_file_system().open(path);
  require_valid(file->size() <= kMostBytes, "it has {}; names of classes take less",
                human_bytes(file->size()));
  std::string text(file->size(), '\0');
  file->read(0, std::as_writable_bytes(std::span(text)));
  return parse_class_names(text);
}

}  // namespace tessera
