// all_reduce and reduce_scatter.
#include <bit>
#include <cmath>
#include <complex>
#include <limits>

#include "tests/conformance/communicator_suite.h"

namespace tessera::testing {
namespace {

constexpr ReduceOp kOps[] = {ReduceOp::kSum, ReduceOp::kMax, ReduceOp::kMin};

bool combines(DType dtype, ReduceOp op) {
  if (dtype == DType::kI4x2) return false;
  return op == ReduceOp::kSum || (dtype != DType::kC64 && dtype != DType::kC128);
}

/// What rank r holds at element i: small, so that every float type holds every sum exactly.
int64_t value(Rank rank, int64_t i) {
  return (rank * 7 + i * 3 + i / 17) % 11;
}

template <typename T>
T element(int64_t x) {
  if constexpr (std::is_same_v<T, bool>) {
    return x % 4 == 0;
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return T(static_cast<float>(x));
  } else if constexpr (std::is_same_v<T, Int4x2>) {
    return {static_cast<uint8_t>(x)};
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(x);
  } else {  // complex
    return T(static_cast<typename T::value_type>(x), static_cast<typename T::value_type>(-2 * x));
  }
}

/// What all ranks' values at element i combine to.
template <typename T>
T combined(ReduceOp op, int ranks, int64_t i) {
  int64_t sum = 0, most = value(0, i), least = most;
  bool any = false, all = true;
  for (Rank r = 0; r < ranks; ++r) {
    sum += value(r, i);
    most = std::max(most, value(r, i));
    least = std::min(least, value(r, i));
    any = any || element<bool>(value(r, i));
    all = all && element<bool>(value(r, i));
  }
  if constexpr (std::is_same_v<T, bool>) return op == ReduceOp::kMin ? all : any;
  return element<T>(op == ReduceOp::kSum ? sum : op == ReduceOp::kMax ? most : least);
}

/// Elements begin … begin + count of what rank r holds.
Tensor values_of(DType dtype, Rank rank, int64_t begin, int64_t count) {
  Tensor tensor(dtype, {count});
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<T> data = tensor.mutable_data<T>();
    for (int64_t i = 0; i < count; ++i)
      data[static_cast<size_t>(i)] = element<T>(value(rank, begin + i));
  });
  return tensor;
}

void expect_combined(const Tensor& tensor, ReduceOp op, int ranks, int64_t begin) {
  visit_dtype(tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> data = tensor.data<T>();
    for (size_t i = 0; i < data.size(); ++i)
      expect(data[i] == combined<T>(op, ranks, begin + static_cast<int64_t>(i)),
             "element {} of {} is not the {} over {} ranks", i, describe(tensor), to_string(op),
             ranks);
  });
}

void all_reduce_every_dtype(Communicator& world) {
  for (const DType dtype : all_dtypes()) {
    for (const ReduceOp op : kOps) {
      if (!combines(dtype, op)) continue;
      for (const int64_t count : {0, 1, 2, 3, 63, 64, 65, 129, 1000, 4097}) {
        Tensor tensor = values_of(dtype, world.rank(), 0, count);
        world.all_reduce(tensor, op);
        expect_combined(tensor, op, world.size(), 0);
      }
    }
  }
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kC128}) {
    Tensor tensor = values_of(dtype, world.rank(), 0, 300'001);
    world.all_reduce(tensor, ReduceOp::kSum);
    expect_combined(tensor, ReduceOp::kSum, world.size(), 0);
  }
}

/// Rank i's part: uneven, some of them empty.
int64_t part_size(int i, int64_t scale) {
  return (i * 5 + 3) % 4 * scale + (i % 3 == 1 ? 1 : 0);
}

