#include "tessera/model/internal/page.h"

#include <fmt/format.h>

#include "tessera/base/text.h"
#include "tessera/model/internal/report_style.h"

namespace tessera::internal {

std::string html(std::string_view text) {
  std::string out;
  for (const char c : printable(text, text.size() + 1)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string fact(std::string_view name, const std::string& value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, value);
}

std::string card(std::string_view name, std::string_view value, std::string_view note) {
  const std::string below = note.empty() ? "" : fmt::format("<small>{}</small>", html(note));
  return fmt::format("<div><dt>{}</dt><dd>{}{}</dd></div>\n", html(name), html(value), below);
}

std::string page_begin(std::string_view title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<main>\n<header>\n"
      "<h1>{0}</h1>\n<dl class=\"facts\">\n",
      html(title), kReportStyle);
}

}  // namespace tessera::internal
