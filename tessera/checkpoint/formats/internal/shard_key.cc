#include "tessera/checkpoint/formats/internal/shard_key.h"

#include <fmt/core.h>

namespace tessera::internal {
namespace {

/// As Python's repr: single quotes unless the text has one of these and no double quote.
std::string quoted(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + quote;
}

}  // namespace

std::string shard_key(std::string_view name, const Shape& offset) {
  std::string key = "(" + quoted(name) + ", (";
  for (size_t i = 0; i < offset.size(); ++i) {
    if (i > 0) key += ", ";
    key += std::to_string(offset[i]);
  }
  return key + (offset.size() == 1 ? ",))" : "))");
}

}  // namespace tessera::internal
