#include "tessera/data/transform.h"

#include <cctype>
#include <optional>

#include "tessera/base/text.h"

namespace tessera {

#define TESSERA_FILE(name) TransformDef transform_##name();
#include "tessera/data_transforms_files.inc"
#undef TESSERA_FILE

namespace {

std::vector<TransformDef> make_transforms() {
  std::vector<TransformDef> transforms;
#define TESSERA_FILE(file)                  \
  transforms.push_back(transform_##file()); \
  transforms.back().name = #file;
#include "tessera/data_transforms_files.inc"
#undef TESSERA_FILE
  return transforms;
}

const TransformDef& require_transform(std::string_view name, size_t at) {
  std::vector<std::string> names;
  for (const TransformDef& def : all_transforms()) {
    if (def.name == name) return def;
    names.emplace_back(def.name);
  }
  fail(ErrorCode::kInvalidArgument, "there is no transform '{}' (position {}){}; known: {}",
       printable(name), at, suggest(name, names), join(names, ", "));
}

class TransformParser {
 public:
  explicit TransformParser(std::string_view text) : text_(text) {}

  std::vector<Transform> parse() {
    std::vector<Transform> transforms;
    for (skip_space(); at_ < text_.size(); skip_space()) transforms.push_back(transform());
    return transforms;
  }

 private:
  static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  /// The next character that is no space, or 0 at the end.
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  std::string found() {
    const std::string_view rest = text_.substr(at_);
    return rest.empty() ? "the end" : fmt::format("'{}'", printable(rest.substr(0, 12)));
  }
  void expect(char c, std::string_view what) {
    if (!accept(c))
      fail(ErrorCode::kInvalidArgument, "expected {} at position {}, found {}", what, at_, found());
  }

  std::string_view word() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    require(at_ > begin, "expected a transform at position {}, found {}", begin, found());
    return text_.substr(begin, at_ - begin);
  }

  Transform transform() {
    const size_t begin = at_;
    Transform transform{&require_transform(word(), begin), {}};
    if (accept('(') && !accept(')')) {
      do transform.arguments.push_back(argument());
      while (accept(','));
      expect(')', "',' or ')'");
    }
    const TransformDef& def = *transform.def;
    const size_t count = transform.arguments.size();
    require(count >= def.min_arguments && count <= def.max_arguments,
            "{} got {} arguments at position {}; it is written {}", def.name, count, begin,
            def.notation);
    return transform;
  }

  TransformArgument argument() {
    TransformArgument argument;
    const char first = peek();
    const size_t begin = at_;
    if (std::isalpha(static_cast<unsigned char>(first))) {
      argument.text = word();
      return argument;
    }
    if (accept('[')) {
      do argument.numbers.push_back(number());
      while (accept(','));
      expect(']', "',' or ']'");
    } else {
      argument.numbers.push_back(number());
    }
    for (const char c : text_.substr(begin, at_ - begin))
      if (!std::isspace(static_cast<unsigned char>(c))) argument.text += c;
    return argument;
  }

  /// Factors joined by * and /, from left to right, in double as Python computes them.
  double number() {
    double value = factor();
    while (true) {
      if (accept('*')) {
        value *= factor();
      } else if (accept('/')) {
        const size_t at = at_;
        const double divisor = factor();
        require(divisor != 0, "division by zero at position {}", at);
        value /= divisor;
      } else {
        return value;
      }
    }
  }

  double factor() {
    skip_space();
    const size_t begin = at_;
    const auto is_sign = [&](size_t at) { return text_[at] == '-' || text_[at] == '+'; };
    const auto is_exponent = [&](size_t at) { return text_[at] == 'e' || text_[at] == 'E'; };
    while (at_ < text_.size() &&
           (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.' ||
            is_exponent(at_) || (is_sign(at_) && (at_ == begin || is_exponent(at_ - 1)))))
      ++at_;
    const auto value = parse_double(text_.substr(begin, at_ - begin));
    at_ = value ? at_ : begin;
    require(value.has_value(), "expected a number at position {}, found {}", begin, found());
    return *value;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::span<const TransformDef> all_transforms() {
  static const std::vector<TransformDef> transforms = make_transforms();
  return transforms;
}

std::vector<Transform> parse_transforms(std::string_view text) {
  const ErrorContext context(
      [&] { return fmt::format("reading transforms '{}'", printable(text)); });
  return TransformParser(text).parse();
}

std::string to_string(const Transform& transform) {
  std::string text(transform.def->name);
  if (transform.arguments.empty()) return text;
  std::vector<std::string> arguments;
  for (const TransformArgument& argument : transform.arguments) arguments.push_back(argument.text);
  return fmt::format("{}({})", text, join(arguments, ","));
}

std::string to_string(std::span<const Transform> transforms) {
  std::vector<std::string> parts;
  for (const Transform& transform : transforms) parts.push_back(to_string(transform));
  return join(parts, " ");
}

}  // namespace tessera
