// The keys of a MindSpore context: a table that says of each how its text is set, or why it is
// refused.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <vector>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::internal {

template <typename Context>
struct ContextKey {
  std::string_view name;
  void (*set)(Context& context, std::string_view text) = nullptr;  // null: refused
  std::string_view default_text = {};  // of a refused key: the one value that changes nothing
  std::string_view reason = {};        // why it is refused
};

/// "True", "true" or "1", and their opposites. Throws kInvalidArgument.
inline bool to_bool(std::string_view text) {
  const bool yes = text == "True" || text == "true" || text == "1";
  require(yes || text == "False" || text == "false" || text == "0", "'{}'; wanted True or False",
          printable(text));
  return yes;
}

inline int to_number(std::string_view text, int least, int most) {
  const auto number = parse_int(text);
  require(number && *number >= least && *number <= most, "'{}'; wanted a number from {} to {}",
          printable(text), least, most);
  return static_cast<int>(*number);
}

template <typename Context>
void set_by_key(const std::vector<ContextKey<Context>>& keys, Context& context,
                std::string_view key, std::string_view text) {
  const ErrorContext where([&] { return fmt::format("setting {}", printable(key)); });
  std::vector<std::string> names;
  for (const ContextKey<Context>& known : keys) {
    names.emplace_back(known.name);
    if (known.name != key) continue;
    if (known.set != nullptr) return known.set(context, text);
    if (text == known.default_text) return;
    fail(ErrorCode::kUnsupported, "{} = '{}' is refused: {}", key, printable(text), known.reason);
  }
  fail(ErrorCode::kNotFound, "there is no key '{}'{}", printable(key), suggest(key, names));
}

}  // namespace tessera::internal
