#include "tessera/checkpoint/strategies/internal/layouts_reader.h"

#include <algorithm>
#include <map>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategies/internal/text_line.h"
#include "tessera/io/json.h"

namespace tessera::internal {
namespace {

constexpr int64_t kMostStages = 1 << 16;
constexpr int64_t kMostParts = 1 << 24;
constexpr size_t kMostPatterns = 1000;
constexpr std::string_view kAnyDims = "[...]";

const std::vector<std::string>& option_keys() {
  static const std::vector<std::string> keys{"opt", "step", "field", "rows", "offsets", "shape"};
  return keys;
}

/// The end of the dims that begin at the cursor: after ']' and the partial axes that follow it.
size_t end_of_dims(const TextLine& line) {
  const std::string_view text = line.text();
  size_t end = std::min(text.find(']', line.at()), text.size() - 1) + 1;
  while (end < text.size()) {
    const size_t word = std::min(text.find_first_not_of(' ', end), text.size());
    const std::string_view rest = text.substr(word);
    if (!rest.starts_with('+') && !rest.starts_with("max:") && !rest.starts_with("min:")) break;
    end = std::min(text.find(' ', word), text.size());
  }
  return end;
}

class LayoutsReader {
 public:
  void read(TextLine line) {
    if (line.at_end()) return;
    const size_t start = line.at();
    const bool quoted = line.peek() == '"';
    const std::string name = read_name(line);
    if (quoted || !is_keyword(name)) {
      read_parameter(line, start, name, quoted);
    } else if (name == "mesh") {
      read_mesh(line);
    } else if (name == "operator") {
      read_operator(line);
    } else {
      read_number(line, name, start);
    }
    if (!line.at_end()) line.fail_here("the end of the line is wanted");
  }

  Strategy finish() {
    require_valid(!strategy_.parameters.empty(), "the text says the layout of no parameter");
    if (mesh_line_ > 0 && !mesh_used_) fail_unused_mesh();
    for (const ParameterLayout& one : strategy_.parameters)
      strategy_.ranks_per_stage =
          std::max(strategy_.ranks_per_stage, one.layout.mesh->rank_count());
    return std::move(strategy_);
  }

 private:
  static std::string read_name(TextLine& line) {
    if (line.peek() == '[' || line.peek() == '{')
      line.fail_here("a name is wanted; one that begins with '[' or '{' stands in quotes");
    if (line.peek() != '"') return std::string(line.word());
    const size_t start = line.at();
    const std::string_view literal = line.quoted();
    return line.within(start, [&] { return parse_json(literal).as_string(); });
  }

  void read_mesh(TextLine& line) {
    if (line.skip_space().peek() != '{')
      line.fail_here("a mesh is wanted, as in 'mesh {dp=2,tp=4}'");
    if (mesh_line_ > 0 && !mesh_used_) fail_unused_mesh();
    mesh_ = mesh_at(line);
    mesh_line_ = line.number();
    mesh_used_ = false;
  }

  [[noreturn]] void fail_unused_mesh() const {
    fail(ErrorCode::kCorruptData, "line {}: no parameter lies on this mesh", mesh_line_);
  }

  static MeshPtr mesh_at(TextLine& line) {
    const size_t start = line.at();
    const std::string_view text = line.through('}');
    return line.within(start, [&] { return parse_mesh(text); });
  }

  void read_number(TextLine& line, const std::string& keyword, size_t start) {
    const int64_t most = keyword == "saves" ? 0x7FFFFFFF : kMostStages;
    const size_t at = line.skip_space().at();
    const std::optional<int64_t> value = parse_int(line.word());
    const int64_t least = keyword == "stages" ? 1 : 0;
    if (!value || *value < least || *value > most)
      line.fail_at(at, fmt::format("a number from {} to {} is wanted", least, most));
    if (keyword == "saves") {
      strategy_.current_stage = static_cast<int>(*value);
    } else if (keyword == "stages") {
      if (!strategy_.parameters.empty() || !strategy_.operators.empty() || stage_)
        line.fail_at(start, "'stages' stands before all parameters");
      strategy_.stage_count = static_cast<int>(*value);
    } else {
      if (*value >= strategy_.stage_count)
        line.fail_at(at, fmt::format("there are {} stages, counted from 0; 'stages {}' at the top "
                                     "says that there are more",
                                     strategy_.stage_count, *value + 1));
      stage_ = static_cast<int>(*value);
    }
  }

  int stage_here(const TextLine& line, size_t at) const {
    if (!stage_ && strategy_.stage_count > 1)
      line.fail_at(at, fmt::format("a line 'stage 0' to 'stage {}' is wanted before the first "
                                   "parameter, because there are {} stages",
                                   strategy_.stage_count - 1, strategy_.stage_count));
    return stage_.value_or(0);
  }

