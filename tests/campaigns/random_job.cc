#include "tests/campaigns/random_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace tessera::testing {
namespace {

constexpr ElementType kTypes[] = {
    {"Bool", "BOOL", 1},   {"Int8", "I8", 1},     {"UInt8", "U8", 1},      {"Int16", "I16", 2},
    {"UInt16", "U16", 2},  {"Int32", "I32", 4},   {"UInt32", "U32", 4},    {"Int64", "I64", 8},
    {"UInt64", "U64", 8},  {"Float16", "F16", 2}, {"BFloat16", "BF16", 2}, {"Float32", "F32", 4},
    {"Float64", "F64", 8},
};
constexpr int64_t kMostElements = 400;

int product(const std::vector<int>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 1, std::multiplies<>());
}

std::vector<int> divisors(int number) {
  std::vector<int> found;
  for (int d = 1; d <= number; ++d)
    if (number % d == 0) found.push_back(d);
  return found;
}

/// Some device matrix of `count` devices; axes of size 1 occur.
std::vector<int> random_matrix(Random& random, int count) {
  std::vector<int> matrix;
  while (count > 1) {
    const std::vector<int> known = divisors(count);
    const int size = known[1 + below(random, known.size() - 1)];
    matrix.push_back(size);
    count /= size;
  }
  if (matrix.empty() || chance(random, 10))
    matrix.insert(matrix.begin() + static_cast<std::ptrdiff_t>(below(random, matrix.size() + 1)),
                  1);
  std::shuffle(matrix.begin(), matrix.end(), random);
  return matrix;
}

std::vector<int> unused_axes(const Cut& cut) {
  std::vector<int> unused;
  for (int a = 0; a < static_cast<int>(cut.matrix.size()); ++a) {
    bool is_used = cut.matrix[static_cast<size_t>(a)] == 1;
    for (const auto& dim : cut.dims)
      is_used = is_used || std::find(dim.begin(), dim.end(), a) != dim.end();
    if (!is_used) unused.push_back(a);
  }
  return unused;
}

/// Optimizer sharding whose chunks are whole axes, from the right, and a divisor of one more.
void add_optimizer(Random& random, Cut& cut) {
  const std::vector<int> unused = unused_axes(cut);
  if (unused.empty()) return;
  int size = 1;
  size_t left = unused.size();
  while (left > 0 && (size == 1 || chance(random, 50))) {
    const int axis = cut.matrix[static_cast<size_t>(unused[--left])];
    const std::vector<int> known = divisors(axis);
    const int part = known[below(random, known.size())];
    size *= part;
    if (part != axis) break;
  }
  if (size == 1) return;
  int all = 1;
  for (const int a : unused) all *= cut.matrix[static_cast<size_t>(a)];
  cut.optimizer_size = size == all && chance(random, 50) ? -1 : size;
  if (unused.size() == 1 && chance(random, 50)) {
    cut.optimizer_step = 1;
    for (size_t a = static_cast<size_t>(unused[0]) + 1; a < cut.matrix.size(); ++a)
      cut.optimizer_step *= cut.matrix[a];
  }
}

/// Rows of random extents for the parts of dim 0.
void add_rows(Random& random, const std::vector<int64_t>& shape, Cut& cut) {
  int first = 1, others = 1;
  for (size_t d = 0; d < cut.dims.size(); ++d)
    for (const int a : cut.dims[d]) (d == 0 ? first : others) *= cut.matrix[static_cast<size_t>(a)];
  std::vector<int64_t> ends{shape[0]};
  for (int i = 1; i < first; ++i)
    ends.push_back(static_cast<int64_t>(below(random, static_cast<size_t>(shape[0]) + 1)));
  std::sort(ends.begin(), ends.end());
  for (size_t i = 0; i < ends.size(); ++i)
    cut.rows.insert(cut.rows.end(), static_cast<size_t>(others),
                    ends[i] - (i > 0 ? ends[i - 1] : 0));
}

