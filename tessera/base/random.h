// Random numbers that are the same in every process and on every machine. Those of a RandomStream
// are known by their place: number i follows from seed, stream and i alone, so every thread and
// every rank computes the ones it needs, in any order.
//
//   const RandomStream stream(seed, "fc1.weight");
//   const double u = unit_interval(stream.bits(i));
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tessera/base/fnv1a.h"

namespace tessera {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): 128 random bits for a counter and a key.
inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter,
                                      std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  RandomStream(uint64_t seed, std::string_view name) : RandomStream(seed, fnv1a(name)) {}

  /// 64 random bits, number `index` of the stream.
  uint64_t bits(uint64_t index) const { return pair(index / 2)[index % 2]; }
  /// Numbers 2 · `index` and 2 · `index` + 1, which cost as much as one.
  std::array<uint64_t, 2> pair(uint64_t index) const {
    const auto low = [](uint64_t word) { return static_cast<uint32_t>(word); };
    const auto high = [](uint64_t word) { return static_cast<uint32_t>(word >> 32); };
    const auto words =
        philox({low(index), high(index), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
    return {words[0] | uint64_t{words[1]} << 32, words[2] | uint64_t{words[3]} << 32};
  }

 private:
  uint64_t seed_;
  uint64_t stream_;
};

/// Random bits as one of 2^52 numbers inside (0,1).
inline double unit_interval(uint64_t bits) {
  return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
}

/// SplitMix64 (Steele, Lea, Flood 2014): one number after the other.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t state) : state_(state) {}
  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    uint64_t z = state_;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27) * 0x94D049BB133111EBU;
    return z ^ z >> 31;
  }

 private:
  uint64_t state_;
};

}  // namespace tessera
