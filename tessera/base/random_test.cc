#include "tessera/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace tessera {
namespace {

using Words = std::array<uint32_t, 4>;

TEST(Random, PhiloxGivesTheWordsThatItsAuthorsPublished) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kFull = 0xffffffff;
  EXPECT_EQ(philox({kFull, kFull, kFull, kFull}, {kFull, kFull}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, SplitMixGivesTheNumbersThatItsAuthorsPublished) {
  SplitMix64 numbers(1234567);
  EXPECT_EQ(numbers.next(), 6457827717110365317U);
  EXPECT_EQ(numbers.next(), 3203168211198807973U);
}

TEST(Random, SeedsStreamsAndPlacesGiveDifferentNumbers) {
  std::set<uint64_t> seen;
  const uint64_t far = uint64_t{1} << 40;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, far})
    for (const char* name : {"", "a", "b"})
      for (const uint64_t i : {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{3}, far, far + 1})
        seen.insert(RandomStream(seed, name).bits(i));
  EXPECT_EQ(seen.size(), 3U * 3 * 6);
}

TEST(Random, UnitIntervalsAreOpenAtBothEnds) {
  EXPECT_GT(unit_interval(0), 0.0);
  EXPECT_LT(unit_interval(~uint64_t{0}), 1.0);
  EXPECT_EQ(unit_interval(uint64_t{1} << 63), 0.5 + 0x1p-53);
}

}  // namespace
}  // namespace tessera
