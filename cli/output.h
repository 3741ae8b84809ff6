// What the program prints: JSON, tables, a progress bar, a picture of an image.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/attrs.h"
#include "tessera/tensor/tensor.h"

namespace tessera::cli {

/// Builds one JSON object or array, in the order of the calls.
class Json {
 public:
  Json& open(char bracket);  // '{' or '['
  Json& close();
  Json& key(std::string_view name);
  Json& value(std::string_view text);
  Json& value(const char* text) { return value(std::string_view(text)); }
  Json& value(double number);  // shortest text that reads back equal; null where not finite
  Json& value(int64_t number);
  Json& value(uint64_t number);
  Json& value(bool flag);
  Json& null();
  Json& raw(std::string_view json);
  template <typename T>
  Json& field(std::string_view name, const T& what) {
    return key(name).value(what);
  }
  const std::string& text() const { return text_; }

 private:
  void separate();
  std::string text_;
  std::string open_;  // the brackets still open
  bool first_ = true;
};

/// Appends the attributes as an array of {name, default, doc} under `key`.
void append_attrs(Json& out, std::string_view key, std::span<const AttrDef> attrs);

/// Rows of cells as text with aligned columns, two spaces between; numbers to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string to_string() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// A bar with rate and remaining time on the terminal's last line, or nothing when stderr is no
/// terminal or `quiet`. update() is cheap: it draws ten times a second at most.
class Progress {
 public:
  /// `bytes`: what is counted are bytes, and rates are printed so; a total of 0 is then unknown.
  Progress(std::string_view what, int64_t total, bool quiet, bool bytes = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `note`: what stands behind the rate.
  void update(int64_t done, std::string_view note = {});

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  int64_t total_;
  bool bytes_;
  bool is_open_;  // nobody knows the total
  bool shown_;
  Clock::time_point start_;
  Clock::time_point last_;
};

/// An image [h,w,1] u8 as lines of half blocks in shades of grey, two rows of pixels a line. Wider
/// images are thinned to 64 columns.
std::vector<std::string> draw(const Tensor& image);

/// Whether stdout is a terminal that people look at.
bool stdout_is_terminal();

}  // namespace tessera::cli
