// ./dev campaign reshard --cases N [--seed S] [--threads T] [--case K]: random jobs re-sliced in
// memory and compared element by element with plain index arithmetic. Every case depends on the
// seed and its number only, so that one can be repeated alone.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/campaigns/check_job.h"

namespace {

using tessera::testing::CaseKind;
using tessera::testing::Random;

struct Request {
  uint64_t cases = 1000;
  uint64_t seed = 1;
  uint64_t first = 0;
  unsigned threads = 2;
};

class Campaign {
 public:
  explicit Campaign(const Request& request) : request_(request), next_(request.first) {}

  int run() {
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < request_.threads; ++t) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    fmt::print(
        "{} cases of seed {} in {:.1f} s: {} moved, {} moved from or to some of the ranks, "
        "{} there and back and through one rank, {} lost, {} with a wrong replica; {} wrong\n",
        done_.load(), request_.seed, seconds, count(CaseKind::kMoved),
        count(CaseKind::kMovedWithoutAll), count(CaseKind::kThereAndBack), count(CaseKind::kLost),
        count(CaseKind::kCorrupt), wrong_.load());
    return wrong_ == 0 ? 0 : 1;
  }

 private:
  static constexpr uint64_t kMostWrong = 10;

  void work() {
    const uint64_t end = request_.first + request_.cases;
    for (uint64_t number = next_++; number < end && wrong_ < kMostWrong; number = next_++) {
      std::seed_seq seeds{request_.seed, request_.seed >> 32, number, number >> 32};
      Random random(seeds);
      std::string description;
      try {
        ++counts_[static_cast<size_t>(tessera::testing::run_case(random, description))];
      } catch (const std::exception& error) {
        ++wrong_;
        const std::scoped_lock lock(mutex_);
        fmt::print(
            "case {} of seed {}: {}\n{}  again: ./dev campaign reshard --seed {} --case {}\n",
            number, request_.seed, error.what(), description, request_.seed, number);
        std::fflush(stdout);
      }
      if (++done_ % 50000 == 0) {
        fmt::print("{} of {} cases\n", done_.load(), request_.cases);
        std::fflush(stdout);
      }
    }
  }

  uint64_t count(CaseKind kind) const { return counts_[static_cast<size_t>(kind)].load(); }

  Request request_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<uint64_t> next_, done_{0}, wrong_{0};
  std::atomic<uint64_t> counts_[5]{};
  std::mutex mutex_;
};

}  // namespace

int main(int argc, char** argv) {
  Request request;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    char* end = nullptr;
    const uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], &end, 10) : 0;
    if (end == nullptr || *end != '\0' || *argv[i + 1] == '\0') {
      fmt::print(stderr, "{} needs a number\n", option);
      return 2;
    }
    if (option == "--cases") {
      request.cases = value;
    } else if (option == "--seed") {
      request.seed = value;
    } else if (option == "--threads") {
      request.threads = static_cast<unsigned>(value);
    } else if (option == "--case") {
      request.first = value;
      request.cases = 1;
    } else {
      fmt::print(stderr, "usage: reshard [--cases N] [--seed S] [--threads T] [--case K]\n");
      return 2;
    }
  }
  return Campaign(request).run();
}
