#include "tessera/ops/internal/axis.h"

#include <fmt/format.h>

#include "tessera/base/text.h"

namespace tessera::internal {

size_t wrap_axis(int64_t axis, size_t ndim) {
  const auto count = static_cast<int64_t>(ndim);
  require(axis >= -count && axis < count, "axis {} is not one of a tensor of {} dims", axis, ndim);
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

std::vector<bool> chosen_axes(const Ints& axes, size_t ndim) {
  std::vector<bool> chosen(ndim, axes.empty());
  for (const int64_t axis : axes) {
    const size_t d = wrap_axis(axis, ndim);
    require(!chosen[d], "axis {} comes twice in {}", axis, to_string(Attr(axes)));
    chosen[d] = true;
  }
  return chosen;
}

AxisView axis_view(const Shape& shape, size_t axis) {
  AxisView view;
  view.extent = shape[axis];
  for (size_t d = 0; d < axis; ++d) view.outer *= shape[d];
  for (size_t d = axis + 1; d < shape.size(); ++d) view.inner *= shape[d];
  return view;
}

std::vector<std::string> dim_words(size_t ndim) {
  std::vector<std::string> words;
  for (size_t d = 0; d < ndim; ++d) words.push_back(fmt::format("d{}", d));
  return words;
}

std::string whole_word(std::string_view word) {
  return fmt::format("[{}]", word);
}

std::string spell(std::span<const std::string> words) {
  return join(words, " ");
}

std::string whole_axis_rule(size_t ndim, size_t axis) {
  std::vector<std::string> words = dim_words(ndim);
  const std::string result = spell(words);
  words[axis] = whole_word(words[axis]);
  return spell(words) + " -> " + result;
}

}  // namespace tessera::internal