void reduce_scatter_every_dtype(Communicator& world) {
  for (const DType dtype : all_dtypes()) {
    for (const ReduceOp op : kOps) {
      if (!combines(dtype, op)) continue;
      for (const int64_t scale : {0, 1, 17, dtype == DType::kF32 ? 150'000 : 300}) {
        std::vector<Tensor> parts;
        for (int i = 0; i < world.size(); ++i)
          parts.push_back(values_of(dtype, world.rank(), i * 1000, part_size(i, scale)));
        Tensor mine(dtype, {part_size(world.rank(), scale)});
        world.reduce_scatter(parts, mine, op);
        expect_combined(mine, op, world.size(), world.rank() * 1000);
      }
    }
  }
}

void parts_may_be_their_own_result(Communicator& world) {
  std::vector<Tensor> parts;
  for (int i = 0; i < world.size(); ++i)
    parts.push_back(values_of(DType::kF32, world.rank(), i * 1000, 999));
  Tensor& mine = parts[static_cast<size_t>(world.rank())];
  world.reduce_scatter(parts, mine, ReduceOp::kSum);
  expect_combined(mine, ReduceOp::kSum, world.size(), world.rank() * 1000);
}

/// A float whose bits look random.
float wild(Rank rank, int64_t i) {
  uint64_t x = static_cast<uint64_t>(rank * 1'000'003 + i) * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9;
  const float fraction = static_cast<float>(x >> 40) * 0x1p-24F - 0.5F;
  return std::ldexp(fraction, static_cast<int>(x % 23));
}

template <typename T>
void expect_sums_in_order(Communicator& world, int64_t count) {
  for (int repeat = 0; repeat < 3; ++repeat) {
    Tensor tensor(dtype_of<T>, {count});
    for (int64_t i = 0; i < count; ++i)
      tensor.mutable_data<T>()[static_cast<size_t>(i)] = T(wild(world.rank(), i));
    world.all_reduce(tensor, ReduceOp::kSum);
    const std::span<const T> sums = tensor.data<T>();
    for (int64_t i = 0; i < count; ++i) {
      auto sum = static_cast<float>(T(wild(0, i)));
      for (Rank r = 1; r < world.size(); ++r) sum += static_cast<float>(T(wild(r, i)));
      expect(sums[static_cast<size_t>(i)] == T(sum), "sum {} of {} is not that in rank order", i,
             describe(tensor));
    }
  }
}

void sums_repeat(Communicator& world) {
  for (const int64_t count : {1, 65, 3000, 50'000}) {
    expect_sums_in_order<float>(world, count);
    expect_sums_in_order<Half>(world, count);
    expect_sums_in_order<BFloat16>(world, count);
  }
}

/// 2048 + 1 is 2048 in f16 (256 + 1 is 256 in bf16): a sum that is rounded at each step stays
/// there.
template <typename T>
void expect_one_rounding(Communicator& world, float large) {
  Tensor tensor = Tensor::scalar(T(world.rank() == 0 ? large : 1.0F));
  world.all_reduce(tensor, ReduceOp::kSum);
  expect(tensor.data<T>()[0] == T(large + static_cast<float>(world.size() - 1)),
         "the sum of {} and {} ones is {}", large, world.size() - 1, to_string(tensor));
}

void halves_are_rounded_once(Communicator& world) {
  expect_one_rounding<Half>(world, 2048);
  expect_one_rounding<BFloat16>(world, 256);
}

void integers_wrap(Communicator& world) {
  const int n = world.size();
  Tensor small = Tensor::scalar(static_cast<uint8_t>(200));
  world.all_reduce(small, ReduceOp::kSum);
  expect(small.data<uint8_t>()[0] == static_cast<uint8_t>(200 * n), "{}", to_string(small));
  Tensor large = Tensor::scalar(std::numeric_limits<int64_t>::max());
  world.all_reduce(large, ReduceOp::kSum);
  const uint64_t wrapped =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) * static_cast<uint64_t>(n);
  expect(static_cast<uint64_t>(large.data<int64_t>()[0]) == wrapped, "{}", to_string(large));
}

void nan_counts_as_none(Communicator& world) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const bool last = world.rank() == world.size() - 1;
  for (const ReduceOp op : {ReduceOp::kMax, ReduceOp::kMin}) {
    const float own[] = {last ? 3.0F : nan, nan};
    Tensor tensor = Tensor::of(std::span<const float>(own), {2});
    world.all_reduce(tensor, op);
    expect(tensor.data<float>()[0] == 3 && std::isnan(tensor.data<float>()[1]), "{} is {}",
           to_string(op), to_string(tensor));
  }
}

void what_has_no_order_is_refused(Communicator& world) {
  Tensor packed(DType::kI4x2, {4});
  expect_error(ErrorCode::kUnsupported, {"i4x2", "cast"},
               [&] { world.all_reduce(packed, ReduceOp::kSum); });
  Tensor complex(DType::kC64, {4});
  expect_error(ErrorCode::kUnsupported, {"c64", "max"},
               [&] { world.all_reduce(complex, ReduceOp::kMax); });
}

/// The size that the benchmark has, once.
void sixty_four_mebibytes(Communicator& world) {
  if (world.size() > 4) return;
  constexpr int64_t kCount = 16 << 20;
  Tensor tensor(DType::kF32, {kCount});
  const std::span<float> data = tensor.mutable_data<float>();
  const auto own = static_cast<float>(world.rank() + 1);
  for (size_t i = 0; i < data.size(); ++i) data[i] = own * static_cast<float>(i % 1009);
  world.all_reduce(tensor, ReduceOp::kSum);
  const auto factor = static_cast<float>(world.size() * (world.size() + 1) / 2);
  for (size_t i = 0; i < data.size(); ++i)
    expect(data[i] == factor * static_cast<float>(i % 1009), "element {} is {}", i, data[i]);
  world.broadcast(tensor, world.size() - 1);
  expect(data[1008] == factor * 1008, "the broadcast tensor has {}", data[1008]);
}

}  // namespace

void add_reduction_cases(std::vector<CommunicatorCase>& suite) {
  suite.push_back({"AllReduceCombinesEveryDtypeOfEverySize", all_reduce_every_dtype});
  suite.push_back({"ReduceScatterCombinesUnevenParts", reduce_scatter_every_dtype});
  suite.push_back({"APartMayBeItsOwnResult", parts_may_be_their_own_result});
  suite.push_back({"SumsAreInTheOrderOfRanksBitForBit", sums_repeat});
  suite.push_back({"SumsOfHalvesAreRoundedOnce", halves_are_rounded_once});
  suite.push_back({"SumsOfIntegersWrap", integers_wrap});
  suite.push_back({"NanCountsAsNoneInMaxAndMin", nan_counts_as_none});
  suite.push_back({"WhatHasNoSumOrOrderIsRefused", what_has_no_order_is_refused});
  suite.push_back({"SixtyFourMebibytesAreReducedAndBroadcast", sixty_four_mebibytes});
}

}  // namespace tessera::testing
