#include "tessera/hub/uid.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::hub {
namespace {

constexpr size_t kLongestUid = 1024;
constexpr size_t kLongestPart = 255;
constexpr size_t kLongestLink = 4096;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::optional<std::string> why_no_part(std::string_view part) {
  if (part.empty()) return "it has an empty part";
  if (part.size() > kLongestPart) return fmt::format("a part has {} bytes", part.size());
  if (part.front() == '.') return fmt::format("its part '{}' begins with '.'", printable(part));
  return {};
}

/// "%2e%2E" as "..": only what could name another folder.
std::string decode_dots(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string code = lower(text.substr(i, 3));
    const bool is_dot = code == "%2e", is_slash = code == "%2f" || code == "%5c";
    out += is_dot ? '.' : is_slash || text[i] == '\\' ? '/' : text[i];
    if (is_dot || is_slash) i += 2;
  }
  return out;
}

}  // namespace

std::optional<std::string> why_no_uid(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (text.size() > kLongestUid) return fmt::format("it has {} bytes", text.size());
  if (std::any_of(text.begin(), text.end(), is_control)) return "it has a control byte";
  if (!is_utf8(text)) return "it is not UTF-8";
  if (text.find_first_of("\\:") != std::string_view::npos) return "it has a backslash or a colon";
  if (text.front() == '/') return "it is an absolute path";
  for (const std::string_view part : split(text, '/'))
    if (const auto why = why_no_part(part)) return why;
  return {};
}

std::string parse_uid(std::string_view text) {
  if (text.size() > 3 && lower(text.substr(text.size() - 3)) == ".md") text.remove_suffix(3);
  if (const auto why = why_no_uid(text))
    fail(ErrorCode::kInvalidArgument,
         "'{}' is no uid of a card: {}; one looks like mindspore/1.10/lenet_mnist", printable(text),
         *why);
  return std::string(text);
}

bool is_url(std::string_view text) {
  const std::string head = lower(text.substr(0, 8));
  return head.starts_with("http://") || head.starts_with("https://");
}

std::string_view url_path(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("?#"));
  const size_t slash = url.find('/');
  return slash == std::string_view::npos ? std::string_view() : url.substr(slash);
}

std::optional<std::string> why_no_link(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (text.size() > kLongestLink) return fmt::format("it has {} bytes", text.size());
  if (!is_url(text)) return "it is no http or https URL";
  for (const char c : text)
    if (is_control(c) || c == ' ' || c == '\\' || c == '<' || c == '>')
      return "it has blanks, control bytes, backslashes or brackets";
  const std::string_view authority = text.substr(text.find("://") + 3);
  if (authority.empty() || authority.find_first_of("/?#") == 0) return "it names no host";
  const std::string path = decode_dots(url_path(text));
  for (const std::string_view part : split(path, '/'))
    if (part == "..") return "its path has '..'";
  return {};
}

std::string without_password(std::string_view url) {
  const size_t begin = url.find("://");
  if (begin == std::string_view::npos) return std::string(url);
  const std::string_view rest = url.substr(begin + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const size_t at = authority.rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  return std::string(url.substr(0, begin + 3)) + "…@" + std::string(rest.substr(at + 1));
}

std::string url_encode(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') ||
                          std::string_view("-._~/+,=@()!$&'*;").find(c) != std::string_view::npos;
    if (is_plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string uid_of_url(std::string_view url) {
  std::string_view path = url_path(url);
  constexpr std::string_view kAssets = "mshub_res/assets/";
  const size_t assets = path.find(kAssets);
  path = assets == std::string_view::npos ? path.substr(path.rfind('/') + 1)
                                          : path.substr(assets + kAssets.size());
  return parse_uid(path);
}

}  // namespace tessera::hub
