#include "cli/strategy_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/output.h"
#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::cli {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// "layers.2.w" before "layers.10.w".
bool naturally_before(std::string_view a, std::string_view b) {
  size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[k])) {
      if (a[i] != b[k]) return a[i] < b[k];
      ++i;
      ++k;
      continue;
    }
    size_t end_a = i, end_b = k;
    while (end_a < a.size() && is_digit(a[end_a])) ++end_a;
    while (end_b < b.size() && is_digit(b[end_b])) ++end_b;
    std::string_view x = a.substr(i, end_a - i), y = b.substr(k, end_b - k);
    while (x.size() > 1 && x[0] == '0') x.remove_prefix(1);
    while (y.size() > 1 && y[0] == '0') y.remove_prefix(1);
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
    i = end_a;
    k = end_b;
  }
  return a.size() - i < b.size() - k;
}

/// The name with a '*' for each of its components that is a number.
std::string pattern_of(const std::string& name) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(name, '.'))
    parts.emplace_back(!part.empty() && std::all_of(part.begin(), part.end(), is_digit) ? "*"
                                                                                        : part);
  return join(parts, ".");
}

/// Equal but for the name.
bool same_cut(const ParameterLayout& a, const ParameterLayout& b) {
  ParameterLayout other = b;
  other.name = a.name;
  return a == other;
}

/// Names that differ in numbers only and are cut alike become one pattern, where it matches
/// nothing that is cut otherwise.
void compact(Strategy& strategy) {
  std::vector<ParameterLayout>& all = strategy.parameters;
  std::map<std::pair<int, std::string>, std::vector<size_t>> groups;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name.find_first_of("*? \t") != std::string::npos) continue;
    const std::string pattern = pattern_of(all[i].name);
    if (pattern != all[i].name) groups[{all[i].stage, pattern}].push_back(i);
  }
  std::vector<bool> gone(all.size(), false);
  for (const auto& [key, members] : groups) {
    if (members.size() < 2) continue;
    const ParameterLayout& first = all[members[0]];
    const bool fits =
        std::all_of(all.begin(), all.end(), [&, &in = key](const ParameterLayout& one) {
          return one.stage != in.first || !matches(in.second, one.name) || same_cut(first, one);
        });
    if (!fits) continue;
    for (const size_t i : members) gone[i] = i != members[0];
    all[members[0]].name = key.second;
  }
  std::vector<ParameterLayout> left;
  for (size_t i = 0; i < all.size(); ++i)
    if (!gone[i]) left.push_back(std::move(all[i]));
  all = std::move(left);
  for (ParameterLayout& one : all) one.is_pattern = one.name.find('*') != std::string::npos;
}

/// Whether some pattern of the list matches all of a later one, which would then never count.
bool hides_itself(const Strategy& strategy) {
  const std::vector<ParameterLayout>& all = strategy.parameters;
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (all[k].is_pattern && all[k].stage == all[i].stage && matches(all[k].name, all[i].name))
        return true;
  return false;
}

}  // namespace

std::string describe(const Strategy& strategy) {
  const std::string stages =
      strategy.stage_count > 1 ? fmt::format(" in {} pipeline stages", strategy.stage_count) : "";
  const auto count = [](size_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
  };
  return fmt::format("{} on {}{}", count(strategy.parameters.size(), "parameter"),
                     count(static_cast<size_t>(strategy.rank_count()), "rank"), stages);
}

std::string cut_text(const ParameterLayout& parameter) {
  Strategy one;
  one.parameters.push_back(parameter);
  one.parameters[0].name = "x";
  one.parameters[0].is_pattern = false;
  one.parameters[0].stage = 0;
  one.parameters[0].shape.reset();
  const std::string text = to_string(one);
  const std::string mesh = to_string(*parameter.layout.mesh);
  const size_t line = text.find("\nx  ") + 4;
  return mesh + " " + std::string(trim(text.substr(line)));
}

std::string listing(const Strategy& strategy, bool all, bool operators) {
  Strategy shown = strategy;
  const bool has_patterns = std::any_of(shown.parameters.begin(), shown.parameters.end(),
                                        [](const auto& one) { return one.is_pattern; });
  if (!all && !has_patterns) {
    std::stable_sort(shown.parameters.begin(), shown.parameters.end(),
                     [](const ParameterLayout& a, const ParameterLayout& b) {
                       return a.stage != b.stage ? a.stage < b.stage
                                                 : naturally_before(a.name, b.name);
                     });
    const std::vector<ParameterLayout> sorted = shown.parameters;
    compact(shown);
    if (hides_itself(shown)) shown.parameters = sorted;
  }
  std::string text = fmt::format("# {} strategy: {}\n", strategy.format, describe(strategy));
  if (!operators) shown.operators.clear();
  if (!operators && !strategy.operators.empty())
    text += fmt::format("# {} operator{}: --operators prints them\n", strategy.operators.size(),
                        strategy.operators.size() == 1 ? "" : "s");
  std::vector<bool> has(static_cast<size_t>(strategy.stage_count), false);
  for (const ParameterLayout& one : strategy.parameters) has[static_cast<size_t>(one.stage)] = true;
  if (std::find(has.begin(), has.end(), false) != has.end())
    text += "# some stages are missing: 'tessera merge-strategies' puts their files together\n";
  return text + to_string(shown);
}

std::string strategy_json(const Strategy& strategy) {
  Json out;
  out.open('{').field("format", strategy.format).field("stages", int64_t{strategy.stage_count});
  out.field("ranks_per_stage", int64_t{strategy.ranks_per_stage});
  out.field("current_stage", int64_t{strategy.current_stage}).key("parameters").open('[');
  for (const ParameterLayout& one : strategy.parameters) {
    out.open('{').field("name", one.name).field("pattern", one.is_pattern);
    out.field("stage", int64_t{one.stage}).field("mesh", to_string(*one.layout.mesh));
    out.field("dims", one.any_ndim ? std::string("[...]") : dims_to_string(one.layout));
    out.field("optimizer_step", int64_t{one.optimizer_step});
    out.field("optimizer_size", int64_t{one.optimizer_size}).field("field", int64_t{one.field});
    out.key("rows").raw(to_string(Shape(one.split_rows)));
    out.key("offsets").raw(to_string(Shape(one.row_offsets))).key("shape");
    one.shape ? out.raw(to_string(*one.shape)) : out.null();
    out.close();
  }
  out.close().key("operators").open('[');
  for (const OperatorStrategy& op : strategy.operators) {
    out.open('{').field("name", op.name).field("stage", int64_t{op.stage});
    out.key("operands").open('[');
    for (const std::vector<int>& pieces : op.operands)
      out.raw(to_string(Shape(std::vector<int64_t>(pieces.begin(), pieces.end()))));
    out.close().close();
  }
  return out.close().close().text();
}

void require_new_file(const std::filesystem::path& path, bool force) {
  require(force || !std::filesystem::exists(path), "{} exists already; --force replaces it",
          printable(path.string()));
}

}  // namespace tessera::cli
