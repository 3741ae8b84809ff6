#include <gtest/gtest.h>

#include "tessera/comm/communicator.h"

namespace tessera {
namespace {

TEST(Local, SumOfRanks) {
  for (int n = 1; n <= 8; ++n) {
    run_world({.backend = "local", .ranks = n}, [&](Communicator& world) {
      for (int i = 0; i < 1000; ++i) {
        Tensor sum = Tensor::scalar(static_cast<float>(world.rank() + i));
        world.all_reduce(sum, ReduceOp::kSum);
        ASSERT_EQ(sum.data<float>()[0], static_cast<float>(n * (n - 1) / 2 + n * i));
      }
      require_agreement(world, "numbers", "1\n2");
    });
  }
}

TEST(Local, Disagreement) {
  try {
    run_world({.backend = "local", .ranks = 3}, [&](Communicator& world) {
      require_agreement(world, "numbers", world.rank() == 2 ? "1\n2" : "1\n3");
    });
    FAIL();
  } catch (const Error& e) {
    fmt::print("{}\n", e.what());
  }
  try {
    run_world({.backend = "local", .ranks = 3}, [&](Communicator& world) {
      if (world.rank() == 1) return;
      world.barrier();
    });
    FAIL();
  } catch (const Error& e) {
    fmt::print("{}\n", e.what());
  }
  try {
    run_world({.backend = "local", .ranks = 3}, [&](Communicator& world) {
      if (world.rank() == 1) fail(ErrorCode::kNotFound, "boom");
      world.barrier();
    });
    FAIL();
  } catch (const Error& e) {
    fmt::print("{}\n", e.what());
  }
  try {
    run_world({.backend = "local", .ranks = 3}, [&](Communicator& world) {
      Tensor t = Tensor::scalar(1.0F);
      if (world.rank() == 1)
        world.send(t, 2);
      else
        world.all_reduce(t, ReduceOp::kMax);
    });
    FAIL();
  } catch (const Error& e) {
    fmt::print("{}\n", e.what());
  }
}

}  // namespace
}  // namespace tessera
