// What ranks_test starts under mpirun: rank_program SCENARIO [TIMEOUT_SECONDS]. It ends with status
// 0 when all went as it must.
#include <fmt/format.h>
#include <signal.h>  // NOLINT: raise and kill

#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "tests/conformance/communicator_suite.h"

namespace tessera {
namespace {

using Scenario = std::function<void(Communicator&)>;

void sum_ones(Communicator& world, int64_t count) {
  Tensor ones(DType::kF32, {count});
  for (float& x : ones.mutable_data<float>()) x = 1;
  world.all_reduce(ones, ReduceOp::kSum);
}

/// Calls of several kinds and sizes; `at_step_5` is called in their midst.
void work(Communicator& world, const std::function<void()>& at_step_5) {
  for (int i = 0; i < 50; ++i) {
    if (i == 5) at_step_5();
    sum_ones(world, 1 + i * 10'000);
    world.barrier();
  }
}

void run_suite(Communicator& world) {
  int count = 0;
  for (const auto& test : testing::communicator_suite()) {
    const ErrorContext context([&] { return fmt::format("checking {}", test.name); });
    test.run(world);
    world.barrier();
    ++count;
  }
  if (world.rank() == 0) fmt::print("{} cases hold on {} ranks\n", count, world.size());
}

/// Messages of more bytes than an int counts; not in ./dev test: it takes 3 times 2.2 GiB.
void move_much(Communicator& world) {
  constexpr int64_t kCount = (int64_t{1} << 31) + 4321;
  Tensor tensor(DType::kU8, {kCount});
  const std::span<uint8_t> data = tensor.mutable_data<uint8_t>();
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<uint8_t>(world.rank() == 0 ? i % 251 : 0);
  world.broadcast(tensor, 0);
  world.all_reduce(tensor, ReduceOp::kMax);
  for (size_t i = 0; i < data.size(); ++i)
    testing::expect(data[i] == i % 251, "byte {} is wrong", i);
}

bool is_last(const Communicator& world) {
  return world.rank() == world.size() - 1;
}

/// A rank that fails, in the ways that a program can.
std::map<std::string, Scenario> failing_ranks() {
  return {
      {"throw",
       [](Communicator& world) {
         work(world, [&] {
           if (is_last(world)) fail(ErrorCode::kNotFound, "there is no file 'x'");
         });
       }},
      {"all_throw",
       [](Communicator& world) {
         work(world, [] { fail(ErrorCode::kNotFound, "there is no file 'x'"); });
       }},
      {"disagree",
       [](Communicator& world) { work(world, [&] { sum_ones(world, is_last(world) ? 8 : 7); }); }},
      {"abort",
       [](Communicator& world) {
         work(world, [&] {
           if (is_last(world)) world.abort("enough");
         });
       }},
      {"end",
       [](Communicator& world) {
         if (!is_last(world)) work(world, [] {});
       }},
      {"end_unseen",  // by a receiver: it compares no calls with the others
       [](Communicator& world) {
         Tensor tensor(DType::kF32, {3});
         if (world.rank() == 0) world.receive(tensor, world.size() - 1);
       }},
  };
}

/// A rank of which nothing is heard, for a time or for ever.
std::map<std::string, Scenario> silent_ranks() {
  return {
      {"kill",
       [](Communicator& world) {
         work(world, [&] {
           if (is_last(world)) raise(SIGKILL);
         });
       }},
      {"stop",
       [](Communicator& world) {
         work(world, [&] {
           if (is_last(world)) raise(SIGSTOP);
         });
       }},
      {"stop_before_split",
       [](Communicator& world) {
         const Rank pair[] = {0, world.size() - 1};
         if (is_last(world)) raise(SIGSTOP);
         if (world.rank() == 0) world.split(pair);
       }},
      {"stop_at_end",
       [](Communicator& world) {
         if (is_last(world)) raise(SIGSTOP);
       }},
      {"compute",  // far longer than a look for trouble, less than the timeout
       [](Communicator& world) {
         work(world, [&] {
           if (is_last(world)) std::this_thread::sleep_for(std::chrono::milliseconds(700));
         });
       }},
  };
}

std::map<std::string, Scenario> scenarios() {
  std::map<std::string, Scenario> known = {
      {"suite", run_suite}, {"much", move_much}, {"three_ranks", [](Communicator&) {}}};
  known.merge(failing_ranks());
  known.merge(silent_ranks());
  return known;
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  const auto scenarios = tessera::scenarios();
  const auto scenario = scenarios.find(name);
  if (scenario == scenarios.end()) {
    fmt::print(stderr, "there is no scenario '{}'\n", name);
    return 2;
  }
  try {
    tessera::run_world({.backend = "mpi",
                        .ranks = name == "three_ranks" ? 3 : 0,
                        .timeout_seconds = argc > 2 ? std::atof(argv[2]) : 60},
                       scenario->second);
  } catch (const std::exception& error) {
    fmt::print(stderr, "thrown: {}\n", error.what());
    return 1;
  }
}
