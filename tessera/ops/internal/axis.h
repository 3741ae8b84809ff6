// Axes of a tensor, and the words of rules that name dims one by one.
#pragma once

#include <string>
#include <vector>

#include "tessera/graph/op_call.h"

namespace tessera::internal {

/// `axis` counted from the front; throws kInvalidArgument unless -ndim <= axis < ndim.
size_t wrap_axis(int64_t axis, size_t ndim);
/// Whether each dim is among `axes`; all dims when there are none. Throws when one comes twice.
std::vector<bool> chosen_axes(const Ints& axes, size_t ndim);

/// A row-major tensor as [outer, extent, inner] around one axis: element (o, i, j) lies at
/// (o * extent + i) * inner + j.
struct AxisView {
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t inner = 1;
};
AxisView axis_view(const Shape& shape, size_t axis);

/// "d0", "d1", ...: the words of a rule for a tensor of `ndim` dims.
std::vector<std::string> dim_words(size_t ndim);
/// "[d1]": the same dim, whole on every rank.
std::string whole_word(std::string_view word);
/// The words with spaces between them.
std::string spell(std::span<const std::string> words);
/// "d0 [d1] d2 -> d0 d1 d2": elementwise but for one axis, which must be whole.
std::string whole_axis_rule(size_t ndim, size_t axis);

}  // namespace tessera::internal