  void read_operator(TextLine& line) {
    const size_t start = line.skip_space().at();
    OperatorStrategy op{read_name(line), stage_here(line, start), {}};
    while (!line.at_end()) {
      if (line.peek() != '[') line.fail_here("'[' is wanted, the pieces of an operand per dim");
      const size_t at = line.at();
      const std::string_view text = line.through(']');
      std::vector<int>& pieces = op.operands.emplace_back();
      for (const int64_t count :
           numbers(line, at + 1, text.substr(1, text.size() - 2), {0, 0x7FFFFFFF}))
        pieces.push_back(static_cast<int>(count));
    }
    strategy_.operators.push_back(std::move(op));
  }

  struct Range {
    int64_t least = 0;
    int64_t most = INT64_MAX;
  };

  /// "40,24,20", at this column.
  static std::vector<int64_t> numbers(const TextLine& line, size_t at, std::string_view text,
                                      Range range) {
    std::vector<int64_t> numbers;
    if (text.empty()) return numbers;
    for (const std::string_view part : split(text, ',')) {
      const std::optional<int64_t> value = parse_int(trim(part));
      if (!value || *value < range.least || *value > range.most)
        line.fail_at(at, fmt::format("numbers from {} to {} with ',' between them are wanted",
                                     range.least, range.most));
      numbers.push_back(*value);
      at += part.size() + 1;
    }
    return numbers;
  }

  void read_parameter(TextLine& line, size_t start, const std::string& name, bool quoted) {
    ParameterLayout one;
    one.name = name;
    one.is_pattern = !quoted && name.find_first_of("*?") != std::string::npos;
    one.stage = stage_here(line, start);
    if (name.empty()) line.fail_at(start, "a parameter has a name");
    MeshPtr mesh = mesh_;
    const bool own = line.skip_space().peek() == '{';
    if (own) {
      mesh = mesh_at(line);
      line.skip_space();
    } else {
      mesh_used_ = true;
    }
    if (line.peek() != '[')
      line.fail_here("'[' is wanted: after the name, what splits each dim, as in '[tp, -]'");
    const size_t at = line.at();
    const std::string_view dims = line.through_end(end_of_dims(line));
    one.any_ndim = dims == kAnyDims;
    if (mesh_line_ == 0 && !own && !one.any_ndim && dims.find_first_not_of("[]-, ") < dims.size())
      line.fail_at(at,
                   "no mesh is known here; a line like 'mesh {dp=2,tp=4}' stands above the "
                   "parameters");
    if (one.any_ndim) {
      one.layout = replicated(mesh, 0);
    } else {
      one.layout = line.within(at, [&] { return parse_layout(dims, mesh); });
    }
    std::vector<std::string> seen;
    while (!line.at_end()) read_option(line, seen, one);
    if (one.optimizer_step > 0 && one.optimizer_size == 0)
      line.fail_here("'step=' goes with 'opt='");
    if (one.shape && !one.any_ndim && one.shape->size() != one.layout.dims.size())
      line.fail_at(at, fmt::format("the shape {} has {} dims, the layout {}", to_string(*one.shape),
                                   one.shape->size(), one.layout.dims.size()));
    require_reachable(line, start, one);
    strategy_.parameters.push_back(std::move(one));
  }

  static void read_option(TextLine& line, std::vector<std::string>& seen, ParameterLayout& one) {
    const size_t start = line.at();
    const std::string_view word = line.word();
    const size_t equals = word.find('=');
    const std::string key(word.substr(0, equals));
    const bool known =
        std::find(option_keys().begin(), option_keys().end(), key) != option_keys().end();
    if (equals == std::string_view::npos || !known)
      line.fail_at(start, fmt::format("'{}' is no option{}; the options are {}, each with '='",
                                      printable(key), suggest(key, option_keys()),
                                      join(option_keys(), ", ")));
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      line.fail_at(start, fmt::format("'{}=' is there twice", key));
    seen.push_back(key);
    const std::string_view value = word.substr(equals + 1);
    const size_t at = start + equals + 1;
    if (key == "rows") {
      one.split_rows = numbers(line, at, value, {});
    } else if (key == "offsets") {
      one.row_offsets = numbers(line, at, value, {.least = INT64_MIN});
    } else if (key == "shape") {
      one.shape = Shape(numbers(line, at, value, {}));
    } else if (key == "opt" && value == "all") {
      one.optimizer_size = -1;
    } else {
      const std::optional<int64_t> number = parse_int(value);
      if (!number || *number < 1 || *number > kMostParts)
        line.fail_at(at, fmt::format("a number from 1 to {}{} is wanted", kMostParts,
                                     key == "opt" ? " or 'all'" : ""));
      (key == "opt"    ? one.optimizer_size
       : key == "step" ? one.optimizer_step
                       : one.field) = static_cast<int>(*number);
    }
  }

