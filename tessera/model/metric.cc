#include "tessera/model/metric.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "tessera/base/text.h"

namespace tessera {

#define TESSERA_FILE(name) MetricDef metric_##name();
#include "tessera/model_metrics_files.inc"
#undef TESSERA_FILE

namespace {

/// The numbers as nested lists; `at` is the next number.
std::string nested(const MetricResult& result, size_t dim, size_t& at, bool json) {
  if (dim == result.shape.size()) {
    const double value = result.values[at++];
    return json && !std::isfinite(value) ? "null" : fmt::format("{}", value);
  }
  std::vector<std::string> parts;
  for (int64_t i = 0; i < result.shape[dim]; ++i)
    parts.push_back(nested(result, dim + 1, at, json));
  return fmt::format("[{}]", join(parts, json ? "," : ", "));
}

/// The parts of "a,b(c,d)" between the commas outside parentheses.
std::vector<std::string_view> split_outside(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size()) depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (i < text.size() && (text[i] != ',' || depth != 0)) continue;
    parts.push_back(trim(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  return parts;
}

/// The letters and digits of a name, in lower case.
std::string letters_of(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) letters += static_cast<char>(std::tolower(byte));
  }
  return letters;
}

const MetricDef& require_metric(std::string_view name) {
  std::vector<std::string> names;
  std::vector<std::string> longer;  // names that `name` shortens: top_1_accuracy for top-1
  const std::string letters = letters_of(name);
  for (const MetricDef& def : all_metrics())
    for (const std::string_view known : def.names) {
      if (known == name) return def;
      names.emplace_back(known);
      if (!letters.empty() && letters_of(known).starts_with(letters)) longer.emplace_back(known);
    }
  require(!name.empty(), "no metric is named; known: {}", join(names, ", "));
  fail(
      ErrorCode::kInvalidArgument, "there is no metric '{}'{}; known: {}", printable(name),
      longer.empty() ? suggest(name, names) : fmt::format(" (nearest: '{}')", join(longer, "', '")),
      join(names, ", "));
}

}  // namespace

void Metric::update(const Tensor& /*outputs*/, const Tensor& /*labels*/) {
  fail(ErrorCode::kInternal, "metric {} takes losses, not outputs", name_);
}

void Metric::update_loss(double /*mean_loss*/) {
  fail(ErrorCode::kInternal, "metric {} takes outputs and labels, not losses", name_);
}

std::string to_string(const MetricResult& result) {
  size_t at = 0;
  return nested(result, 0, at, false);
}

std::string to_json(const MetricResult& result) {
  size_t at = 0;
  return nested(result, 0, at, true);
}

MetricArguments::MetricArguments(std::string text, std::string_view metric,
                                 std::span<const Option> options,
                                 std::span<const std::string_view> given)
    : text_(std::move(text)), metric_(metric) {
  std::vector<std::string> names;
  for (const Option& option : options) {
    values_.push_back({std::string(option.name), std::string(option.default_value)});
    names.emplace_back(option.name);
  }
  for (size_t i = 0; i < given.size(); ++i) {
    const size_t equals = given[i].find('=');
    const bool named = equals != std::string_view::npos;
    const std::string_view name = named              ? trim(given[i].substr(0, equals))
                                  : i < names.size() ? names[i]
                                                     : std::string_view();
    const auto value = std::find_if(values_.begin(), values_.end(),
                                    [&](const Value& known) { return known.name == name; });
    require(value != values_.end(), "'{}' is no option of metric '{}'; it has: {}",
            printable(given[i]), metric_, names.empty() ? "none" : join(names, ", "));
    require(!value->given, "option '{}' is given twice", value->name);
    value->given = true;
    value->value = trim(named ? given[i].substr(equals + 1) : given[i]);
  }
}

const MetricArguments::Value& MetricArguments::find(std::string_view option) const {
  for (const Value& value : values_)
    if (value.name == option) return value;
  fail(ErrorCode::kInternal, "metric '{}' declares no option '{}'", metric_, option);
}

bool MetricArguments::has(std::string_view option) const {
  return find(option).given;
}

std::string_view MetricArguments::word(std::string_view option) const {
  return find(option).value;
}

void MetricArguments::require_given(std::string_view option, std::string_view example) const {
  require(!word(option).empty(), "{} needs its {}: {}({})", metric_, option, metric_, example);
}

int64_t MetricArguments::integer(std::string_view option) const {
  require_given(option, "3");
  const auto value = parse_int(word(option));
  require(value.has_value(), "option '{}' is an integer, got '{}'", option,
          printable(word(option)));
  return *value;
}

double MetricArguments::number(std::string_view option) const {
  require_given(option, "0.5");
  const auto value = parse_double(word(option));
  require(value && std::isfinite(*value), "option '{}' is a number, got '{}'", option,
          printable(word(option)));
  return *value;
}

bool MetricArguments::flag(std::string_view option) const {
  const std::string_view value = word(option);
  require(value == "true" || value == "false", "option '{}' is true or false, got '{}'", option,
          printable(value));
  return value == "true";
}

std::span<const MetricDef> all_metrics() {
  static const std::vector<MetricDef> metrics = {
#define TESSERA_FILE(file) metric_##file(),
#include "tessera/model_metrics_files.inc"
#undef TESSERA_FILE
  };
  return metrics;
}

std::unique_ptr<Metric> parse_metric(std::string_view text) {
  text = trim(text);
  const ErrorContext context([&] { return fmt::format("reading metric '{}'", printable(text)); });
  const size_t open = text.find('(');
  const std::string_view name = trim(text.substr(0, open));
  const MetricDef& def = require_metric(name);
  std::vector<std::string_view> given;
  if (open != std::string_view::npos) {
    require(text.back() == ')', "the closing ')' is missing");
    const std::string_view inside = trim(text.substr(open + 1, text.size() - open - 2));
    if (!inside.empty()) given = split_outside(inside);
  }
  return def.make(MetricArguments(std::string(text), name, def.options, given));
}

std::vector<std::unique_ptr<Metric>> parse_metrics(std::string_view text) {
  std::vector<std::unique_ptr<Metric>> metrics;
  const std::vector<std::string_view> parts = split_outside(text);
  for (const std::string_view& part : parts) {
    require(!part.empty() || parts.size() == 1,
            "name {} of the metrics '{}' is empty: there is a comma too many",
            &part - parts.data() + 1, printable(text));
    auto metric = parse_metric(part);
    for (const auto& other : metrics)
      require(other->name() != metric->name(), "metric '{}' is asked for twice", metric->name());
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

}  // namespace tessera
