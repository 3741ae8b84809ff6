// Small text helpers that every layer shares: splitting, matching names, sizes for people.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

std::string_view trim(std::string_view text);
/// The parts between `separator`s, untrimmed; one part when there is none.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
/// "a, b and 5 more": the first `limit` parts and how many there are besides.
std::string join_first(std::span<const std::string> parts, size_t limit);

/// Whether `name` matches `pattern`, in which '*' stands for any run of characters and '?' for one.
bool matches(std::string_view pattern, std::string_view name);

/// Up to `limit` of `known` that look most like `name`, best first; empty when nothing is near.
std::vector<std::string> nearest_names(std::string_view name, std::span<const std::string> known,
                                       size_t limit = 3);
/// " (nearest: 'a', 'b')", or "" when nothing is near: the end of a "there is no ..." message.
std::string suggest(std::string_view name, std::span<const std::string> known);

/// "1.5 MiB", "247 B".
std::string human_bytes(uint64_t bytes);
/// "4KiB", "256MiB", "1.5GiB", "1000" to bytes; throws kInvalidArgument.
uint64_t parse_bytes(std::string_view text);

/// The whole of `text` as a number, or nothing.
std::optional<int64_t> parse_int(std::string_view text);
std::optional<double> parse_double(std::string_view text);

/// `text` for an error or a terminal: control bytes and bytes that are not UTF-8 become \xNN, and
/// more than `limit` bytes are cut with "...".
std::string printable(std::string_view text, size_t limit = 200);
bool is_utf8(std::string_view text);

/// `text` as the inside of a JSON string, quotes not included.
std::string json_escape(std::string_view text);

}  // namespace tessera
