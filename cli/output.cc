#include "cli/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "tessera/base/text.h"

namespace tessera::cli {

void Json::separate() {
  if (!first_) text_ += ", ";
  first_ = false;
}

Json& Json::open(char bracket) {
  separate();
  text_ += bracket;
  open_ += bracket;
  first_ = true;
  return *this;
}

Json& Json::close() {
  text_ += open_.back() == '{' ? '}' : ']';
  open_.pop_back();
  first_ = false;
  return *this;
}

Json& Json::key(std::string_view name) {
  separate();
  text_ += fmt::format("\"{}\": ", json_escape(name));
  first_ = true;
  return *this;
}

Json& Json::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

Json& Json::value(std::string_view text) {
  return raw(fmt::format("\"{}\"", json_escape(text)));
}
Json& Json::value(double number) {
  return std::isfinite(number) ? raw(fmt::format("{}", number)) : null();
}
Json& Json::value(int64_t number) {
  return raw(fmt::format("{}", number));
}
Json& Json::value(uint64_t number) {
  return raw(fmt::format("{}", number));
}
Json& Json::value(bool flag) {
  return raw(flag ? "true" : "false");
}
Json& Json::null() {
  return raw("null");
}

void append_attrs(Json& out, std::string_view key, std::span<const AttrDef> attrs) {
  out.key(key).open('[');
  for (const AttrDef& attr : attrs) {
    out.open('{').field("name", attr.name).field("default", to_string(attr.default_value));
    out.field("doc", attr.doc).close();
  }
  out.close();
}

namespace {

/// Columns that a terminal needs for UTF-8 text of single-width letters.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool looks_like_number(std::string_view cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789.,-+e% ") == std::string_view::npos;
}

}  // namespace

std::string Table::to_string() const {
  std::vector<size_t> widths(rows_.front().size(), 0);
  std::vector<bool> right(widths.size(), rows_.size() > 1);
  for (size_t r = 0; r < rows_.size(); ++r) {
    for (size_t c = 0; c < rows_[r].size(); ++c) {
      widths[c] = std::max(widths[c], width_of(rows_[r][c]));
      if (r > 0 && !looks_like_number(rows_[r][c])) right[c] = false;
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string pad(widths[c] - width_of(row[c]), ' ');
      line += (c > 0 ? "  " : "") + (right[c] ? pad + row[c] : row[c] + pad);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

Progress::Progress(std::string_view what, int64_t total, bool quiet, bool bytes)
    : what_(what),
      total_(bytes && total <= 0 ? std::numeric_limits<int64_t>::max()
                                 : std::max<int64_t>(total, 1)),
      bytes_(bytes),
      is_open_(bytes && total <= 0),
      shown_(!quiet && isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void Progress::update(int64_t done, std::string_view note) {
  if (!shown_) return;
  const Clock::time_point now = Clock::now();
  if (now - last_ < std::chrono::milliseconds(100) && done < total_) return;
  last_ = now;
  constexpr int kWidth = 30;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  if (is_open_) {
    fmt::print(
        stderr, "\r\033[K{} {}  {}/s", what_, human_bytes(static_cast<uint64_t>(done)),
        human_bytes(static_cast<uint64_t>(static_cast<double>(done) / std::max(seconds, 1e-9))));
    std::fflush(stderr);
    return;
  }
  const double part = static_cast<double>(done) / static_cast<double>(total_);
  const double rate = static_cast<double>(done) / std::max(seconds, 1e-9);
  const double left = static_cast<double>(total_ - done) / std::max(rate, 1e-9);
  const int full = static_cast<int>(part * kWidth);
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < full ? "█" : "░";
  fmt::print(stderr, "\r\033[K{} {} {:3.0f}%  {}/s  {:.0f} s left{}{}", what_, bar, part * 100,
             bytes_ ? human_bytes(static_cast<uint64_t>(rate)) : fmt::format("{:.0f}", rate), left,
             note.empty() ? "" : "  ", note);
  std::fflush(stderr);
}

std::vector<std::string> draw(const Tensor& image) {
  const int64_t height = image.shape()[0], width = image.shape()[1];
  const int64_t step = std::max<int64_t>(1, (width + 63) / 64);
  const auto pixels = image.data<uint8_t>();
  const int64_t depth = image.ndim() > 2 ? image.shape()[2] : 1;
  // The 24 greys of the 256-colour palette, 232 the darkest.
  const auto grey = [&](int64_t y, int64_t x) {
    if (y >= height) return 232;
    return 232 + pixels[static_cast<size_t>((y * width + x) * depth)] * 23 / 255;
  };
  std::vector<std::string> lines;
  for (int64_t y = 0; y < height; y += 2 * step) {
    std::string& line = lines.emplace_back();
    for (int64_t x = 0; x < width; x += step)
      line += fmt::format("\033[38;5;{};48;5;{}m▀", grey(y, x), grey(y + step, x));
    line += "\033[0m";
  }
  return lines;
}

bool stdout_is_terminal() {
  return isatty(STDOUT_FILENO) != 0;
}

}  // namespace tessera::cli
