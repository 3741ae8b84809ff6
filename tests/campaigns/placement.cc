// ./dev campaign placement [--cases N] [--seed S] [--case K] [--list L]: placements of whole nets,
// run on threads as ranks and compared with one device. List 0 is random, every case depending on
// the seed and its number only; 1, 2, 3 are all shardings of operators, all pairs of layouts on
// edges, and all uniform placements, of which --cases from --case on are tried.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

#include "tests/placement/case_lists.h"

namespace {

using tessera::testing::PlacementCase;
using tessera::testing::PlacementCheck;

constexpr uint64_t kMostWrong = 10;

std::vector<PlacementCase> listed(uint64_t list) {
  if (list == 1) return tessera::testing::sharding_cases();
  if (list == 2) return tessera::testing::edge_cases();
  return tessera::testing::uniform_cases();
}

PlacementCase random_case(uint64_t seed, uint64_t number) {
  std::seed_seq seeds{seed, seed >> 32, number, number >> 32};
  tessera::testing::Random random(seeds);
  return tessera::testing::random_case(random);
}

int run(std::map<std::string_view, uint64_t>& options) {
  const uint64_t list = options["--list"];
  const uint64_t seed = options["--seed"];
  const std::vector<PlacementCase> all = list == 0 ? std::vector<PlacementCase>{} : listed(list);
  const uint64_t first = options["--case"];
  uint64_t end = first + options["--cases"];
  if (list != 0) end = std::min<uint64_t>(end, all.size());
  const auto start = std::chrono::steady_clock::now();
  PlacementCheck check;
  uint64_t wrong = 0;
  uint64_t number = first;
  for (; number < end && wrong < kMostWrong; ++number) {
    const PlacementCase made = list == 0 ? random_case(seed, number) : all[number];
    if (!check(made).empty()) {
      ++wrong;
      fmt::print(
          "case {} of list {}: {}\n  again: ./dev campaign placement --list {} --seed {} "
          "--case {} --cases 1\n",
          number, list, check.shrunk(made), list, seed, number);
    }
    if ((number - first + 1) % 1000 == 0) fmt::print("{} cases\n", number - first + 1);
    std::fflush(stdout);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{} placements of list {} ({}) in {:.1f} s; {} wrong\n", number - first, list,
             list == 0 ? fmt::format("seed {}", seed) : fmt::format("of {}", all.size()),
             seconds.count(), wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string_view, uint64_t> options = {
      {"--cases", 1000}, {"--seed", 1}, {"--case", 0}, {"--list", 0}};
  for (int i = 1; i < argc; i += 2) {
    char* end = nullptr;
    const uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], &end, 10) : 0;
    if (!options.contains(argv[i]) || end == nullptr || *end != '\0' || *argv[i + 1] == '\0') {
      fmt::print(stderr, "usage: placement [--cases N] [--seed S] [--case K] [--list 0|1|2|3]\n");
      return 2;
    }
    options[argv[i]] = value;
  }
  return run(options);
}
