// Strategy files of all generations and with everything that can be wrong in them.
#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/io/memory_file_system.h"
#include "tests/support/random_strategy.h"

namespace tessera {
namespace {

using testing::RandomStrategy;

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

std::string number(int field, int64_t value) {
  return varint(static_cast<uint64_t>(field) << 3) + varint(static_cast<uint64_t>(value));
}

std::string bytes(int field, const std::string& content) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(content.size()) + content;
}

std::string dims(std::vector<int64_t> values) {
  std::string out;
  for (const int64_t value : values) out += number(1, value);
  return out;
}

std::string item(const std::string& name, const std::string& layout) {
  return bytes(3, bytes(1, name) + bytes(2, layout));
}

Strategy read_text(const std::string& content, const std::string& name = "s.ckpt") {
  MemoryFileSystem files;
  files.put(name, content);
  return read_strategy(name, files);
}

std::string error_of(const std::string& content, const std::string& name = "s.ckpt") {
  try {
    const Strategy strategy = read_text(content, name);
    return "reads as\n" + to_string(strategy);
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal) << error.what();
    return error.what();
  }
}

const std::string kPlain = bytes(1, dims({2, 4})) + bytes(2, dims({-1, 0}));

TEST(StrategyBytes, FilesBeforeMindSpore13HaveNoOptimizerSharding) {
  const Strategy strategy =
      read_text(number(1, 1) + item("w", kPlain + bytes(3, "") + bytes(4, "") + number(5, 0)));
  EXPECT_EQ(to_string(strategy.find("w", 0)->layout), "{d0=2,d1=4} [-, d1]");
  EXPECT_EQ(strategy.find("w", 0)->optimizer_size, 0);
}

TEST(StrategyBytes, PackedNumbersReadAsUnpackedOnes) {
  const std::string packed = bytes(1, bytes(1, varint(2) + varint(4))) +
                             bytes(2, bytes(1, varint(~uint64_t{0}) + varint(0)));
  EXPECT_EQ(read_text(number(1, 1) + item("w", packed)),
            read_text(number(1, 1) + item("w", kPlain)));
}

TEST(StrategyBytes, SeveralTensorMapsAreOnePerDim) {
  const auto layout_of = [](const std::string& maps) {
    const Strategy strategy = read_text(number(1, 1) + item("w", bytes(1, dims({2, 2, 2})) + maps));
    return to_string(strategy.find("w", 0)->layout);
  };
  EXPECT_EQ(layout_of(bytes(2, dims({0, 2})) + bytes(2, dims({1}))),
            "{d0=2,d1=2,d2=2} [d2 d0, d1]");
  EXPECT_EQ(layout_of(bytes(2, dims({1, 0})) + bytes(2, dims({-1}))),
            "{d0=2,d1=2,d2=2} [d1 d2, -]");
  EXPECT_EQ(layout_of(bytes(2, dims({1, 0})) + bytes(2, "")), "{d0=2,d1=2,d2=2} [d1 d2]");
  EXPECT_EQ(layout_of(bytes(2, dims({1, 0}))), "{d0=2,d1=2,d2=2} [d1, d2]");
  EXPECT_EQ(layout_of(bytes(2, "")), "{d0=2,d1=2,d2=2} []");
}

TEST(StrategyBytes, UnknownFieldsAreSteppedOverExceptInALayout) {
  const std::string unknown = number(9, 5) + bytes(30, "text") + std::string("\x65wxyz", 5);
  const std::string op = bytes(2, bytes(1, "Op") + unknown + bytes(2, number(1, 0) + unknown));
  const std::string with =
      unknown + number(1, 1) + op + unknown + bytes(3, bytes(1, "w") + bytes(2, kPlain) + unknown);
  const std::string head = number(1, 1) + with;
  EXPECT_EQ(read_text(head).parameters.size(), 1);
  EXPECT_NE(error_of(number(1, 1) + item("w", kPlain + number(8, 1)))
                .find("the layout of 'w' has the field 8"),
            std::string::npos);
}

