// Loads every tensor of a checkpoint by plan and execute, and compares with a plain read() of the
// whole file into memory that was touched before: the limit of what a copying loader can reach.
//
//   bench_load FILE [--threads N] [--map] [--reads N]
//
// Prints one line of JSON; `seconds` is the load from opening to the last byte, `scan_s` reads
// every loaded byte once, `read_s` is the best plain read with one thread, `ratio` is
// read_s / seconds.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "tessera/base/error.h"
#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/load_plan.h"

namespace {

double status_mib(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key)) return std::stod(line.substr(key.size() + 1)) / 1024;
  return 0;
}

uint64_t scan(std::span<const tessera::Tensor> tensors) {
  uint64_t sum = 0;
  for (const tessera::Tensor& tensor : tensors) {
    const std::span<const std::byte> bytes = tensor.bytes();
    for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, 8);
      sum += word;
    }
  }
  return sum;
}

/// Seconds of one plain read into memory that is touched already.
double plain_read(const char* path, uint64_t size, int rounds) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  std::memset(memory, 1, size);
  double best = 1e9;
  const int file = ::open(path, O_RDONLY);
  for (int round = 0; round < rounds; ++round) {
    const tessera::Stopwatch watch;
    for (uint64_t at = 0; at < size;) {
      const ssize_t got =
          ::pread(file, static_cast<char*>(memory) + at,
                  std::min<uint64_t>(size - at, uint64_t{4} << 20), static_cast<off_t>(at));
      if (got <= 0) break;
      at += static_cast<uint64_t>(got);
    }
    best = std::min(best, watch.seconds());
  }
  ::close(file);
  ::munmap(memory, size);
  return best;
}

int run(int argc, char** argv) {
  using tessera::require;
  const char* path = nullptr;
  tessera::LoadOptions options;
  int reads = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--map") {
      options.map = true;
    } else if (word == "--threads" && i + 1 < argc) {
      options.threads = std::stoi(argv[++i]);
    } else if (word == "--reads" && i + 1 < argc) {
      reads = std::stoi(argv[++i]);
    } else {
      path = argv[i];
    }
  }
  require(path != nullptr, "usage: bench_load FILE [--threads N] [--map] [--reads N]");
  const double before = status_mib("VmRSS");
  const tessera::Stopwatch opening;
  const tessera::Checkpoint checkpoint = tessera::open_checkpoint(path);
  const std::vector<tessera::Target> targets = tessera::targets_of(checkpoint.catalog);
  const double open_s = opening.seconds();
  const std::vector<tessera::Tensor> tensors = load_tensors(checkpoint, targets, options);
  const double load_s = opening.seconds();
  const tessera::Stopwatch scanning;
  const uint64_t sum = scan(tensors);
  const double scan_s = scanning.seconds();
  const double peak = status_mib("VmHWM");
  const uint64_t size = checkpoint.catalog.files[0].bytes;
  const double read_s = reads > 0 ? plain_read(path, size, reads) : 0;
  fmt::print(
      "{{\"seconds\":{:.6f},\"scan_s\":{:.6f},\"open_s\":{:.6f},\"read_s\":{:.6f},\"ratio\":{:.3f},"
      "\"gib_per_s\":{:.3f},\"tensors\":{},\"rss_before_mib\":{:.1f},\"hwm_mib\":{:.1f},"
      "\"peak_over_file\":{:.4f},\"sum\":{}}}\n",
      load_s, scan_s, open_s, read_s, read_s / load_s,
      static_cast<double>(size) / load_s / (1 << 30), tensors.size(), before, peak,
      (peak - before) * (1 << 20) / static_cast<double>(size), sum);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
