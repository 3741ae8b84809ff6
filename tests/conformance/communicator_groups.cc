// Groups, groups of groups, and many calls of many kinds one after the other.
#include <numeric>
#include <random>

#include "tests/conformance/communicator_suite.h"

namespace tessera::testing {
namespace {

/// Throws unless the sum over the group of each member's number in the world is `sum`.
void expect_sum(Communicator& group, Rank world_rank, int sum) {
  Tensor tensor = Tensor::scalar(int32_t{world_rank});
  group.all_reduce(tensor, ReduceOp::kSum);
  expect(tensor.data<int32_t>()[0] == sum, "the group's sum is {}, not {}", to_string(tensor), sum);
}

std::vector<Rank> ranks_from(Rank begin, int size, int step) {
  std::vector<Rank> ranks;
  for (Rank r = begin; r < size; r += step) ranks.push_back(r);
  return ranks;
}

int sum_of(const std::vector<Rank>& ranks) {
  return std::accumulate(ranks.begin(), ranks.end(), 0);
}

void every_other_rank(Communicator& world) {
  const std::vector<Rank> mine = ranks_from(world.rank() % 2, world.size(), 2);
  const auto group = world.split(mine);
  expect(group->size() == static_cast<int>(mine.size()), "the group has {} ranks", group->size());
  expect(mine[static_cast<size_t>(group->rank())] == world.rank(), "rank {} is {} in the group",
         world.rank(), group->rank());
  expect(group->backend() == world.backend(), "the group is of '{}'", group->backend());
  expect_sum(*group, world.rank(), sum_of(mine));
  // Both halves at once, while the whole waits for both.
  for (int i = 0; i < 20; ++i) {
    expect_sum(*group, world.rank(), sum_of(mine));
    expect_sum(world, world.rank(), sum_of(ranks_from(0, world.size(), 1)));
  }
  Tensor tensor = noise(DType::kF32, 10, static_cast<uint64_t>(world.rank()));
  group->broadcast(tensor, group->size() - 1);
  expect_noise(tensor, static_cast<uint64_t>(mine.back()));
}

void groups_of_groups(Communicator& world) {
  const std::vector<Rank> evens = ranks_from(world.rank() % 2, world.size(), 2);
  const auto half = world.split(evens);
  const std::vector<Rank> upper = ranks_from(half->rank() % 2, half->size(), 2);
  const auto quarter = half->split(upper);
  int sum = 0;
  for (const Rank r : upper) sum += evens[static_cast<size_t>(r)];
  expect_sum(*quarter, world.rank(), sum);
  const Rank alone[] = {quarter->rank()};
  expect_sum(*quarter->split(alone), world.rank(), world.rank());
  expect_sum(*half, world.rank(), sum_of(evens));
  if (half->size() < 2) return;
  if (half->rank() == 0) half->send(noise(DType::kU8, 9, 3), 1);
  if (half->rank() != 1) return;
  Tensor came(DType::kU8, {9});
  half->receive(came, 0);
  expect_noise(came, 3);
}

void overlapping_groups(Communicator& world) {
  // Pairs (0,1), (1,2), (2,3), … in this order on every rank.
  for (Rank first = 0; first + 1 < world.size(); ++first) {
    if (world.rank() != first && world.rank() != first + 1) continue;
    const Rank pair[] = {first, first + 1};
    expect_sum(world.group(pair), world.rank(), 2 * first + 1);
  }
  const std::vector<Rank> all = ranks_from(0, world.size(), 1);
  expect(&world.group(all) == &world, "the group of all is another one");
  const Rank alone[] = {world.rank()};
  Communicator& kept = world.group(alone);
  expect(&kept == &world.group(alone), "a group was made twice");
}

void lists_that_are_no_group(Communicator& world) {
  const auto refused = [&](const std::vector<Rank>& ranks) {
    expect_error(ErrorCode::kInvalidArgument, {"split"}, [&] { world.split(ranks); });
  };
  refused({});
  refused({world.rank(), world.rank()});
  refused({world.size()});
  refused({-1, world.rank()});
  if (world.size() < 2) return;
  refused({(world.rank() + 1) % world.size()});
}

void a_list_numbers_its_ranks(Communicator& world) {
  std::vector<Rank> down;
  for (Rank rank = world.size(); rank-- > 0;) down.push_back(rank);
  const auto group = world.split(down);
  expect(group->rank() == world.size() - 1 - world.rank(), "rank {} of the reversed list",
         group->rank());
}

void machines_are_counted(Communicator& world) {
  expect(std::ssize(world.machines()) == world.size(), "machines of {} ranks",
         world.machines().size());
  // All tests run on one machine.
  for (const int machine : world.machines())
    expect(machine == world.machines()[0], "the ranks of one machine differ");
}

/// All ranks draw the same numbers.
void many_calls(Communicator& world) {
  std::mt19937 random(7);
  const auto draw = [&](int end) {
    return static_cast<int>(random() % static_cast<unsigned>(end));
  };
  std::vector<Rank> evens = ranks_from(world.rank() % 2, world.size(), 2);
  const int n = world.size();
  for (int i = 0; i < 300; ++i) {
    const int kind = draw(6), count = draw(4) == 0 ? draw(20'000) : draw(100), root = draw(n);
    Tensor tensor = noise(DType::kI64, count, static_cast<uint64_t>(i * n + world.rank()));
    std::vector<Tensor> parts;
    for (int r = 0; r < n; ++r) parts.emplace_back(DType::kI64, Shape{count});
    switch (kind) {
      case 0:
        world.all_gather(tensor, parts);
        for (int r = 0; r < n; ++r)
          expect_noise(parts[static_cast<size_t>(r)], static_cast<uint64_t>(i * n + r));
        break;
      case 1:
        world.broadcast(tensor, root);
        expect_noise(tensor, static_cast<uint64_t>(i * n + root));
        break;
      case 2:
        world.barrier();
        break;
      case 3:
        expect_sum(world.group(evens), world.rank(), sum_of(evens));
        break;
      case 4:
        expect_sum(world, world.rank(), n * (n - 1) / 2);
        break;
      default:
        if (n > 1 && world.rank() == root) world.send(tensor, (root + 1) % n);
        if (n > 1 && world.rank() == (root + 1) % n) {
          world.receive(tensor, root);
          expect_noise(tensor, static_cast<uint64_t>(i * n + root));
        }
    }
  }
}

}  // namespace

void add_group_cases(std::vector<CommunicatorCase>& suite) {
  suite.push_back({"EveryOtherRankIsAGroup", every_other_rank});
  suite.push_back({"GroupsHaveGroups", groups_of_groups});
  suite.push_back({"GroupsMayOverlapAndAreKept", overlapping_groups});
  suite.push_back({"ListsThatAreNoGroupAreRefused", lists_that_are_no_group});
  suite.push_back({"AListNumbersItsRanks", a_list_numbers_its_ranks});
  suite.push_back({"MachinesAreCounted", machines_are_counted});
  suite.push_back({"ManyCallsOfAllKindsStayInStep", many_calls});
}

}  // namespace tessera::testing