TEST(StrategyBytes, WhatContradictsItselfIsNamed) {
  const std::string map = number(1, 1);
  const struct {
    std::string content;
    std::string says;
  } cases[] = {
      {map + item("w", bytes(1, dims({0})) + bytes(2, dims({-1}))), "'w' has a dim of size 0"},
      {map + item("w", bytes(1, dims({-2})) + bytes(2, dims({-1}))), "'w' has a dim of size -2"},
      {map + item("w", bytes(1, dims({1 << 20, 1 << 20, 1 << 24})) + bytes(2, dims({-1}))),
       "more than 16777216 devices"},
      {map + item("w", bytes(1, dims({int64_t{1} << 62, 8})) + bytes(2, dims({-1}))),
       "more than 16777216 devices"},
      {map + item("w", bytes(1, dims({2})) + bytes(2, dims({1}))), "says device dim 1 for dim 0"},
      {map + item("w", bytes(1, dims({2})) + bytes(2, dims({-2}))), "says device dim -2 for dim 0"},
      {map + item("w", bytes(1, dims({2})) + bytes(2, dims({0, 0}))), "uses device dim 0 twice"},
      {map + item("w", bytes(1, dims({2}))), "lacks its tensor map"},
      {map + item("w", bytes(2, dims({-1}))), "lacks its device matrix"},
      {map + item("w", kPlain + bytes(1, dims({8}))), "has field 1 twice"},
      {map + item("w", kPlain + number(6, -4) + number(7, 2)),
       "opt_weight_shard_step of 'w' is -4"},
      {map + item("w", kPlain + number(6, 4) + number(7, -2)),
       "opt_weight_shard_size of 'w' is -2"},
      {map + item("w", kPlain + number(5, -1)), "the field of 'w' is -1"},
      {map + item("w", kPlain + bytes(3, dims({-1}))), "param_split_shape of 'w' holds -1"},
      {map + item("", kPlain), "has no name"},
      {map + item("\xFF", kPlain), "not UTF-8"},
      {map + item("w", kPlain) + item("w", kPlain), "'w' has two layouts in pipeline stage 0"},
      {map + item("w", kPlain) + item("v", bytes(1, dims({2})) + bytes(2, dims({-1}))),
       "'w' lies on the 8 ranks of {d0=2,d1=4} but 'v' on the 2 ranks of {d0=2}"},
      {map + bytes(3, bytes(1, "w")), "lacks its content"},
      {map + bytes(2, bytes(1, "Op") + bytes(2, number(1, 1 << 20))) + item("w", kPlain),
       "'Op' says pipeline stage 1048576"},
      {map + bytes(2, bytes(1, "A") + bytes(2, number(1, 0))) +
           bytes(2, bytes(1, "B") + bytes(2, number(1, 1))) + item("w", kPlain),
       "operator 'A' belongs to pipeline stage 0 and 'B' to 1"},
      {number(1, -1) + item("w", kPlain), "current_stage is -1"},
      {map + bytes(2, bytes(1, "Op") + bytes(2, number(1, 0))), "no layout of any parameter"},
      {map, "no layout of any parameter"},
  };
  for (const auto& one : cases) {
    const std::string error = error_of(one.content);
    EXPECT_NE(error.find(one.says), std::string::npos) << error << "\nwanted: " << one.says;
  }
}

TEST(StrategyBytes, AStageBeforeEveryNameMakesAMergedStrategy) {
  const auto stages = [](std::vector<std::string> names, const std::string& more = "") {
    std::string content = number(1, 1) + more;
    for (const std::string& name : names) content += item(name, kPlain);
    return to_string(read_text(content));
  };
  EXPECT_NE(stages({"0-layer-norm.w", "1-w"}).find("stage 0\nlayer-norm.w"), std::string::npos);
  EXPECT_NE(stages({"1-w", "0-w"}).find("stage 1\nw"), std::string::npos);
  EXPECT_EQ(stages({"0-w", "layer-norm.w"}).find("stage"), std::string::npos);
  EXPECT_EQ(stages({"01-w", "1-w"}).find("stage"), std::string::npos);
  EXPECT_EQ(stages({"0-", "1-w"}).find("stage"), std::string::npos);
  // The operators say stage 2, so the numbers are parts of the names.
  const std::string op = bytes(2, bytes(1, "Op") + bytes(2, number(1, 2)));
  EXPECT_NE(stages({"0-w", "1-w"}, op).find("stage 2\n0-w"), std::string::npos);
}

/// Reads every file that differs from `content` in one bit or ends early. Each gives an Error or a
/// strategy that can be written down again.
void damage(const std::string& content, const std::string& name) {
  const auto check = [&](const std::string& damaged) {
    MemoryFileSystem files;
    files.put(name, damaged);
    Strategy strategy;
    try {
      strategy = read_strategy(name, files);
    } catch (const Error& error) {
      ASSERT_NE(error.code(), ErrorCode::kInternal) << error.what();
      return;
    }
    files.put("again.txt", to_string(strategy));
    Strategy back = read_strategy("again.txt", files);
    back.format = strategy.format;
    ASSERT_EQ(back, strategy) << to_string(strategy);
  };
  for (size_t size = 0; size < content.size(); ++size) check(content.substr(0, size));
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string damaged = content;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    check(damaged);
  }
}

TEST(StrategyBytes, EveryTruncationAndEveryFlippedBitIsAnErrorOrAStrategy) {
  for (uint32_t seed = 0; seed < 2; ++seed) {
    RandomStrategy random(seed);
    const Strategy strategy = random.mindspore(/*nested=*/false);
    for (const std::string name : {"s.ckpt", "s.json", "s.txt"}) {
      MemoryFileSystem files;
      write_strategy(strategy, name, files);
      damage(files.content(name), name);
    }
  }
}

TEST(StrategyBytes, RandomBytesAreNoStrategy) {
  RandomStrategy random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string content = i % 2 == 0 ? number(1, 1) + "\x1A" : "";
    for (int k = random.pick(0, 40); k > 0; --k) content += static_cast<char>(random.bits());
    error_of(content);
    error_of(content, "s.json");
    error_of(content, "s.txt");
  }
}

}  // namespace
}  // namespace tessera
