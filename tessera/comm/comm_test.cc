// The suite on threads and alone, and what happens when a rank fails.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/conformance/communicator_suite.h"

namespace tessera {
namespace {

using testing::communicator_suite;
using testing::CommunicatorCase;

struct World {
  std::string backend;
  int ranks;

  friend void PrintTo(const World& world, std::ostream* out) {
    *out << world.backend << world.ranks;
  }
};

class Conformance : public ::testing::TestWithParam<std::tuple<World, CommunicatorCase>> {};

TEST_P(Conformance, Holds) {
  const auto& [world, test] = GetParam();
  const WorldOptions options{.backend = world.backend, .ranks = world.ranks, .timeout_seconds = 60};
  try {
    run_world(options, test.run);
  } catch (const Error& error) {
    FAIL() << error.what();
  }
}

std::string case_name(const ::testing::TestParamInfo<std::tuple<World, CommunicatorCase>>& info) {
  const auto& [world, test] = info.param;
  return fmt::format("{}On{}{}", test.name, world.backend == "local" ? "Local" : "Single",
                     world.ranks);
}

INSTANTIATE_TEST_SUITE_P(Communicator, Conformance,
                         ::testing::Combine(::testing::Values(World{"single", 1}, World{"local", 1},
                                                              World{"local", 2}, World{"local", 3},
                                                              World{"local", 4}, World{"local", 5},
                                                              World{"local", 8}),
                                            ::testing::ValuesIn(communicator_suite())),
                         case_name);

/// The error of a world of local ranks, which must fail.
std::string error_of(int ranks, double timeout, const std::function<void(Communicator&)>& body,
                     ErrorCode code = ErrorCode::kComm) {
  try {
    run_world({.backend = "local", .ranks = ranks, .timeout_seconds = timeout}, body);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

void sum_ones(Communicator& world, int64_t count = 1) {
  Tensor ones(DType::kF32, {count});
  for (float& x : ones.mutable_data<float>()) x = 1;
  world.all_reduce(ones, ReduceOp::kSum);
}

TEST(LocalFaults, WhatARankThrowsEndsAllWithItsKindAndItsNumber) {
  for (int step = 0; step < 20; ++step) {
    std::atomic<int> others = 0;
    const std::string text = error_of(
        4, 60,
        [&](Communicator& world) {
          try {
            for (int i = 0; i < 100; ++i) {
              if (world.rank() == 2 && i == step) fail(ErrorCode::kNotFound, "no file at {}", i);
              sum_ones(world, 1 + i * 1000 * (world.size() - 3));
            }
          } catch (const Error& error) {
            if (world.rank() != 2) {
              ++others;
              EXPECT_EQ(error.code(), ErrorCode::kComm);
              EXPECT_EQ(error.what(), fmt::format("rank 2: no file at {}", step));
            }
            throw;
          }
        },
        ErrorCode::kNotFound);
    EXPECT_EQ(text, fmt::format("rank 2: no file at {}", step));
    EXPECT_EQ(others, 3);
  }
}

TEST(LocalFaults, ARankAloneThrowsItsErrorAsItIs) {
  EXPECT_EQ(error_of(
                1, 60, [](Communicator&) { fail(ErrorCode::kIo, "no"); }, ErrorCode::kIo),
            "no");
  EXPECT_THROW(run_world({.backend = "single"}, [](Communicator&) { throw std::bad_alloc(); }),
               std::bad_alloc);
}

TEST(LocalFaults, ExceptionsThatAreNotOursAreNamed) {
  EXPECT_EQ(error_of(
                2, 60,
                [](Communicator& world) {
                  if (world.rank() == 1) throw std::runtime_error("odd");
                  world.barrier();
                },
                ErrorCode::kInternal),
            "rank 1: odd");
}

TEST(LocalFaults, TheErrorKeepsTheContextOfCallerAndRankOnce) {
  const ErrorContext caller([] { return std::string("in the caller"); });
  const std::string text = error_of(
      3, 60,
      [](Communicator& world) {
        const ErrorContext context([&] { return fmt::format("in rank {}", world.rank()); });
        if (world.rank() == 1) fail(ErrorCode::kIo, "no");
        world.barrier();
      },
      ErrorCode::kIo);
  EXPECT_EQ(text, "rank 1: no\n  while in rank 1\n  while in the caller");
}

TEST(LocalFaults, AnEndedRankIsNotWaitedFor) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string met = error_of(3, 60, [](Communicator& world) {
    if (world.rank() != 2) world.barrier();
  });
  EXPECT_TRUE(met.starts_with("rank 2 has ended while rank ")) << met;
  EXPECT_TRUE(met.ends_with(" in barrier()")) << met;
  const std::string text = error_of(2, 60, [](Communicator& world) {
    Tensor tensor(DType::kF32, {3});
    if (world.rank() == 1) world.receive(tensor, 0);
  });
  EXPECT_EQ(text,
            "rank 0 has ended while rank 1 waits for rank 0 in receive(f32 x 3, from rank 0)");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(LocalFaults, ARankThatDoesNotComeIsATimeout) {
  std::atomic<bool> is_over = false;
  const std::string text = error_of(3, 0.2, [&](Communicator& world) {
    if (world.rank() == 1) {
      while (!is_over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return;
    }
    try {
      sum_ones(world, 7);
    } catch (const Error&) {
      is_over = true;
      throw;
    }
  });
  EXPECT_NE(text.find(" waits for rank 1 in all_reduce(f32 x 7, sum), for 0.2"), std::string::npos)
      << text;
  EXPECT_NE(text.find("rank 1 is in no call (the timeout is 0.2 s)"), std::string::npos) << text;
}

TEST(LocalFaults, RanksThatWaitForEachOtherAreFoundWithoutATimeout) {
  const std::string crossed = error_of(3, 0, [](Communicator& world) {
    Tensor tensor(DType::kF32, {3});
    if (world.rank() == 2) return;
    world.send(tensor, 1 - world.rank());
  });
  EXPECT_EQ(
      crossed,
      "the ranks wait for each other for ever: rank 0 waits in send(f32 x 3, to rank 1), rank "
      "1 waits in send(f32 x 3, to rank 0), rank 2 has ended");
  const std::string groups = error_of(4, 0, [](Communicator& world) {
    const Rank wide[] = {0, 1, 2}, narrow[] = {0, 1};
    if (world.rank() == 3) return;
    world.split(world.rank() == 0 ? std::span<const Rank>(narrow) : wide)->barrier();
  });
  EXPECT_NE(groups.find("rank 1 waits in barrier() of ranks 0, 1, 2"), std::string::npos) << groups;
}

TEST(LocalFaults, AbortEndsEveryCallOfEveryRank) {
  const std::string text = error_of(4, 60, [](Communicator& world) {
    if (world.rank() == 3) {
      world.abort("enough");
      return;
    }
    while (true) world.barrier();
  });
  EXPECT_EQ(text, "rank 3: enough");
}

TEST(LocalFaults, ARankMayFailWhileOthersReadItsTensors) {
  // Rank 0 aborts while 1 and 2 are in the midst of a collective: their tensors must outlive that.
  for (int i = 0; i < 30; ++i) {
    const std::string text = error_of(3, 60, [i](Communicator& world) {
      const Rank pair[] = {1, 2};
      if (world.rank() == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(100 * i));
        world.abort("now");
        return;
      }
      Communicator& group = world.group(pair);
      while (true) sum_ones(group, 100'000);
    });
    EXPECT_EQ(text, "rank 0: now");
  }
}

TEST(RunWorld, NumbersAndNamesThatDoNotFitAreRefused) {
  const auto body = [](Communicator&) {};
  EXPECT_THROW(run_world({.backend = "local", .ranks = 0}, body), Error);
  EXPECT_THROW(run_world({.backend = "local", .ranks = 1'000'000}, body), Error);
  EXPECT_THROW(run_world({.backend = "single", .ranks = 2}, body), Error);
  EXPECT_THROW(run_world({.backend = "local", .ranks = 2, .timeout_seconds = -1}, body), Error);
  try {
    run_world({.backend = "nccl"}, body);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_STREQ(error.what(), "there is no backend 'nccl'; known: local, mpi, single");
  }
  if (has_mpi()) return;
  try {
    run_world({.backend = "mpi"}, body);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("libopenmpi-dev"), std::string::npos);
  }
}

TEST(RunWorld, WorldsMayFollowAndNest) {
  std::atomic<int> inner = 0;
  for (int i = 0; i < 3; ++i) {
    run_world({.backend = "local", .ranks = 2}, [&](Communicator& world) {
      run_world({.backend = "local", .ranks = 3}, [&](Communicator& nested) {
        nested.barrier();
        ++inner;
      });
      world.barrier();
    });
  }
  EXPECT_EQ(inner, 18);
}

}  // namespace
}  // namespace tessera
