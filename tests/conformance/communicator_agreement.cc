// What ranks disagree on is an error on all of them, and they can go on after it.
#include <array>

#include "tests/conformance/communicator_suite.h"

namespace tessera::testing {
namespace {

/// The group still works.
void expect_usable(Communicator& world) {
  Tensor count = Tensor::scalar(int32_t{1});
  world.all_reduce(count, ReduceOp::kSum);
  expect(count.data<int32_t>()[0] == world.size(), "afterwards the sum is {}", to_string(count));
}

/// The call that the last rank makes and that of the others.
void expect_disagreement(Communicator& world, const std::vector<std::string>& words,
                         const std::function<void(bool is_last)>& call) {
  if (world.size() < 2) return;
  const Rank last = world.size() - 1;
  std::vector<std::string> all = words;
  all.emplace_back("rank 0");
  all.push_back(fmt::format("rank {}", last));
  expect_error(ErrorCode::kComm, all, [&] { call(world.rank() == last); });
  expect_usable(world);
}

void different_calls(Communicator& world) {
  Tensor tensor = noise(DType::kF32, 12, 1);
  expect_disagreement(world, {"call", "all_reduce(f32 x 12, sum)", "barrier()"}, [&](bool is_last) {
    is_last ? world.barrier() : world.all_reduce(tensor, ReduceOp::kSum);
  });
  std::vector<Tensor> parts(static_cast<size_t>(world.size()), tensor);
  std::vector<Tensor> others;
  for (int i = 0; i < world.size(); ++i) others.push_back(noise(DType::kF32, 12, 1));
  expect_disagreement(world, {"call", "all_to_all", "all_gather"}, [&](bool is_last) {
    is_last ? world.all_gather(tensor, others) : world.all_to_all(parts, others);
  });
}

void different_dtypes(Communicator& world) {
  expect_disagreement(world, {"dtype", "f32 x 8", "i32 x 8"}, [&](bool is_last) {
    Tensor tensor = noise(is_last ? DType::kI32 : DType::kF32, 8, 1);
    world.all_reduce(tensor, ReduceOp::kSum);
  });
  expect_disagreement(world, {"dtype", "f16 x 8", "bf16 x 8"}, [&](bool is_last) {
    Tensor tensor = noise(is_last ? DType::kBF16 : DType::kF16, 8, 1);
    world.broadcast(tensor, 0);
  });
}

void different_sizes(Communicator& world) {
  expect_disagreement(world, {"size", "f32 x 8", "f32 x 9"}, [&](bool is_last) {
    Tensor tensor = noise(DType::kF32, is_last ? 9 : 8, 1);
    world.all_reduce(tensor, ReduceOp::kSum);
  });
  expect_disagreement(world, {"size", "u8 x 8", "u8 x 0"}, [&](bool is_last) {
    Tensor tensor = noise(DType::kU8, is_last ? 0 : 8, 1);
    world.broadcast(tensor, 0);
  });
}

void different_parts(Communicator& world) {
  const auto parts_of = [&](int64_t count) {
    std::vector<Tensor> parts;
    for (int i = 0; i < world.size(); ++i) parts.emplace_back(DType::kF32, Shape{count});
    return parts;
  };
  expect_disagreement(world, {"all_gather", "gives 5", "expects 4"}, [&](bool is_last) {
    std::vector<Tensor> parts = parts_of(4);
    world.all_gather(noise(DType::kF32, is_last ? 5 : 4, 1), parts);
  });
  expect_disagreement(world, {"all_gather", "gives 4", "expects 7"}, [&](bool is_last) {
    std::vector<Tensor> parts = parts_of(4);
    if (is_last) parts[0] = Tensor(DType::kF32, {7});
    world.all_gather(noise(DType::kF32, 4, 1), parts);
  });
  expect_disagreement(world, {"reduce_scatter", "has 4", "has 6"}, [&](bool is_last) {
    std::vector<Tensor> parts = parts_of(4);
    if (is_last) parts[0] = Tensor(DType::kF32, {6});
    Tensor mine(DType::kF32, {4});
    world.reduce_scatter(parts, mine, ReduceOp::kMax);
  });
  expect_disagreement(world, {"all_to_all", "gives 6", "expects 4"}, [&](bool is_last) {
    std::vector<Tensor> send = parts_of(4), receive = parts_of(4);
    if (is_last) send[0] = Tensor(DType::kF32, {6});
    world.all_to_all(send, receive);
  });
}

void different_operations_and_roots(Communicator& world) {
  Tensor tensor = noise(DType::kI32, 3, 1);
  expect_disagreement(world, {"operation", "sum", "min"}, [&](bool is_last) {
    world.all_reduce(tensor, is_last ? ReduceOp::kMin : ReduceOp::kSum);
  });
  expect_disagreement(world, {"root", "root 0", "root 1"},
                      [&](bool is_last) { world.broadcast(tensor, is_last ? 1 : 0); });
}

void a_receiver_that_expects_something_else(Communicator& world) {
  if (world.size() < 2) return;
  for (const bool dtype_differs : {true, false}) {
    const auto hand_over = [&] {
      Tensor tensor(dtype_differs ? DType::kF64 : DType::kF32, {dtype_differs ? 3 : 4});
      if (world.rank() == 0) world.send(noise(DType::kF32, 3, 1), 1);
      if (world.rank() == 1) world.receive(tensor, 0);
    };
    if (world.rank() < 2)
      expect_error(ErrorCode::kComm, {dtype_differs ? "dtype" : "size", "rank 0", "rank 1"},
                   hand_over);
    expect_usable(world);
  }
}

void arguments_that_cannot_be(Communicator& world) {
  Tensor tensor = noise(DType::kF32, 6, 1);
  std::vector<Tensor> too_many(static_cast<size_t>(world.size()) + 1, tensor);
  const auto invalid = [](const std::vector<std::string>& words, const auto& call) {
    expect_error(ErrorCode::kInvalidArgument, words, call);
  };
  invalid({"parts"}, [&] { world.all_gather(tensor, too_many); });
  invalid({"parts"}, [&] { world.all_to_all(too_many, too_many); });
  invalid({"ranks"}, [&] { world.broadcast(tensor, world.size()); });
  invalid({"ranks"}, [&] { world.broadcast(tensor, -1); });
  invalid({"itself"}, [&] { world.send(tensor, world.rank()); });
  invalid({"ranks"}, [&] { world.receive(tensor, world.size()); });
  Tensor column = tensor.reshape({2, 3}).slice({{0, 0}, {2, 1}});
  invalid({"contiguous"}, [&] { world.all_reduce(column, ReduceOp::kSum); });
  Tensor nothing;
  invalid({"holds nothing"}, [&] { world.broadcast(nothing, 0); });
  std::vector<Tensor> floats(static_cast<size_t>(world.size()), tensor), mixed = floats;
  mixed.back() = noise(DType::kI8, 6, 1);
  invalid({"f32", "i8"}, [&] { world.all_to_all(floats, mixed); });
  expect_usable(world);
}

void texts(Communicator& world) {
  require_agreement(world, "graph", "");
  require_agreement(world, "graph", std::string(100'000, 'x'));
  const Rank last = world.size() - 1;
  if (last == 0) return;
  const bool is_last = world.rank() == last;
  const auto differ = [&](const std::vector<std::string>& words, const std::string& common,
                          const std::string& odd) {
    std::vector<std::string> all = words;
    all.push_back(fmt::format("ranks 0 and {} have different graph", last));
    expect_error(ErrorCode::kComm, all,
                 [&] { require_agreement(world, "graph", is_last ? odd : common); });
    expect_usable(world);
  };
  differ({"line 2 is 'b' on rank 0 and 'c' on rank"}, "a\nb\nd", "a\nc\nd");
  differ({"line 2 is the end on rank 0 and 'b' on rank"}, "a", "a\nb");
  differ({"line 1 is '' on rank 0", "xxx"}, "", std::string(100'000, 'x'));
  differ({"...xxx", "xy' on rank 0", "xz' on rank"}, std::string(5000, 'x') + "y",
         std::string(5000, 'x') + "z");
  differ({"line 1", "\\x01"}, "a", "\1");
}

}  // namespace

void add_agreement_cases(std::vector<CommunicatorCase>& suite) {
  suite.push_back({"DifferentCallsAreAnErrorOnAll", different_calls});
  suite.push_back({"DifferentDtypesAreAnErrorOnAll", different_dtypes});
  suite.push_back({"DifferentSizesAreAnErrorOnAll", different_sizes});
  suite.push_back({"PartsThatDoNotFitAreAnErrorOnAll", different_parts});
  suite.push_back({"DifferentOperationsAndRootsAreAnErrorOnAll", different_operations_and_roots});
  suite.push_back({"AReceiverMayNotExpectSomethingElse", a_receiver_that_expects_something_else});
  suite.push_back({"ArgumentsThatCannotBeAreRefused", arguments_that_cannot_be});
  suite.push_back({"DifferentTextsAreShownWhereTheyPart", texts});
}

}  // namespace tessera::testing
