// Attributes of an op: named values that are known when the graph is built.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tessera {

using Ints = std::vector<int64_t>;
using Attr = std::variant<bool, int64_t, double, std::string, Ints>;
using Attrs = std::map<std::string, Attr, std::less<>>;

/// An attribute that an op has: its default decides its type.
struct AttrDef {
  std::string_view name;
  Attr default_value;
  std::string_view doc;
  bool required = false;  // the default is then only a sample of the type
};

/// "true", "3", "0.5", "\"same\"", "[1,2]": reads back to the same value and type (a double always
/// has a point or an exponent, or is inf or nan).
std::string to_string(const Attr& attr);
/// "{axis=1, mode=\"same\"}", or "" for none.
std::string to_string(const Attrs& attrs);

/// Reads what to_string writes. Throws kInvalidArgument with the position.
Attrs parse_attrs(std::string_view text);
Attr parse_attr(std::string_view text);

/// The type of an attribute in words: "an integer", "a list of integers".
std::string_view type_name(const Attr& attr);

}  // namespace tessera
