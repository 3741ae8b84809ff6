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

bool contains(const Box& outer, const Box& inner) {
  return is_empty(inner) || intersect(outer, inner) == inner;
}

}  // namespace tessera
