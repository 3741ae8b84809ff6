#include "tessera/checkpoint/names.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

bool begins_with_any(std::string_view name, std::span<const std::string> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

bool passes(const NameFilter& filter, const std::string& name) {
  const bool has_prefixes = !filter.specify_prefix.empty() || !filter.filter_prefix.empty();
  if (!has_prefixes) return filter.choice == nullptr || filter.choice(name);
  if (!filter.specify_prefix.empty() && !begins_with_any(name, filter.specify_prefix)) return false;
  return !begins_with_any(name, filter.filter_prefix);
}

/// What each '*' of `pattern` stands for in `name` (each as short as the rest allows), or nothing.
std::optional<std::vector<std::string_view>> capture(std::string_view pattern,
                                                     std::string_view name) {
  const std::vector<std::string_view> literals = split(pattern, '*');
  if (literals.size() == 1) {
    if (pattern != name) return {};
    return std::vector<std::string_view>();
  }
  const std::string_view first = literals.front(), last = literals.back();
  if (name.size() < first.size() + last.size() || !name.starts_with(first) || !name.ends_with(last))
    return {};
  std::vector<std::string_view> captured;
  name.remove_prefix(first.size());
  name.remove_suffix(last.size());
  for (size_t i = 1; i + 1 < literals.size(); ++i) {
    const size_t at = name.find(literals[i]);
    if (at == std::string_view::npos) return {};
    captured.push_back(name.substr(0, at));
    name.remove_prefix(at + literals[i].size());
  }
  captured.push_back(name);
  return captured;
}

std::string fill(std::string_view replacement, std::span<const std::string_view> captured) {
  std::string text;
  size_t next = 0;
  for (const char c : replacement) {
    if (c == '*') {
      text += captured[next++];
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

Catalog select(const Catalog& catalog, const NameFilter& filter) {
  for (const std::vector<std::string>* prefixes : {&filter.specify_prefix, &filter.filter_prefix})
    for (const std::string& prefix : *prefixes)
      require(!prefix.empty(), "an empty prefix matches every name");
  Catalog chosen = catalog;
  chosen.records.clear();
  for (const Record& record : catalog.records)
    if (passes(filter, record.name)) chosen.records.push_back(record);
  if (chosen.records.empty())
    fail(ErrorCode::kNotFound, "none of the {} records passes the filter", catalog.records.size());
  index_records(chosen);
  return chosen;
}

Renaming parse_renaming(std::string_view text) {
  const size_t at = text.find('=');
  require(at != std::string_view::npos && at > 0,
          "'{}' is no renaming; write PATTERN=REPLACEMENT, for example 'network.*=*'",
          printable(text));
  Renaming rule{std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
  const auto stars = [](std::string_view part) {
    return std::count(part.begin(), part.end(), '*');
  };
  require(stars(rule.replacement) <= stars(rule.pattern),
          "'{}' has {} '*' on the right but {} on the left", printable(text),
          stars(rule.replacement), stars(rule.pattern));
  return rule;
}

std::vector<std::string> rename(std::span<const std::string> names, std::span<const Renaming> rules,
                                bool may_leave_out_nothing) {
  std::vector<std::string> renamed(names.begin(), names.end());
  std::vector<bool> was_used(rules.size(), false);
  for (std::string& name : renamed) {
    for (size_t r = 0; r < rules.size(); ++r) {
      const auto captured = capture(rules[r].pattern, name);
      if (!captured) continue;
      was_used[r] = true;
      std::string replaced = fill(rules[r].replacement, *captured);
      name = std::move(replaced);
      break;
    }
  }
  std::vector<std::string> unused;
  for (size_t r = 0; r < rules.size(); ++r) {
    if (was_used[r] || (may_leave_out_nothing && rules[r].replacement.empty())) continue;
    unused.push_back(fmt::format("the renaming '{}={}' matches no name{}",
                                 printable(rules[r].pattern), printable(rules[r].replacement),
                                 suggest(rules[r].pattern, names)));
  }
  require(unused.empty(), "{}", join(unused, "; "));
  if (!rules.empty()) check_distinct(names, renamed);
  return renamed;
}

void check_distinct(std::span<const std::string> names, std::span<const std::string> renamed) {
  std::unordered_map<std::string_view, size_t> first;
  std::vector<std::string> twice;
  for (size_t i = 0; i < renamed.size(); ++i) {
    if (renamed[i].empty()) continue;
    const auto [known, is_new] = first.try_emplace(renamed[i], i);
    if (is_new) continue;
    twice.push_back(fmt::format("'{}' and '{}' would both be called '{}'",
                                printable(names[known->second]), printable(names[i]),
                                printable(renamed[i])));
  }
  require(twice.empty(), "{}", join(twice, "; "));
}

}  // namespace tessera
