#include "tessera/reshard/compare_sources.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/reshard/internal/compare_values.h"
#include "tessera/reshard/internal/idle.h"
#include "tessera/reshard/internal/slabs.h"
#include "tessera/reshard/internal/stream.h"

namespace tessera {
namespace {

using internal::SlabGrid;
using internal::SlabItem;
using internal::Stream;

/// A tensor that both have, by the indices of its records.
struct Pair {
  uint32_t a = 0;
  uint32_t b = 0;
  ValueDifference values;
};

bool is_complex(DType dtype) {
  return dtype == DType::kC64 || dtype == DType::kC128;
}

bool can_compare(const Record& a, const Record& b) {
  if (a.kind != RecordKind::kTensor || b.kind != RecordKind::kTensor || a.shape != b.shape)
    return false;
  return a.dtype == b.dtype || (!is_complex(a.dtype) && !is_complex(b.dtype) &&
                                a.dtype != DType::kI4x2 && b.dtype != DType::kI4x2);
}

/// One of the two checkpoints, with a plan for what is compared of it.
class Side {
 public:
  Side(const Source& source, const std::vector<bool>& is_wanted, const PlanOptions& options)
      : source_(source), destination_(whole_destination(source.catalog())) {
    std::erase_if(destination_.ranks[0],
                  [&](const Holding& holding) { return !is_wanted[holding.record]; });
    plan_ = plan_reshard(source, destination_, options);
    verify(plan_, source, destination_);
    stream_ = std::make_unique<Stream>(source, destination_, plan_, nullptr);
  }

  const Record& record(uint32_t index) const { return source_.catalog().records[index]; }
  const ReshardPlan& plan() const { return plan_; }
  const Stream& stream() const { return *stream_; }

 private:
  const Source& source_;
  Destination destination_;
  ReshardPlan plan_;
  std::unique_ptr<Stream> stream_;
};

/// Streams the pairs' elements from both sides.
class ValueComparer {
 public:
  ValueComparer(const Side& a, const Side& b, std::vector<Pair>& pairs,
                const CompareOptions& options)
      : a_(a), b_(b), pairs_(pairs), options_(options) {
    staging_ = std::min(a.plan().staging, b.plan().staging);
    total_ = a.plan().bytes_needed + a.plan().bytes_compared + b.plan().bytes_needed +
             b.plan().bytes_compared;
  }

  /// Returns the bytes read.
  uint64_t run() {
    const auto extent_of = [&](uint32_t p) {
      return std::optional(internal::SlabExtent{a_.record(pairs_[p].a).shape, width(pairs_[p])});
    };
    const std::vector<SlabItem> items =
        internal::make_items(static_cast<uint32_t>(pairs_.size()), staging_, extent_of);
    const int threads = thread_count(options_.plan.threads);
    parallel_for(items.size(), threads, [&](size_t i) {
      std::unique_ptr<Work> work = idle_.take();
      work->a.counts = work->b.counts = {};
      process(items[i], *work);
      uint64_t bytes = 0;
      for (const internal::StreamCounts& counts : {work->a.counts, work->b.counts})
        bytes += counts.bytes_read + counts.bytes_compared;
      idle_.give_back(std::move(work));
      const std::scoped_lock lock(mutex_);
      done_ += bytes;
      if (options_.progress) options_.progress(done_, std::max(done_, total_));
    });
    return done_;
  }

 private:
  struct Work {
    Stream::Workspace a, b;
  };

  int64_t width(const Pair& pair) const {
    return std::max(byte_size(a_.record(pair.a).dtype), byte_size(b_.record(pair.b).dtype));
  }

  SlabGrid grid(const Pair& pair) const { return {a_.record(pair.a).shape, width(pair), staging_}; }

  void process(const SlabItem& item, Work& work) {
    work.a.wants.clear();
    work.b.wants.clear();
    for (uint32_t p = item.first; p < item.last; ++p) {
      const Shape& shape = a_.record(pairs_[p].a).shape;
      if (element_count(shape) == 0) continue;
      const Box slab = item.is_whole ? whole(shape) : grid(pairs_[p]).box(item.slab);
      work.a.wants.push_back({pairs_[p].a, slab});
      work.b.wants.push_back({pairs_[p].b, slab});
    }
    a_.stream().load(work.a);
    b_.stream().load(work.b);
    std::span<const Stream::Slot> left = work.a.slots, right = work.b.slots;
    for (uint32_t p = item.first; p < item.last; ++p) {
      ValueDifference found;
      const auto of_a = take_slots(left, pairs_[p].a), of_b = take_slots(right, pairs_[p].b);
      for (const Stream::Slot& a : of_a)
        for (const Stream::Slot& b : of_b) compare(a, b, found);
      if (found.differing > 0) merge(found, pairs_[p].values);
    }
  }

  /// The slots of a record, which come next in `slots`.
  static std::span<const Stream::Slot> take_slots(std::span<const Stream::Slot>& slots,
                                                  uint32_t record) {
    size_t count = 0;
    while (count < slots.size() && slots[count].record == record) ++count;
    const auto found = slots.first(count);
    slots = slots.subspan(count);
    return found;
  }

  void compare(const Stream::Slot& a, const Stream::Slot& b, ValueDifference& found) const {
    const Box common = intersect(a.box, b.box);
    if (is_empty(common)) return;
    const Record& record_a = a_.record(a.record);
    const Record& record_b = b_.record(b.record);
    const int64_t width_a = byte_size(record_a.dtype), width_b = byte_size(record_b.dtype);
    for_each_run(a.box, b.box, common, [&](int64_t in_a, int64_t in_b, int64_t count) {
      const int64_t beyond = internal::compare_run(
          {record_a.dtype, a.memory.data() + in_a * width_a},
          {record_b.dtype, b.memory.data() + in_b * width_b}, count, options_.tolerance, found);
      if (beyond < 0) return;
      const int64_t index = index_of(in_a + beyond, a.box, record_a.shape);
      if (found.first_beyond < 0 || index < found.first_beyond) found.first_beyond = index;
    });
  }

