#include "tessera/tensor/box.h"

#include <algorithm>

namespace tessera {

std::string to_string(const Box& box) {
  return to_string(box.begin) + "+" + to_string(box.size);
}

Box whole(const Shape& shape) {
  return {Shape(shape.size(), 0), shape};
}

Box intersect(const Box& a, const Box& b) {
  Box out = a;
  for (size_t d = 0; d < a.size.size(); ++d) {
    out.begin[d] = std::max(a.begin[d], b.begin[d]);
    const int64_t end = std::min(a.begin[d] + a.size[d], b.begin[d] + b.size[d]);
    out.size[d] = std::max<int64_t>(0, end - out.begin[d]);
  }
  return out;
}

bool is_empty(const Box& box) {
  return std::find(box.size.begin(), box.size.end(), 0) != box.size.end();
}

bool overlaps(const Box& a, const Box& b) {
  const size_t ndim = a.size.size();
  const int64_t *a_begin = a.begin.data(), *a_size = a.size.data();
  const int64_t *b_begin = b.begin.data(), *b_size = b.size.data();
  for (size_t d = 0; d < ndim; ++d) {
    const int64_t begin = std::max(a_begin[d], b_begin[d]);
    if (std::min(a_begin[d] + a_size[d], b_begin[d] + b_size[d]) <= begin) return false;
  }
  return true;
}

bool contains(const Box& outer, const Box& inner) {
  return is_empty(inner) || intersect(outer, inner) == inner;
}

}  // namespace tessera
