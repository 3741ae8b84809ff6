#include "tessera/graph/attrs.h"

#include <fmt/format.h>

#include <array>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

/// Reads attributes from left to right; errors name the position.
class AttrReader {
 public:
  explicit AttrReader(std::string_view text) : text_(text) {}

  Attrs read_all() {
    Attrs attrs;
    skip_spaces();
    if (at_end()) return attrs;
    expect('{');
    if (take('}')) return attrs;
    do {
      const std::string name(read_word());
      check(!name.empty(), "the name of an attribute");
      expect('=');
      const bool is_new = attrs.emplace(name, read_value()).second;
      require(is_new, "attribute '{}' comes twice in '{}'", printable(name), printable(text_));
    } while (take(','));
    expect('}');
    return attrs;
  }

  Attr read_value() {
    skip_spaces();
    if (take('"')) return read_string();
    if (take('[')) return read_list();
    const std::string_view word = read_word();
    if (word == "true") return true;
    if (word == "false") return false;
    if (const auto integer = parse_int(word)) return *integer;
    const auto number = parse_double(word);
    check(number.has_value(), "true, false, a number, a \"string\" or a [list]");
    return *number;
  }

  void expect_end() {
    skip_spaces();
    check(at_end(), "the end");
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  void skip_spaces() {
    while (!at_end() && text_[at_] == ' ') ++at_;
  }
  void check(bool condition, std::string_view wanted) const {
    require(condition, "'{}', position {}: wanted {}", printable(text_), at_, wanted);
  }
  bool take(char c) {
    skip_spaces();
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { check(take(c), fmt::format("'{}'", c)); }
  std::string_view read_word() {
    skip_spaces();
    const size_t end = std::min(text_.find_first_of(" ,=[]{}\"", at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    return word;
  }

  std::string read_string() {
    std::string out;
    while (true) {
      check(!at_end(), "'\"'");
      const char c = text_[at_++];
      if (c == '"') return out;
      out += c == '\\' ? read_escape() : c;
    }
  }
  char read_escape() {
    check(!at_end(), "'\\\"', '\\\\' or '\\x' and two hex digits");
    const char c = text_[at_++];
    if (c == '"' || c == '\\') return c;
    check(c == 'x' && text_.size() - at_ >= 2, "'\\\"', '\\\\' or '\\x' and two hex digits");
    int byte = 0;
    for (const char digit : text_.substr(at_, 2)) {
      const size_t value = std::string_view("0123456789abcdef").find(digit);
      check(value != std::string_view::npos, "a hex digit");
      byte = byte * 16 + static_cast<int>(value);
    }
    at_ += 2;
    return static_cast<char>(byte);
  }

  Ints read_list() {
    Ints list;
    if (take(']')) return list;
    do {
      const auto integer = parse_int(read_word());
      check(integer.has_value(), "an integer");
      list.push_back(*integer);
    } while (take(','));
    expect(']');
    return list;
  }

  std::string_view text_;
  size_t at_ = 0;
};

struct AttrText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return number_text(value); }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const Ints& value) const {
    return fmt::format("[{}]", fmt::join(value, ","));
  }
};

}  // namespace

std::string to_string(const Attr& attr) {
  return std::visit(AttrText{}, attr);
}

std::string to_string(const Attrs& attrs) {
  std::string text;
  for (const auto& [name, attr] : attrs)
    text += fmt::format("{}{}={}", text.empty() ? "{" : ", ", name, to_string(attr));
  return text.empty() ? text : text + "}";
}

Attrs parse_attrs(std::string_view text) {
  AttrReader reader(text);
  Attrs attrs = reader.read_all();
  reader.expect_end();
  return attrs;
}

Attr parse_attr(std::string_view text) {
  AttrReader reader(text);
  Attr attr = reader.read_value();
  reader.expect_end();
  return attr;
}

std::string_view type_name(const Attr& attr) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "true or false", "an integer", "a number", "a string", "a list of integers"};
  return kNames[attr.index()];
}

}  // namespace tessera
