#include "tessera/io/json.h"

#include <simdjson.h>

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

template <typename T>
const T& require_kind(const T* value, std::string_view wanted, std::string_view found) {
  require_valid(value != nullptr, "JSON holds {} where {} is wanted", found, wanted);
  return *value;
}

}  // namespace

std::string_view Json::kind() const {
  constexpr std::string_view kNames[] = {"null",     "a boolean", "an integer", "an integer",
                                         "a number", "a string",  "an array",   "an object"};
  return kNames[value_.index()];
}

bool Json::as_bool() const {
  return require_kind(std::get_if<bool>(&value_), "a boolean", kind());
}

int64_t Json::as_int() const {
  return require_kind(std::get_if<int64_t>(&value_), "an integer below 2^63", kind());
}

uint64_t Json::as_uint() const {
  if (const auto* large = std::get_if<uint64_t>(&value_)) return *large;
  const int64_t value =
      require_kind(std::get_if<int64_t>(&value_), "an integer that is not negative", kind());
  require_valid(value >= 0, "JSON holds {} where an integer that is not negative is wanted", value);
  return static_cast<uint64_t>(value);
}

double Json::as_double() const {
  if (const auto* integer = std::get_if<int64_t>(&value_)) return static_cast<double>(*integer);
  if (const auto* integer = std::get_if<uint64_t>(&value_)) return static_cast<double>(*integer);
  return require_kind(std::get_if<double>(&value_), "a number", kind());
}

const std::string& Json::as_string() const {
  return require_kind(std::get_if<std::string>(&value_), "a string", kind());
}

const Json::Array& Json::items() const {
  return require_kind(std::get_if<Array>(&value_), "an array", kind());
}

const Json::Object& Json::members() const {
  return require_kind(std::get_if<Object>(&value_), "an object", kind());
}

const Json* Json::find(std::string_view key) const {
  for (const auto& [name, value] : members())
    if (name == key) return &value;
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  const Json* found = find(key);
  require_valid(found != nullptr, "a JSON object lacks '{}'", key);
  return *found;
}

namespace {

namespace dom = simdjson::dom;

/// Finds the byte at which text that simdjson refuses stops being JSON, which it does not tell.
/// Only for messages.
class Locator {
 public:
  Locator(std::string_view text, int depth) : text_(text), depth_(depth) {}

  size_t find() {
    std::vector<char> open;  // the brackets around
    bool wants_value = true;
    for (skip_space(); at_ < text_.size(); skip_space()) {
      const char c = text_[at_];
      if (wants_value) {
        const bool closes_empty = (c == ']' || c == '}') && just_opened_ && open.back() == c;
        if (c == '[' || c == '{') {
          if (static_cast<int>(open.size()) >= depth_) return at_;
          open.push_back(c == '[' ? ']' : '}');
          just_opened_ = true;
          ++at_;
          if (c == '{' && !key()) return at_;
          continue;
        }
        if (!closes_empty && !scalar()) return at_;
        just_opened_ = false;
        wants_value = false;
        if (!closes_empty) continue;
      }
      if (open.empty()) return at_;
      if (text_[at_] == open.back()) {
        open.pop_back();
        ++at_;
        continue;
      }
      if (text_[at_] != ',') return at_;
      ++at_;
      wants_value = true;
      just_opened_ = false;
      if (open.back() == '}' && !key()) return at_;
    }
    return at_;
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  /// Steps over `"name":`; over nothing before the '}' of an empty object.
  bool key() {
    skip_space();
    if (just_opened_ && at_ < text_.size() && text_[at_] == '}') return true;
    just_opened_ = false;
    if (!string()) return false;
    skip_space();
    if (at_ == text_.size() || text_[at_] != ':') return false;
    ++at_;
    return true;
  }

  bool string() {
    if (at_ == text_.size() || text_[at_] != '"') return false;
    for (size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        const bool is_right = is_utf8(text_.substr(at_, i - at_));
        if (is_right) at_ = i + 1;
        return is_right;
      } else if (static_cast<unsigned char>(text_[i]) < 0x20) {
        at_ = i;
        return false;
      }
    }
    return false;
  }

  bool scalar() {
    if (text_[at_] == '"') return string();
    const size_t end = std::min(text_.find_first_of(" \t\r\n,]}", at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    const bool is_word = word == "true" || word == "false" || word == "null";
    if (!is_word && !parse_double(word)) return false;
    at_ = end;
    return true;
  }

  std::string_view text_;
  int depth_;
  size_t at_ = 0;
  bool just_opened_ = false;
};

void require_distinct(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    fail(ErrorCode::kCorruptData, "a JSON object has '{}' twice", printable(*twice));
}

/// simdjson's tree as ours. The depth is bounded by the parser.
Json copy(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      Json::Array items;
      const dom::array array = element;
      items.reserve(array.size());
      for (const dom::element item : array) items.push_back(copy(item));
      return Json(std::move(items));
    }
    case dom::element_type::OBJECT: {
      Json::Object members;
      const dom::object object = element;
      members.reserve(object.size());
      for (const dom::key_value_pair field : object)
        members.emplace_back(std::string(field.key), copy(field.value));
      std::vector<std::string_view> names;
      names.reserve(members.size());
      for (const auto& [name, value] : members) names.push_back(name);
      require_distinct(std::move(names));
      return Json(std::move(members));
    }
    case dom::element_type::INT64:
      return Json(int64_t(element));
    case dom::element_type::UINT64:
      return Json(uint64_t(element));
    case dom::element_type::DOUBLE:
      return Json(double(element));
    case dom::element_type::STRING:
      return Json(std::string(std::string_view(element)));
    case dom::element_type::BOOL:
      return Json(bool(element));
    case dom::element_type::NULL_VALUE:
      return Json();
  }
  fail(ErrorCode::kInternal, "simdjson has a type {}", static_cast<int>(element.type()));
}

/// The root of `text`, which lives as long as `parser`.
dom::element parse(dom::parser& parser, std::string_view text, const JsonLimits& limits) {
  require_valid(text.size() <= limits.bytes, "JSON of {} is larger than the limit of {}",
                human_bytes(text.size()), human_bytes(limits.bytes));
  simdjson::error_code error =
      parser.allocate(std::max<size_t>(text.size(), 64), static_cast<size_t>(limits.depth));
  dom::element root;
  if (error == simdjson::SUCCESS) error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::DEPTH_ERROR)
    fail(ErrorCode::kCorruptData, "JSON is nested deeper than {} at byte {}", limits.depth,
         Locator(text, limits.depth).find());
  if (error != simdjson::SUCCESS)
    fail(ErrorCode::kCorruptData, "JSON is wrong at byte {}: {}",
         Locator(text, limits.depth).find(), simdjson::error_message(error));
  return root;
}

}  // namespace

Json parse_json(std::string_view text, const JsonLimits& limits) {
  dom::parser parser;
  return copy(parse(parser, text, limits));
}

void visit_members(std::string_view text, const JsonLimits& limits,
                   const std::function<void(const std::string& key, const Json& value)>& visit) {
  dom::parser parser;
  const dom::element root = parse(parser, text, limits);
  if (root.type() != dom::element_type::OBJECT) copy(root).members();  // says what it is
  const dom::object members = root;
  std::vector<std::string_view> names;
  for (const dom::key_value_pair member : members) names.push_back(member.key);
  require_distinct(std::move(names));
  for (const dom::key_value_pair member : members)
    visit(std::string(member.key), copy(member.value));
}

}  // namespace tessera
