// A digest of a tensor's values that does not depend on how the tensor is cut: every element is
// hashed with its global index and the hashes are added up. Parts over disjoint boxes, in any order
// and cutting, add up to the digest of the whole; elements that are swapped, missing, doubled or
// zeroed change it. Not a defence against somebody who forges digests on purpose.
//
//   digest = digest_box(upper, shape, upper_box) + digest_box(lower, shape, lower_box)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tessera/tensor/tensor.h"

namespace tessera {

struct Digest {
  uint64_t low = 0;
  uint64_t high = 0;

  Digest& operator+=(const Digest& other) {
    low += other.low;
    high += other.high;
    return *this;
  }
  friend Digest operator+(Digest a, const Digest& b) { return a += b; }
  bool operator==(const Digest&) const = default;
};

/// 32 hexadecimal digits.
std::string to_string(const Digest& digest);

/// The digest of the elements of `box` of a tensor of shape `global`; `tensor` holds them, in any
/// memory order. The bits count: 0.0 and -0.0 differ.
Digest digest_box(const Tensor& tensor, const Shape& global, const Box& box);
/// The digest of the elements of `part`, out of row-major `bytes` that hold those of `held`, of
/// `width` bytes each, of a tensor of shape `global`.
Digest digest_part(std::span<const std::byte> bytes, int width, const Shape& global,
                   const Box& held, const Box& part);
/// The digest of bytes that are no tensor.
Digest digest_bytes(std::string_view bytes);
/// The digest of a whole tensor.
Digest digest(const Tensor& tensor);

}  // namespace tessera