Cut random_cut(Random& random, const std::vector<int64_t>& shape, int places) {
  Cut cut;
  cut.dims.resize(shape.size());
  if (chance(random, 5)) {  // whole, on however many ranks
    cut.matrix = {1};
    return cut;
  }
  cut.matrix = random_matrix(random, places);
  if (shape.empty()) return cut;
  std::vector<int> axes(cut.matrix.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::shuffle(axes.begin(), axes.end(), random);  // so that nested dims have any order
  for (const int axis : axes)
    if (chance(random, 70)) cut.dims[below(random, shape.size())].push_back(axis);
  if (chance(random, 30)) add_optimizer(random, cut);
  if (chance(random, 6) && product(cut.matrix) > 1) add_rows(random, shape, cut);
  return cut;
}

TensorSpec random_tensor(Random& random, size_t number, bool may_be_empty) {
  constexpr int64_t kExtents[] = {1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 8, 12, 16, 24, 32, 64};
  TensorSpec tensor;
  tensor.name = fmt::format("net.{}w{}", chance(random, 10) ? "0-" : "", number);
  tensor.type = &kTypes[below(random, std::size(kTypes))];
  tensor.salt = random();
  tensor.shape.resize(chance(random, 6) ? 0 : 1 + below(random, 5));
  int64_t count = 1;
  for (int64_t& extent : tensor.shape) {
    extent = kExtents[below(random, std::size(kExtents))];
    if (count * extent > kMostElements) extent = 1;
    count *= extent;
  }
  if (may_be_empty && !tensor.shape.empty() && chance(random, 3))
    tensor.shape[below(random, tensor.shape.size())] = 0;
  std::shuffle(tensor.shape.begin(), tensor.shape.end(), random);
  return tensor;
}

int random_rank_count(Random& random) {
  constexpr int kMost[] = {1, 2, 4, 4, 8, 8, 8, 12, 16, 16, 32, 64};
  return 1 + static_cast<int>(below(random, static_cast<size_t>(kMost[below(random, 12)])));
}

Side random_side(Random& random, const std::vector<TensorSpec>& tensors) {
  Side side;
  const int ranks = random_rank_count(random);
  if (chance(random, 30)) {
    const std::vector<int> known = divisors(ranks);
    side.stages = known[below(random, known.size())];
    if (side.stages > 4) side.stages = 1;
  }
  side.per_stage = ranks / side.stages;
  side.has_strategy = side.stages > 1 || !chance(random, 8);
  const auto stages = static_cast<size_t>(side.stages);
  side.cuts.resize(tensors.size(), std::vector<std::optional<Cut>>(stages));
  side.unnamed_stages.resize(tensors.size(), std::vector<bool>(stages, true));
  if (!side.has_strategy) return side;
  for (size_t t = 0; t < tensors.size(); ++t) {
    // Each stage names something: the strategy would not be complete without.
    if (t >= stages && chance(random, 12)) {
      for (size_t s = 0; s < stages; ++s) side.unnamed_stages[t][s] = chance(random, 50);
      side.unnamed_stages[t][below(random, stages)] = true;
      continue;
    }
    const size_t home = t < stages ? t : below(random, stages);
    side.cuts[t][home] = random_cut(random, tensors[t].shape, side.per_stage);
    for (size_t s = 0; s < stages; ++s)
      if (s != home && chance(random, 10))
        side.cuts[t][s] = chance(random, 50) ? side.cuts[t][home]
                                             : random_cut(random, tensors[t].shape, side.per_stage);
  }
  return side;
}

}  // namespace

size_t below(Random& random, size_t bound) {
  return bound == 0 ? 0 : static_cast<size_t>(random() % bound);
}

bool chance(Random& random, int percent) {
  return below(random, 100) < static_cast<size_t>(percent);
}

int64_t TensorSpec::count() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::string TensorSpec::element(int64_t index) const {
  uint64_t bits = salt + static_cast<uint64_t>(index) * 0x9E3779B97F4A7C15U;
  bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ bits >> 27) * 0x94D049BB133111EBU;
  bits ^= bits >> 31;
  if (std::string_view(type->ckpt) == "Bool") bits &= 1;
  if (std::string_view(type->ckpt) == "BFloat16") bits &= 0xBFFF;  // a finite number
  return {reinterpret_cast<const char*>(&bits), static_cast<size_t>(type->width)};
}

bool Side::is_named(size_t tensor) const {
  return std::any_of(cuts[tensor].begin(), cuts[tensor].end(),
                     [](const auto& cut) { return cut.has_value(); });
}

Job random_job(Random& random, bool may_be_empty) {
  Job job;
  const size_t count = 1 + below(random, 5);
  for (size_t t = 0; t < count + 3; ++t)
    job.tensors.push_back(random_tensor(random, t, may_be_empty));
  job.from = random_side(random, job.tensors);
  job.to = random_side(random, job.tensors);
  // What the wanted strategy does not name goes to every rank.
  for (auto& stages : job.to.unnamed_stages) stages.assign(stages.size(), true);
  // As many tensors as asked for, but one for each stage at least.
  const size_t kept =
      std::max<size_t>(count, static_cast<size_t>(std::max(job.from.stages, job.to.stages)));
  job.tensors.resize(kept);
  for (Side* side : {&job.from, &job.to}) {
    side->cuts.resize(kept);
    side->unnamed_stages.resize(kept);
  }
  return job;
}

