#include "tessera/comm/communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "tessera/base/fnv1a.h"
#include "tessera/base/text.h"
#include "tessera/comm/internal/backends.h"

namespace tessera {
namespace {

/// A world is threads of one machine: more than this is a slip.
constexpr int kMostRanks = 4096;

/// `text` of `root`, which has `length` bytes there. Collective.
std::string share_text(Communicator& world, std::string_view text, Rank root, uint64_t length) {
  std::string shared(world.rank() == root ? text : std::string_view());
  shared.resize(length);
  Tensor bytes = Tensor::of(std::span(reinterpret_cast<const uint8_t*>(shared.data()), length),
                            {static_cast<int64_t>(length)});
  world.broadcast(bytes, root);
  const std::span<const uint8_t> got = bytes.data<uint8_t>();
  return {got.begin(), got.end()};
}

/// Where two texts part: "line 3 is 'a' of rank 0 and 'b' of rank 2".
std::string first_difference(std::string_view a, std::string_view b, Rank other) {
  const std::vector<std::string_view> mine = split(a, '\n'), theirs = split(b, '\n');
  size_t line = 0;
  while (line < mine.size() && line < theirs.size() && mine[line] == theirs[line]) ++line;
  const auto shown = [&](const std::vector<std::string_view>& lines) {
    constexpr size_t kBefore = 40;
    if (line >= lines.size()) return std::string("the end");
    // Long lines: from shortly before the first byte that differs.
    size_t same = 0;
    if (line < mine.size() && line < theirs.size())
      while (same < mine[line].size() && same < theirs[line].size() &&
             mine[line][same] == theirs[line][same])
        ++same;
    const size_t skip = same > 2 * kBefore ? same - kBefore : 0;
    return fmt::format("'{}{}'", skip > 0 ? "..." : "", printable(lines[line].substr(skip), 120));
  };
  return fmt::format("line {} is {} on rank 0 and {} on rank {}", line + 1, shown(mine),
                     shown(theirs), other);
}

}  // namespace

Communicator::~Communicator() = default;

Communicator& Communicator::group(std::span<const Rank> ranks) {
  const bool everyone = std::ssize(ranks) == size();
  if (everyone && std::is_sorted(ranks.begin(), ranks.end())) return *this;
  std::unique_ptr<Communicator>& known = groups_[{ranks.begin(), ranks.end()}];
  if (known == nullptr) known = split(ranks);
  return *known;
}

void require_agreement(Communicator& world, std::string_view what, std::string_view text) {
  const std::array<uint64_t, 2> own{fnv1a(text), text.size()};
  const auto ranks = static_cast<size_t>(world.size());
  std::vector<Tensor> all;
  for (size_t i = 0; i < ranks; ++i) all.emplace_back(DType::kU64, Shape{2});
  world.all_gather(Tensor::of(std::span<const uint64_t>(own), {2}), all);
  const auto of = [&](size_t i) { return all[i].data<uint64_t>(); };
  for (size_t i = 1; i < ranks; ++i) {
    if (of(i)[0] == of(0)[0] && of(i)[1] == of(0)[1]) continue;
    const auto other = static_cast<Rank>(i);
    const std::string first = share_text(world, text, 0, of(0)[1]);
    const std::string second = share_text(world, text, other, of(i)[1]);
    throw internal::JobError(ErrorCode::kComm,
                             fmt::format("ranks 0 and {} have different {}: {}", other, what,
                                         first_difference(first, second, other)));
  }
}

bool is_under_mpirun() {
  if (const char* size = std::getenv("OMPI_COMM_WORLD_SIZE"))
    return parse_int(size).value_or(1) > 1;
  return std::getenv("PMIX_RANK") != nullptr;  // srun and other launchers
}

void run_world(const WorldOptions& options, const std::function<void(Communicator&)>& body) {
  require(options.timeout_seconds >= 0, "a timeout of {} s is asked for; 0 waits for ever",
          options.timeout_seconds);
  if (options.backend == "local") {
    require(options.ranks >= 1 && options.ranks <= kMostRanks,
            "{} local ranks are asked for; 1 to {} can be", options.ranks, kMostRanks);
    internal::run_local(options, body);
  } else if (options.backend == "single") {
    require(options.ranks == 1, "{} ranks are asked for of the backend 'single', which is one",
            options.ranks);
    internal::run_single(options, body);
  } else if (options.backend == "mpi") {
    require(options.ranks >= 0, "{} ranks are asked for", options.ranks);
    internal::run_mpi(options, body);
  } else {
    fail(ErrorCode::kUnsupported, "there is no backend '{}'; known: local, mpi, single",
         printable(options.backend));
  }
}

}  // namespace tessera
