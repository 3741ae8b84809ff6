#include "tessera/ops/internal/moves/strided_copy.h"

#include <cstring>

#include "tessera/ops/internal/walk.h"

namespace tessera::internal {
namespace {

template <size_t kBytes>
void copy_elements_of(const std::byte* from, std::byte* to, const Shape& extents,
                      const std::array<Shape, 2>& strides) {
  walk<2>(extents, strides, [&](const std::array<int64_t, 2>& at) {
    std::memcpy(to + at[1] * static_cast<int64_t>(kBytes),
                from + at[0] * static_cast<int64_t>(kBytes), kBytes);
  });
}

}  // namespace

void copy_strided(const Tensor& from, const StridedView& from_view, Tensor& to,
                  const StridedView& to_view, const Shape& extents) {
  if (element_count(extents) == 0) return;
  const int bytes = byte_size(from.dtype());
  const std::byte* source = from.bytes().data() + from_view.offset * bytes;
  std::byte* target = to.mutable_bytes().data() + to_view.offset * bytes;
  const std::array<Shape, 2> strides = {from_view.strides, to_view.strides};
  switch (bytes) {
    case 1:
      return copy_elements_of<1>(source, target, extents, strides);
    case 2:
      return copy_elements_of<2>(source, target, extents, strides);
    case 4:
      return copy_elements_of<4>(source, target, extents, strides);
    case 8:
      return copy_elements_of<8>(source, target, extents, strides);
    case 16:
      return copy_elements_of<16>(source, target, extents, strides);
    default:
      fail(ErrorCode::kInternal, "no dtype has {} bytes", bytes);
  }
}

}  // namespace tessera::internal