std::vector<Range> ranges_of(const Cut& cut, const TensorSpec& tensor, int place) {
  const size_t ndim = tensor.shape.size();
  const int devices = product(cut.matrix);
  // The part of each dim that a device has.
  const auto parts_of = [&](int device) {
    std::vector<int> at(cut.matrix.size());
    for (size_t a = cut.matrix.size(); a-- > 0; device /= cut.matrix[a])
      at[a] = device % cut.matrix[a];
    std::vector<int64_t> parts(ndim, 0);
    for (size_t d = 0; d < ndim; ++d)
      for (const int a : cut.dims[d])
        parts[d] = parts[d] * cut.matrix[static_cast<size_t>(a)] + at[static_cast<size_t>(a)];
    return parts;
  };
  const std::vector<int64_t> part = parts_of(place % devices);
  std::vector<int64_t> count(ndim, 1);
  for (size_t d = 0; d < ndim; ++d)
    for (const int a : cut.dims[d]) count[d] *= cut.matrix[static_cast<size_t>(a)];

  std::vector<Range> ranges(ndim);
  for (size_t d = 0; d < ndim; ++d)
    ranges[d] = {tensor.shape[d] * part[d] / count[d], tensor.shape[d] * (part[d] + 1) / count[d]};
  int64_t inner = 1, position = 0;
  if (cut.optimizer_size != 0) {
    std::vector<int> group;
    for (int device = 0; device < devices; ++device)
      if (parts_of(device) == part) group.push_back(device);
    inner = cut.optimizer_size > 0 ? cut.optimizer_size : static_cast<int64_t>(group.size());
    position = (std::find(group.begin(), group.end(), place % devices) - group.begin()) % inner;
  }
  if (!cut.rows.empty()) {
    const size_t others = cut.rows.size() / static_cast<size_t>(count[0]);
    int64_t begin = 0;
    for (size_t i = 0; i < static_cast<size_t>(part[0]); ++i) begin += cut.rows[i * others];
    const int64_t rows = cut.rows[static_cast<size_t>(part[0]) * others];
    ranges[0] = {begin + rows * position / inner, begin + rows * (position + 1) / inner};
  } else if (inner > 1) {
    const int64_t number = part[0] * inner + position, all = count[0] * inner;
    ranges[0] = {tensor.shape[0] * number / all, tensor.shape[0] * (number + 1) / all};
  }
  return ranges;
}

std::optional<std::vector<int64_t>> elements_of(const Side& side, const Job& job, size_t tensor,
                                                int rank, std::vector<int64_t>& shape) {
  const TensorSpec& spec = job.tensors[tensor];
  const auto stage = static_cast<size_t>(rank / side.per_stage);
  std::vector<Range> ranges;
  if (side.cuts[tensor][stage]) {
    ranges = ranges_of(*side.cuts[tensor][stage], spec, rank % side.per_stage);
  } else {
    if (side.is_named(tensor) || !side.unnamed_stages[tensor][stage]) return {};
    for (const int64_t extent : spec.shape) ranges.push_back({0, extent});
  }
  shape.clear();
  for (const Range& range : ranges) shape.push_back(range.end - range.begin);
  std::vector<int64_t> elements;
  for (int64_t e = 0; e < spec.count(); ++e) {
    bool is_inside = true;
    int64_t rest = e;
    for (size_t d = spec.shape.size(); d-- > 0; rest /= spec.shape[d]) {
      const int64_t at = rest % spec.shape[d];
      is_inside = is_inside && at >= ranges[d].begin && at < ranges[d].end;
    }
    if (is_inside) elements.push_back(e);
  }
  return elements;
}

std::string describe(const Job& job) {
  std::string text;
  for (const TensorSpec& tensor : job.tensors)
    text += fmt::format("  {} {}{}\n", tensor.name, tensor.type->ckpt, tensor.shape);
  for (const Side* side : {&job.from, &job.to}) {
    text += fmt::format("  {}: {} stages of {} ranks{}\n", side == &job.from ? "from" : "to",
                        side->stages, side->per_stage, side->has_strategy ? "" : ", no strategy");
    for (size_t t = 0; t < job.tensors.size(); ++t)
      for (size_t s = 0; s < side->cuts[t].size(); ++s)
        if (const auto& cut = side->cuts[t][s])
          text += fmt::format("    {} in stage {}: devices {} dims {} optimizer {} rows {}\n",
                              job.tensors[t].name, s, cut->matrix, cut->dims, cut->optimizer_size,
                              cut->rows);
  }
  return text;
}

}  // namespace tessera::testing
