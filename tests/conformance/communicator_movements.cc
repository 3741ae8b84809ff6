// What moves without change: all_gather, all_to_all, broadcast, send and receive, barrier.
#include <chrono>
#include <thread>

#include "tests/conformance/communicator_suite.h"

namespace tessera::testing {
namespace {

/// Rank i's part: uneven, some of them empty.
int64_t part_size(int i, int64_t scale) {
  return (i * 3 + 2) % 5 * scale + i % 2;
}

/// What rank i gives to rank j.
int64_t pair_size(int i, int j, int64_t scale) {
  return (i * 3 + j * 5) % 4 * scale + (i > j ? 1 : 0);
}

uint64_t pair_seed(int i, int j) {
  return static_cast<uint64_t>(i * 1000 + j + 1);
}

void all_gather_every_dtype(Communicator& world) {
  for (const DType dtype : all_dtypes()) {
    for (const int64_t scale : {0, 1, 13, dtype == DType::kU8 ? 1'000'001 : 700}) {
      const Tensor mine = noise(dtype, part_size(world.rank(), scale), pair_seed(world.rank(), 0));
      std::vector<Tensor> parts;
      for (int i = 0; i < world.size(); ++i) parts.emplace_back(dtype, Shape{part_size(i, scale)});
      world.all_gather(mine, parts);
      for (int i = 0; i < world.size(); ++i)
        expect_noise(parts[static_cast<size_t>(i)], pair_seed(i, 0));
    }
  }
}

void a_part_may_be_in_place(Communicator& world) {
  std::vector<Tensor> parts;
  for (int i = 0; i < world.size(); ++i) parts.emplace_back(DType::kF32, Shape{100 + i});
  const auto me = static_cast<size_t>(world.rank());
  parts[me] = noise(DType::kF32, 100 + world.rank(), pair_seed(world.rank(), 0));
  const Tensor mine = parts[me];  // the same memory
  world.all_gather(mine, parts);
  for (int i = 0; i < world.size(); ++i)
    expect_noise(parts[static_cast<size_t>(i)], pair_seed(i, 0));
}

void all_to_all_every_dtype(Communicator& world) {
  for (const DType dtype : all_dtypes()) {
    for (const int64_t scale : {0, 1, 19, dtype == DType::kF32 ? 200'001 : 600}) {
      std::vector<Tensor> send, receive;
      for (int i = 0; i < world.size(); ++i) {
        send.push_back(noise(dtype, pair_size(world.rank(), i, scale), pair_seed(world.rank(), i)));
        receive.emplace_back(dtype, Shape{pair_size(i, world.rank(), scale)});
      }
      world.all_to_all(send, receive);
      for (int i = 0; i < world.size(); ++i)
        expect_noise(receive[static_cast<size_t>(i)], pair_seed(i, world.rank()));
    }
  }
}

void shapes_may_differ(Communicator& world) {
  std::vector<Tensor> send, receive;
  for (int i = 0; i < world.size(); ++i) {
    send.push_back(noise(DType::kI16, 6, pair_seed(world.rank(), i)).reshape({2, 3}));
    receive.emplace_back(DType::kI16, Shape{3, 1, 2});
  }
  world.all_to_all(send, receive);
  for (int i = 0; i < world.size(); ++i)
    expect_noise(receive[static_cast<size_t>(i)], pair_seed(i, world.rank()));
}

void broadcast_every_dtype(Communicator& world) {
  for (const DType dtype : all_dtypes()) {
    for (Rank root = 0; root < world.size(); ++root) {
      for (const int64_t count :
           {0, 1, 5, 1000, dtype == DType::kF64 && root == 1 ? 500'001 : 33}) {
        Tensor tensor =
            noise(dtype, count, world.rank() == root ? pair_seed(root, 7) : uint64_t{99});
        world.broadcast(tensor, root);
        expect_noise(tensor, pair_seed(root, 7));
      }
    }
  }
}

/// A tensor that views memory which must not change, such as a mapped file, can be given away.
void a_root_may_be_read_only(Communicator& world) {
  const Tensor source = noise(DType::kU8, 64, 5);
  Tensor tensor(DType::kU8, {64});
  if (world.rank() == 0)
    tensor = Tensor::view(Buffer::read_only(source.bytes(), source.buffer()), 0, DType::kU8, {64});
  world.broadcast(tensor, 0);
  expect_noise(tensor, 5);
}

void every_pair_hands_over(Communicator& world) {
  for (const int64_t count : {0, 1, 1001, 300'000}) {
    for (Rank from = 0; from < world.size(); ++from) {
      for (Rank to = 0; to < world.size(); ++to) {
        if (from == to) continue;
        const DType dtype = all_dtypes()[static_cast<size_t>(from * 5 + to) % kDTypeCount];
        if (world.rank() == from) world.send(noise(dtype, count, pair_seed(from, to)), to);
        if (world.rank() != to) continue;
        Tensor tensor(dtype, {count});
        world.receive(tensor, from);
        expect_noise(tensor, pair_seed(from, to));
      }
    }
  }
}

/// Even ranks give first, odd ones take first: all hand over at the same time.
void a_ring_goes_around(Communicator& world) {
  const int n = world.size();
  if (n < 2) return;
  const Rank next = (world.rank() + 1) % n, previous = (world.rank() + n - 1) % n;
  Tensor held = noise(DType::kF32, 5001, pair_seed(world.rank(), 0));
  for (int step = 0; step < n; ++step) {
    Tensor came(DType::kF32, {5001});
    if (world.rank() % 2 == 0) world.send(held, next);
    world.receive(came, previous);
    if (world.rank() % 2 == 1) world.send(held, next);
    held = came;
  }
  expect_noise(held, pair_seed(world.rank(), 0));
}

void nobody_passes_a_barrier_early(Communicator& world) {
  using Clock = std::chrono::steady_clock;
  for (Rank late = 0; late < world.size(); ++late) {
    world.barrier();
    const Clock::time_point begin = Clock::now();
    if (world.rank() == late) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    world.barrier();
    // The clock of another rank may have begun later, by the time of leaving the first barrier.
    if (world.size() == 2)
      expect(Clock::now() - begin > std::chrono::milliseconds(10), "passed before the other came");
  }
}

}  // namespace

void add_movement_cases(std::vector<CommunicatorCase>& suite) {
  suite.push_back({"AllGatherMovesUnevenPartsOfEveryDtype", all_gather_every_dtype});
  suite.push_back({"AGatheredPartMayBeInPlace", a_part_may_be_in_place});
  suite.push_back({"AllToAllMovesUnevenPartsOfEveryDtype", all_to_all_every_dtype});
  suite.push_back({"TheTwoSidesOfAllToAllMayDifferInShape", shapes_may_differ});
  suite.push_back({"BroadcastMovesEveryDtypeFromEveryRoot", broadcast_every_dtype});
  suite.push_back({"ARootMayBeReadOnly", a_root_may_be_read_only});
  suite.push_back({"EveryPairHandsOver", every_pair_hands_over});
  suite.push_back({"ARingGoesAround", a_ring_goes_around});
  suite.push_back({"NobodyPassesABarrierEarly", nobody_passes_a_barrier_early});
}

}  // namespace tessera::testing
