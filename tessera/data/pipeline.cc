#include "tessera/data/pipeline.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tessera/base/random.h"
#include "tessera/data/reading/reading.h"

namespace tessera {

using Plan = internal::ReadPlan;

std::vector<int64_t> shuffled_rows(int64_t rows, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  SplitMix64 numbers(seed);
  for (uint64_t i = order.size(); i-- > 1;) {
    __extension__ using Wide = unsigned __int128;
    const auto place = static_cast<Wide>(numbers.next()) * (i + 1) >> 64;
    std::swap(order[i], order[static_cast<size_t>(place)]);
  }
  return order;
}

std::string reading_error(const RowSource& source, int64_t index) {
  try {
    source.row(index);
  } catch (const Error& error) {
    return internal::headline(error);
  }
  return "";
}

Pipeline::Pipeline(std::shared_ptr<const RowSource> source, BadRows bad) {
  Plan plan;
  plan.source = std::move(source);
  plan.bad = bad;
  plan.read_first();
  plan.bind();
  plan_ = std::make_shared<const Plan>(std::move(plan));
}
Pipeline::Pipeline(Plan plan) : plan_(std::make_shared<const Plan>(std::move(plan))) {}
Pipeline::Pipeline(const Pipeline& other) : plan_(other.plan_) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(const Pipeline& other) {
  if (this != &other) *this = Pipeline(other);
  return *this;
}
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

Plan Pipeline::change() const {
  return *plan_;
}

Pipeline Pipeline::map(std::string_view transforms) const {
  return map(parse_transforms(transforms));
}

Pipeline Pipeline::map(std::span<const Transform> transforms) const {
  Plan plan = change();
  plan.transforms.insert(plan.transforms.end(), transforms.begin(), transforms.end());
  plan.bind();
  return Pipeline(std::move(plan));
}

Pipeline Pipeline::shuffle(uint64_t seed) const {
  Plan plan = change();
  plan.order =
      std::make_shared<const std::vector<int64_t>>(shuffled_rows(plan.source->size(), seed));
  plan.seed = seed;
  return Pipeline(std::move(plan));
}

Pipeline Pipeline::epoch(int64_t epoch) const {
  return plan_->order == nullptr ? *this : shuffle(plan_->seed + static_cast<uint64_t>(epoch));
}

Pipeline Pipeline::skip(int64_t batches) const {
  require(batches >= 0, "{} batches cannot be left out", batches);
  Plan plan = change();
  plan.skipped += batches * plan.batch_rows;
  return Pipeline(std::move(plan));
}

Pipeline Pipeline::limit(int64_t rows) const {
  require(rows >= 0, "a limit of {} rows was asked for", rows);
  Plan plan = change();
  plan.limit = rows;
  return Pipeline(std::move(plan));
}

Pipeline Pipeline::batch(int64_t rows, bool drop_remainder) const {
  require(rows >= 1, "a batch has at least 1 row, {} were asked for", rows);
  Plan plan = change();
  plan.batch_rows = std::min(rows, std::max<int64_t>(1, plan.source->size() + 1));
  plan.drop_remainder = drop_remainder;
  return Pipeline(std::move(plan));
}

Pipeline Pipeline::part(int64_t index, int64_t count, int64_t pieces) const {
  require(count >= 1 && index >= 0 && index < count, "there is no part {} of {}", index, count);
  Plan plan = change();
  const int64_t rows = std::min(plan.batch_rows, std::max<int64_t>(1, plan.row_count()));
  const int64_t last = plan.row_count() % rows;
  require(pieces >= 1 && (pieces == 1 || (rows % pieces == 0 && last % pieces == 0)),
          "batches of {} rows, the last of {}, do not divide into {} equal pieces", rows,
          last == 0 ? rows : last, pieces);
  plan.part_index = index;
  plan.part_count = count;
  plan.pieces = pieces;
  return Pipeline(std::move(plan));
}

Pipeline Pipeline::prefetch(int batches) const {
  require(batches >= 0, "a prefetch of {} batches was asked for", batches);
  Plan plan = change();
  plan.prefetch = batches;
  return Pipeline(std::move(plan));
}

Pipeline Pipeline::threads(int count) const {
  require(count >= 1, "{} threads were asked for", count);
  Plan plan = change();
  plan.threads = count;
  return Pipeline(std::move(plan));
}

const RowSource& Pipeline::source() const {
  return *plan_->source;
}
std::span<const Transform> Pipeline::transforms() const {
  return plan_->transforms;
}
RowType Pipeline::row_type() const {
  require(plan_->chain != nullptr, "{} has no rows", plan_->source->name());
  return plan_->chain->result();
}
int64_t Pipeline::source_index(int64_t row) const {
  return plan_->source_index(row);
}
int64_t Pipeline::source_index(const Batch& batch, int64_t row) const {
  return plan_->source_index(batch.first_row + plan_->place_in(batch, row));
}
int64_t Pipeline::row_count() const {
  return plan_->row_count();
}
int64_t Pipeline::batch_count() const {
  return plan_->batch_count();
}

int64_t Pipeline::batch_rows() const {
  return std::min(plan_->batch_rows, plan_->row_count());
}

void Pipeline::start() {
  if (!reading_) reading_ = std::make_unique<internal::Reading>(plan_);
}

std::optional<Batch> Pipeline::next() {
  start();
  return reading_->next();
}

void Pipeline::rewind() {
  reading_.reset();
}

}  // namespace tessera
