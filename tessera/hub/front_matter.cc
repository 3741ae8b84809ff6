#include "tessera/hub/front_matter.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "tessera/base/text.h"

namespace tessera::hub {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kWideColon = "\xEF\xBC\x9A";  // of Chinese text
constexpr std::string_view kNoBreakSpace = "\xC2\xA0";

/// As the translated cards of MindSpore Hub have them.
struct ChineseKey {
  std::string_view written;
  std::string_view key;
};
constexpr ChineseKey kChineseKeys[] = {{"模型名称", "model-name"},
                                       {"骨干网络", "backbone-name"},
                                       {"主干网络", "backbone-name"},
                                       {"模块类型", "module-type"},
                                       {"可微调", "fine-tunable"},
                                       {"输入形状", "input-shape"},
                                       {"模型版本", "model-version"},
                                       {"训练数据集", "train-dataset"},
                                       {"准确率", "accuracy"},
                                       {"精度", "accuracy"},
                                       {"作者", "author"},
                                       {"更新时间", "update-time"},
                                       {"代码仓链接", "repo-link"},
                                       {"用户ID", "user-id"},
                                       {"用途", "used-for"},
                                       {"训练后端", "train-backend"},
                                       {"推理后端", "infer-backend"},
                                       {"MindSpore版本", "mindspore-version"},
                                       {"资源SHA256校验码", "asset-sha256"},
                                       {"资源链接", "asset-link"},
                                       {"资源", "asset"},
                                       {"文件格式", "file-format"},
                                       {"许可证", "license"},
                                       {"摘要", "summary"}};

std::vector<std::string> lines_of(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> lines;
  std::string line;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_return = text[i] == '\r';
    if (text[i] != '\n' && !is_return) {
      line += text[i];
      continue;
    }
    if (is_return && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    lines.push_back(std::move(line));
    line.clear();
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

bool is_key_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

/// "  - file-format: ckpt" in its parts; the value is trimmed.
struct KeyLine {
  std::string_view head;  // "  - file-format:", and the blank where there is one
  std::string_view key;
  std::string_view value;
  bool is_nested = false;
};

std::optional<KeyLine> key_line(std::string_view line) {
  size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  if (line.substr(begin, 2) == "- ") begin = line.find_first_not_of(' ', begin + 1);
  if (begin == std::string_view::npos) return {};
  size_t end = begin;
  while (end < line.size() && is_key_byte(line[end])) ++end;
  if (end == begin || end >= line.size() || line[end] != ':') return {};
  KeyLine parts{line.substr(0, end + 1), line.substr(begin, end - begin),
                trim(line.substr(end + 1)), begin > 0};
  if (end + 1 < line.size() && line[end + 1] != ' ') return {};
  return parts;
}

bool is_known(std::string_view key) {
  const auto& keys = known_keys();
  return std::any_of(keys.begin(), keys.end(),
                     [&](const KnownKey& known) { return known.name == key; });
}

bool is_asset_key(std::string_view key) {
  return key == "asset-link" || key == "asset-sha256" || key == "file-format";
}

/// "模型名称： LeNet" as "model-name: LeNet". Whether it was one.
bool translate_key(std::string& line) {
  const size_t begin = line.find_first_not_of(" -");
  if (begin == std::string::npos) return false;
  for (const ChineseKey& known : kChineseKeys) {
    if (line.compare(begin, known.written.size(), known.written) != 0) continue;
    const size_t end = line.find_first_not_of(' ', begin + known.written.size());
    if (end == std::string::npos) continue;
    const bool is_wide = line.compare(end, kWideColon.size(), kWideColon) == 0;
    if (!is_wide && line[end] != ':') continue;
    line.replace(begin, end + (is_wide ? kWideColon.size() : 1) - begin,
                 fmt::format("{}: ", known.key));
    return true;
  }
  return false;
}

/// "MindSpore Lite：True", whatever the key: a line that begins at its left end begins with one.
void part_wide_colon(std::string& line) {
  const size_t colon = line.find(kWideColon);
  if (colon == std::string::npos || colon == 0) return;
  const std::string_view before = std::string_view(line).substr(0, colon);
  if (std::string_view(" -#").find(before.front()) != std::string_view::npos ||
      before.find_first_of(":'\"[]{}") != std::string_view::npos)
    return;
  line.replace(colon, kWideColon.size(), ": ");
}

/// "license:Apache2.0" and "license：Apache2.0" with the blank that YAML wants.
void part_key(std::string& line, std::vector<std::string>& notes, int number) {
  size_t begin = line.find_first_not_of(" -");
  if (begin == std::string::npos) return;
  size_t end = begin;
  while (end < line.size() && is_key_byte(line[end])) ++end;
  if (end >= line.size()) return;
  const std::string key = line.substr(begin, end - begin);
  const bool is_wide = line.compare(end, kWideColon.size(), kWideColon) == 0;
  const bool is_close = line[end] == ':' && end + 1 < line.size() && line[end + 1] != ' ';
  if (!(is_wide || is_close) || !(is_known(key) || is_asset_key(key))) return;
  line.replace(end, is_wide ? kWideColon.size() : 1, ": ");
  notes.push_back(fmt::format("line {}: '{}' lacks ': ' behind it", number, key));
}

void clean(std::string& line, std::vector<std::string>& notes, int number) {
  for (size_t at; (at = line.find(kNoBreakSpace)) != std::string::npos;)
    line.replace(at, kNoBreakSpace.size(), " ");
  const size_t indent = line.find_first_not_of(" \t");
  if (line.find('\t') != std::string::npos) {
    std::string out;
    for (size_t i = 0; i < line.size(); ++i)
      out += line[i] != '\t' ? std::string(1, line[i]) : i < indent ? "  " : " ";
    if (line.find('\t') < indent)
      notes.push_back(fmt::format("line {}: its tabs are read as two blanks each", number));
    line = std::move(out);
  }
  part_key(line, notes, number);
  if (const auto parts = key_line(line); parts && parts->key == "evaluation" && parts->value == "-")
    line = "evaluation:";
}

/// The keys of one asset in one column, whatever width of a tab their author saw.
void align_assets(std::vector<std::string>& lines) {
  size_t column = 4;
  bool is_first = false;  // below a '-' that stands alone
  for (std::string& line : lines) {
    const std::string_view bare = trim(line);
    if (bare == "-") {
      column = line.find('-') + 4;
      is_first = true;
    }
    const auto parts = key_line(line);
    if (!parts || !parts->is_nested || !is_asset_key(parts->key)) continue;
    const auto begin = static_cast<size_t>(parts->key.data() - line.data());
    if (bare.starts_with("- ") && !is_first)
      column = begin;
    else
      line = std::string(column, ' ') + line.substr(begin);
  }
}

/// Whether YAML takes the one-line value for something else than its text.
bool needs_quotes(std::string_view value) {
  if (value.empty()) return false;
  const char first = value.front();
  if (first == '|' || first == '>') return false;
  if (first == '[' || first == '{') {
    const size_t end = value.rfind(first == '[' ? ']' : '}');
    return end != std::string_view::npos && end + 1 < value.size();
  }
  if (first == '"' || first == '\'') {
    const size_t end = value.find(first, 1);
    return end == std::string_view::npos || !trim(value.substr(end + 1)).empty();
  }
  if (std::string_view("*&!%@`,]}").find(first) != std::string_view::npos) return true;
  if (value == "-" || value == "?" || value.starts_with("- ") || value.starts_with("? "))
    return true;
  return value.find(": ") != std::string_view::npos || value.ends_with(':');
}

}  // namespace

const std::vector<KnownKey>& known_keys() {
  static const std::vector<KnownKey> keys{{"backbone-name", true},
                                          {"module-type", true},
                                          {"fine-tunable", true},
                                          {"model-version", true},
                                          {"author", true},
                                          {"update-time", true},
                                          {"repo-link", true},
                                          {"user-id", true},
                                          {"used-for", true},
                                          {"mindspore-version", true},
                                          {"license", true},
                                          {"summary", true},
                                          {"model-name", false},
                                          {"input-shape", false},
                                          {"train-dataset", false},
                                          {"accuracy", false},
                                          {"evaluation", false},
                                          {"train-backend", false},
                                          {"infer-backend", false},
                                          {"backend", false},
                                          {"allow-cache-ckpt", false},
                                          {"asset", false}};
  return keys;
}

FrontMatter find_front_matter(std::string_view text) {
  FrontMatter front;
  if (!is_utf8(text))
    front.notes.emplace_back("it is not all UTF-8: the other bytes are shown as \\xNN");
  std::vector<std::string> lines = lines_of(text);
  std::vector<size_t> marks;
  for (size_t i = 0; i < lines.size(); ++i)
    if (lines[i].starts_with("---")) marks.push_back(i);
  if (marks.size() < 2) {
    front.problem = fmt::format(
        "there are {} lines that begin with '---'; its YAML stands between two", marks.size());
    return front;
  }
  if (marks.size() > 2)
    front.notes.push_back(
        fmt::format("{} lines begin with '---', so MindSpore Hub refuses it; read is what stands "
                    "between the first two (lines {} and {})",
                    marks.size(), marks[0] + 1, marks[1] + 1));
  front.first_line = static_cast<int>(marks[0]) + 2;
  bool has_tabs = false;
  bool is_chinese = false;
  for (size_t i = marks[0] + 1; i < marks[1]; ++i) {
    const size_t tab = lines[i].find('\t');
    has_tabs |= tab != std::string::npos && tab == lines[i].find_first_not_of(' ');
    is_chinese |= translate_key(lines[i]);
    clean(lines[i], front.notes, static_cast<int>(i) + 1);
    front.lines.push_back(std::move(lines[i]));
  }
  if (is_chinese) {
    front.notes.emplace_back("its keys are in Chinese");
    for (std::string& line : front.lines) part_wide_colon(line);
  }
  if (has_tabs) align_assets(front.lines);
  return front;
}

bool quote_values(FrontMatter& front) {
  bool changed = false;
  for (size_t i = 0; i < front.lines.size(); ++i) {
    const auto parts = key_line(front.lines[i]);
    if (!parts || !needs_quotes(parts->value)) continue;
    std::string quoted;
    for (const char c : parts->value) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    front.notes.push_back(fmt::format("line {}: the value of '{}' is no YAML; its text is taken",
                                      front.first_line + static_cast<int>(i), parts->key));
    front.lines[i] = fmt::format("{} '{}'", parts->head, quoted);
    changed = true;
  }
  return changed;
}

}  // namespace tessera::hub