  /// The row-major index in `global` of an element of a box.
  static int64_t index_of(int64_t in_box, const Box& box, const Shape& global) {
    int64_t index = 0, stride = 1;
    for (size_t d = global.size(); d-- > 0;) {
      index += (box.begin[d] + in_box % box.size[d]) * stride;
      in_box /= box.size[d];
      stride *= global[d];
    }
    return index;
  }

  void merge(const ValueDifference& found, ValueDifference& all) {
    const std::scoped_lock lock(mutex_);
    all.differing += found.differing;
    all.beyond += found.beyond;
    all.largest_absolute = std::max(all.largest_absolute, found.largest_absolute);
    all.largest_relative = std::max(all.largest_relative, found.largest_relative);
    if (found.first_beyond >= 0 && (all.first_beyond < 0 || found.first_beyond < all.first_beyond))
      all.first_beyond = found.first_beyond;
  }

  const Side& a_;
  const Side& b_;
  std::vector<Pair>& pairs_;
  const CompareOptions& options_;
  uint64_t staging_ = 0;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  std::mutex mutex_;
  internal::Idle<Work> idle_;
};

Tensor part_of(const Source& source, const Record& part) {
  return load_record(source.checkpoint, part);
}

/// Strings and maps, which are small or read part by part.
bool is_equal_other(const Source& a, const Record& in_a, const Source& b, const Record& in_b) {
  if (in_a.kind != in_b.kind) return false;
  if (in_a.kind == RecordKind::kString)
    return read_string(a.checkpoint, in_a) == read_string(b.checkpoint, in_b);
  if (in_a.kind != RecordKind::kMap || in_a.parts.size() != in_b.parts.size()) return false;
  for (size_t i = 0; i < in_a.parts.size(); ++i) {
    const Record& p = in_a.parts[i];
    const Record& q = in_b.parts[i];
    if (p.name != q.name || p.dtype != q.dtype || p.shape != q.shape) return false;
    const Tensor x = part_of(a, p), y = part_of(b, q);
    const auto left = x.bytes(), right = y.bytes();
    if (!std::equal(left.begin(), left.end(), right.begin(), right.end())) return false;
  }
  return true;
}

Shape index_in(const Shape& shape, int64_t index) {
  Shape found(shape.size(), 0);
  for (size_t d = shape.size(); d-- > 0;) {
    found[d] = index % shape[d];
    index /= shape[d];
  }
  return found;
}

Difference difference_of(const Record* a, const Record* b) {
  Difference found;
  found.name = a != nullptr ? a->name : b->name;
  if (a != nullptr) found.a = describe(*a);
  if (b != nullptr) found.b = describe(*b);
  return found;
}

/// What one tensor that was compared adds to the result.
void add_pair(const Pair& pair, const Record& a, const Record& b, Comparison& result) {
  const bool has_equal_dtypes = a.dtype == b.dtype;
  if (pair.values.differing == 0 && has_equal_dtypes) {
    ++result.equal;
    return;
  }
  Difference found = difference_of(&a, &b);
  found.has_values = true;
  found.elements = element_count(a.shape);
  found.values = pair.values;
  if (pair.values.first_beyond >= 0) found.first = index_in(a.shape, pair.values.first_beyond);
  const bool is_close = has_equal_dtypes && pair.values.beyond == 0;
  (is_close ? result.close : result.differences).push_back(std::move(found));
}

/// What is lost has no values, and often no known shape, that could be compared.
void require_whole(const Source& source) {
  for (size_t r = 0; r < source.lost.size(); ++r)
    if (!source.lost[r].empty())
      fail(ErrorCode::kNotFound, "parts of '{}' in {} are lost: {}",
           printable(source.catalog().records[r].name), describe_files(source.checkpoint),
           source.lost[r]);
}

}  // namespace

Comparison compare_sources(const Source& a, const Source& b, const CompareOptions& options) {
  const auto& in_a = a.catalog().records;
  const auto& in_b = b.catalog().records;
  require_whole(a);
  require_whole(b);
  std::vector<Pair> pairs;
  std::vector<bool> wants_a(in_a.size(), false), wants_b(in_b.size(), false);
  for (uint32_t r = 0; r < in_a.size(); ++r) {
    const auto other = b.catalog().index_of(in_a[r].name);
    if (!other || !can_compare(in_a[r], in_b[*other])) continue;
    wants_a[r] = wants_b[*other] = true;
    pairs.push_back({r, static_cast<uint32_t>(*other), {}});
  }
  PlanOptions half = options.plan;
  half.memory = std::max<uint64_t>(options.plan.memory / 2, 1);
  const Side left(a, wants_a, half), right(b, wants_b, half);

  Comparison result;
  result.bytes_read = ValueComparer(left, right, pairs, options).run();
  size_t next = 0;
  for (uint32_t r = 0; r < in_a.size(); ++r) {
    if (wants_a[r]) {
      const Pair& pair = pairs[next++];
      add_pair(pair, in_a[r], in_b[pair.b], result);
      continue;
    }
    const Record* other = b.catalog().find(in_a[r].name);
    if (other != nullptr && is_equal_other(a, in_a[r], b, *other)) {
      ++result.equal;
    } else {
      result.differences.push_back(difference_of(&in_a[r], other));
    }
  }
  for (const Record& record : in_b)
    if (a.catalog().find(record.name) == nullptr)
      result.differences.push_back(difference_of(nullptr, &record));
  return result;
}

}  // namespace tessera