  /// The first that matches counts, so nothing may be hidden by what stands above it.
  void require_reachable(const TextLine& line, size_t start, const ParameterLayout& one) {
    const auto [known, is_new] =
        lines_.try_emplace({one.stage, one.is_pattern, one.name}, line.number());
    if (!is_new)
      line.fail_at(start,
                   fmt::format("'{}' is in line {} already", printable(one.name), known->second));
    for (const Pattern& pattern : patterns_)
      if (pattern.stage == one.stage &&
          (one.is_pattern ? covers(pattern.text, one.name) : matches(pattern.text, one.name)))
        line.fail_at(start,
                     fmt::format("'{}' never counts: '{}' in line {} matches all of it and "
                                 "comes first; put the narrower one above it",
                                 printable(one.name), printable(pattern.text), pattern.line));
    if (!one.is_pattern) return;
    if (patterns_.size() == kMostPatterns)
      line.fail_at(start, fmt::format("there are more than {} patterns", kMostPatterns));
    patterns_.push_back({one.stage, line.number(), one.name});
  }

  struct Pattern {
    int stage;
    int line;
    std::string text;
  };
  struct Key {
    int stage;
    bool is_pattern;
    std::string name;
    auto operator<=>(const Key&) const = default;
  };

  Strategy strategy_;
  MeshPtr mesh_ = make_mesh({});
  int mesh_line_ = 0;  // 0: none yet
  bool mesh_used_ = false;
  std::optional<int> stage_;
  std::map<Key, int> lines_;
  std::vector<Pattern> patterns_;
};

}  // namespace

bool is_keyword(std::string_view word) {
  return word == "mesh" || word == "stages" || word == "stage" || word == "saves" ||
         word == "operator";
}

namespace {

/// What editors of some systems put in front of UTF-8.
std::string_view without_mark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

/// Bytes that are no text stand in no name: they would not survive being printed.
TextLine checked_line(std::string_view line, int number) {
  require_valid(is_utf8(line), "line {} is not UTF-8", number);
  const auto found = std::find_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r') || c == 0x7F;
  });
  if (found != line.end())
    fail(ErrorCode::kCorruptData, "line {}, column {}: a control byte {:#04x}", number,
         found - line.begin() + 1, static_cast<unsigned char>(*found));
  return TextLine(line, number);
}

}  // namespace

Strategy read_layouts(std::string_view text) {
  text = without_mark(text);
  LayoutsReader reader;
  int number = 0;
  for (const std::string_view line : split(text, '\n')) {
    reader.read(checked_line(line, ++number));
  }
  return reader.finish();
}

bool begins_like_layouts(std::string_view text) {
  text = without_mark(text);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    try {
      LayoutsReader().read(checked_line(line, 1));
      return true;
    } catch (const Error&) {
      return false;
    }
  }
  return false;
}

namespace {

/// Runs of wildcards as '?'s followed by one '*' at most, which match the same.
std::string normal(std::string_view pattern) {
  std::string result;
  for (size_t i = 0; i < pattern.size();) {
    if (pattern[i] != '*' && pattern[i] != '?') {
      result += pattern[i++];
      continue;
    }
    bool star = false;
    for (; i < pattern.size() && (pattern[i] == '*' || pattern[i] == '?'); ++i) {
      if (pattern[i] == '?') result += '?';
      star = star || pattern[i] == '*';
    }
    if (star) result += '*';
  }
  return result;
}

}  // namespace

bool covers(std::string_view wide, std::string_view narrow) {
  // `narrow` is read as text: a '?' of `wide` matches any one character of it but '*', and a '*'
  // any run of it.
  const std::string a = normal(wide), b = normal(narrow);
  size_t i = 0, k = 0, star = std::string::npos, retry = 0;
  while (k < b.size()) {
    if (i < a.size() && a[i] == '*') {
      star = i++;
      retry = k;
    } else if (i < a.size() && b[k] != '*' && (a[i] == '?' || a[i] == b[k])) {
      ++i;
      ++k;
    } else if (star != std::string::npos) {
      i = star + 1;
      k = ++retry;
    } else {
      return false;
    }
  }
  while (i < a.size() && a[i] == '*') ++i;
  return i == a.size();
}

}  // namespace tessera::internal
