// Text of an error's message that is made only if the message is: checks are called often and
// nearly never fail.
//
//   require(shape == wanted, "{} is not {}", shown(shape), shown(wanted));
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "tessera/base/text.h"

namespace tessera {

/// Formats as the string that `make` returns. What `make` refers to must live as long.
template <typename Make>
struct Late {
  Make make;
};

template <typename Make>
Late<Make> late(Make make) {
  return {std::move(make)};
}

/// to_string(value), late.
template <typename T>
auto shown(const T& value) {
  return late([&value] { return to_string(value); });
}

/// printable(text), late.
inline auto shown_text(std::string_view text) {
  return late([text] { return printable(text); });
}

}  // namespace tessera

template <typename Make>
struct fmt::formatter<tessera::Late<Make>> : fmt::formatter<std::string_view> {
  auto format(const tessera::Late<Make>& text, fmt::format_context& context) const {
    return fmt::formatter<std::string_view>::format(text.make(), context);
  }
};
