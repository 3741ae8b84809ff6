// JSON from outside as a tree of values. Limits hold for depth and size; duplicate keys, numbers
// beyond 64 bits and text after the value are refused, with the offset.
//
//   const Json root = parse_json(text, {});
//   const int64_t begin = root.at("data_offsets").items()[0].as_int();
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tessera {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in the order of the text

  Json() = default;
  template <typename T>
  explicit Json(T value) : value_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  /// These throw kCorruptData when the value is another kind or does not fit.
  bool as_bool() const;
  int64_t as_int() const;
  uint64_t as_uint() const;
  double as_double() const;  // of integers too
  const std::string& as_string() const;
  const Array& items() const;
  const Object& members() const;
  /// The member called `key`; throws kCorruptData when there is none.
  const Json& at(std::string_view key) const;
  /// The same, or null.
  const Json* find(std::string_view key) const;
  /// "an array", for messages.
  std::string_view kind() const;

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
  uint64_t bytes = uint64_t{100'000'000};
  int depth = 64;
};

/// The members of the object in `text` one after the other, each forgotten after it was visited:
/// a large object takes less memory so than as a tree. Throws as parse_json does, and kCorruptData
/// when the value is no object.
void visit_members(std::string_view text, const JsonLimits& limits,
                   const std::function<void(const std::string& key, const Json& value)>& visit);

/// Throws kCorruptData with the offset of what is wrong. Numbers from 2^63 on are uint64_t.
Json parse_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace tessera
