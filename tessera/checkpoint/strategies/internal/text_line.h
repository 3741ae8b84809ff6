// One line of a text for people, read from left to right; errors name the line and the column.
#pragma once

#include <string>
#include <string_view>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::internal {

class TextLine {
 public:
  /// Tabs count as spaces.
  TextLine(std::string_view text, int number) : text_(text), number_(number) {
    for (char& c : text_)
      if (c == '\t' || c == '\r') c = ' ';
  }

  const std::string& text() const { return text_; }
  int number() const { return number_; }
  size_t at() const { return at_; }

  TextLine& skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return *this;
  }
  /// Whether only spaces and a comment are left; stands before the next word afterwards.
  bool at_end() {
    skip_space();
    return at_ == text_.size() || text_[at_] == '#';
  }
  /// The character at the cursor, or 0 at the end.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  /// What stands between here and the next space.
  std::string_view word() { return through_end(std::min(text_.find(' ', at_), text_.size())); }
  std::string_view through_end(size_t end) {
    const std::string_view found = std::string_view(text_).substr(at_, end - at_);
    at_ = end;
    return found;
  }
  /// What stands between here and the next `c`, which is included.
  std::string_view through(char c) {
    const size_t end = text_.find(c, at_);
    if (end == std::string::npos) fail_here(fmt::format("'{}' is missing", c));
    return through_end(end + 1);
  }
  /// A JSON string with its quotes.
  std::string_view quoted() {
    for (size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        return through_end(i + 1);
      }
    }
    fail_here("the name has no closing '\"'");
  }

  [[noreturn]] void fail_at(size_t column, std::string_view message) const {
    fail(ErrorCode::kCorruptData, "line {}, column {}: {}", number_, column + 1, message);
  }
  [[noreturn]] void fail_here(std::string_view message) const { fail_at(at_, message); }

  /// Runs `read`, which reads a part that begins at `column`, and says the place where it fails.
  template <typename Read>
  auto within(size_t column, Read read) const {
    try {
      return read();
    } catch (const Error& error) {
      const std::string_view message = error.what();
      fail_at(column, message.substr(0, message.find("\n  while ")));
    }
  }

 private:
  std::string text_;
  int number_;
  size_t at_ = 0;
};

}  // namespace tessera::internal
