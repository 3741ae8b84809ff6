#include "tessera/graph/options.h"

#include <set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

/// The parts of "a=1,b=[2,3],c=d(e=4,f=5)" between the commas that are not inside brackets.
std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(trim(text.substr(begin, i - begin)));
      begin = i + 1;
    } else if (text[i] == '[' || text[i] == '(') {
      ++depth;
    } else if (text[i] == ']' || text[i] == ')') {
      --depth;
    }
  }
  return parts;
}

const AttrDef& require_option(std::string_view owner, std::string_view name,
                              std::span<const AttrDef> options) {
  std::vector<std::string> names;
  for (const AttrDef& option : options) {
    if (option.name == name) return option;
    names.emplace_back(option.name);
  }
  fail(ErrorCode::kInvalidArgument, "{} has no option '{}'{}; it has: {}", owner, printable(name),
       suggest(name, names), join(names, ", "));
}

Attr parse_option(const AttrDef& option, std::string_view text) {
  if (std::holds_alternative<std::string>(option.default_value) && !text.starts_with('"'))
    return std::string(text);
  Attr value = parse_attr(text);
  const bool widen = std::holds_alternative<double>(option.default_value) &&
                     std::holds_alternative<int64_t>(value);
  if (widen) value = static_cast<double>(std::get<int64_t>(value));
  require(value.index() == option.default_value.index(), "option '{}' is {}, got {}", option.name,
          type_name(option.default_value), printable(text));
  return value;
}

}  // namespace

NamedOptions split_options(std::string_view what, std::string_view text) {
  text = trim(text);
  const size_t open = text.find('(');
  if (open == std::string_view::npos) return {text, {}};
  require(text.back() == ')', "{} '{}' lacks its closing ')'", what, printable(text));
  return {trim(text.substr(0, open)), trim(text.substr(open + 1, text.size() - open - 2))};
}

Attrs parse_options(std::string_view owner, std::string_view inside,
                    std::span<const AttrDef> options) {
  Attrs values;
  for (const AttrDef& option : options) values.emplace(option.name, option.default_value);
  if (inside.empty()) return values;
  const ErrorContext context(
      [&] { return fmt::format("reading the options of {}: '{}'", owner, printable(inside)); });
  std::set<std::string_view> given;
  for (const std::string_view part : split_at_commas(inside)) {
    const size_t equals = part.find('=');
    require(equals != std::string_view::npos, "'{}' is no option=value", printable(part));
    const AttrDef& option = require_option(owner, trim(part.substr(0, equals)), options);
    require(given.insert(option.name).second, "option '{}' is given twice", option.name);
    values.find(option.name)->second = parse_option(option, trim(part.substr(equals + 1)));
  }
  return values;
}

std::string options_to_string(std::string_view name, const Attrs& values,
                              std::span<const AttrDef> options) {
  std::string text;
  for (const AttrDef& option : options) {
    const Attr& value = values.find(option.name)->second;
    if (value == option.default_value) continue;
    const auto* plain = std::get_if<std::string>(&value);
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", option.name,
                        plain != nullptr ? *plain : to_string(value));
  }
  return text.empty() ? std::string(name) : fmt::format("{}({})", name, text);
}

}  // namespace tessera
