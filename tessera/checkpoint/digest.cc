#include "tessera/checkpoint/digest.h"

#include <cstring>

#include "tessera/base/error.h"

namespace tessera {
namespace {

/// A bijection of 64 bits in which every input bit changes about half of the output bits.
uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93U;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93U;
  x ^= x >> 32;
  return x;
}

/// Adds `count` elements of `width` bytes, which follow each other from global index `index` on.
template <size_t width>
void add_run(const std::byte* bytes, uint64_t index, int64_t count, Digest& sum) {
  for (int64_t i = 0; i < count; ++i, bytes += width) {
    uint64_t value[2] = {0, 0};
    std::memcpy(value, bytes, width);
    const uint64_t place = mix(index + static_cast<uint64_t>(i) + 0x9E3779B97F4A7C15U);
    uint64_t hash = mix(place ^ value[0]);
    if constexpr (width > 8) hash = mix(hash + value[1]);
    sum.low += hash;
    sum.high += mix(hash + place);
  }
}

void add_run(int width, const std::byte* bytes, uint64_t index, int64_t count, Digest& sum) {
  switch (width) {
    case 1:
      return add_run<1>(bytes, index, count, sum);
    case 2:
      return add_run<2>(bytes, index, count, sum);
    case 4:
      return add_run<4>(bytes, index, count, sum);
    case 8:
      return add_run<8>(bytes, index, count, sum);
    case 16:
      return add_run<16>(bytes, index, count, sum);
    default:
      fail(ErrorCode::kInternal, "an element has {} bytes", width);
  }
}

}  // namespace

std::string to_string(const Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

Digest digest_box(const Tensor& tensor, const Shape& global, const Box& box) {
  require(tensor.shape() == box.size && contains(whole(global), box),
          "a tensor {} does not hold the box {} of {}", to_string(tensor.shape()), to_string(box),
          to_string(global));
  const Tensor elements = tensor.contiguous();
  return digest_part(elements.bytes(), byte_size(tensor.dtype()), global, box, box);
}

Digest digest_part(std::span<const std::byte> bytes, int width, const Shape& global,
                   const Box& held, const Box& part) {
  Digest sum;
  for_each_run(whole(global), held, part, [&](int64_t at, int64_t in_held, int64_t count) {
    add_run(width, bytes.data() + in_held * width, static_cast<uint64_t>(at), count, sum);
  });
  return sum;
}

Digest digest_bytes(std::string_view bytes) {
  Digest sum;
  add_run<1>(reinterpret_cast<const std::byte*>(bytes.data()), 0,
             static_cast<int64_t>(bytes.size()), sum);
  return sum;
}

Digest digest(const Tensor& tensor) {
  return digest_box(tensor, tensor.shape(), whole(tensor.shape()));
}

}  // namespace tessera
