#include "tessera/data/pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "tessera/base/parallel.h"
#include "tessera/base/random.h"
#include "tessera/data/internal/row_chain.h"
#include "tessera/data/internal/spare_buffers.h"

namespace tessera {

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

struct Pipeline::Plan {
  std::shared_ptr<const RowSource> source;
  std::vector<Transform> transforms;
  std::optional<int64_t> limit;
  int64_t batch_rows = 1;
  bool drop_remainder = false;
  int64_t part_index = 0;  // of each batch
  int64_t part_count = 1;
  int64_t pieces = 1;  // of each batch, of each of which the part is
  std::optional<int> prefetch;
  int threads = default_thread_count();
  BadRows bad = BadRows::kThrow;
  std::optional<RowType> first;                       // of the first row; none of an empty source
  std::shared_ptr<const internal::RowChain> chain;    // null for an empty source
  std::shared_ptr<const std::vector<int64_t>> order;  // null: the source's order
  int64_t skipped = 0;                                // rows of the order
  uint64_t seed = 0;                                  // of the order

  void read_first();
  void bind() {
    if (first) chain = std::make_shared<internal::RowChain>(transforms, *first);
  }
  int64_t source_index(int64_t row) const {
    row += skipped;
    return order ? (*order)[static_cast<size_t>(row)] : row;
  }
  int64_t batches_ahead() const {
    if (prefetch) return *prefetch;
    constexpr int64_t kSmallBytes = int64_t{16} << 20;
    constexpr int64_t kMostSmall = 32;
    const int64_t batch_bytes = batch_rows * (chain ? chain->result().byte_count() : 1);
    return std::max({int64_t{2}, (2 * int64_t{threads} + batch_rows - 1) / batch_rows,
                     std::min(kMostSmall, kSmallBytes / std::max<int64_t>(1, batch_bytes))});
  }
  /// How many rows a thread takes at a time: as many as amount to something, at least one.
  int64_t part_rows() const {
    constexpr int64_t kPartBytes = 1 << 18;
    constexpr int64_t kMostRows = 64;
    const int64_t bytes =
        chain ? std::max(chain->source().byte_count(), chain->result().byte_count()) : 1;
    return std::clamp<int64_t>(kPartBytes / std::max<int64_t>(bytes, 1), 1, kMostRows);
  }
  /// The first row of a part of a piece of so many rows.
  int64_t cut(int64_t piece_rows, int64_t part) const { return piece_rows * part / part_count; }
  /// How far behind a batch's first_row its row number `row` is.
  int64_t place_in(const Batch& batch, int64_t row) const {
    if (pieces == 1) return row;
    const int64_t here = batch.rows / pieces;
    return row / here * (batch.all_rows / pieces) + row % here;
  }
  int64_t row_count() const {
    const int64_t all = std::min(source->size(), limit.value_or(source->size()));
    const int64_t rows = std::max<int64_t>(0, all - skipped);
    return drop_remainder ? rows / batch_rows * batch_rows : rows;
  }
  int64_t batch_count() const { return (row_count() + batch_rows - 1) / batch_rows; }
};

namespace {

/// The message without the lines of what the program was doing.
std::string headline(const Error& error) {
  const std::string_view message = error.what();
  return std::string(message.substr(0, message.find('\n')));
}

}  // namespace

std::string reading_error(const RowSource& source, int64_t index) {
  try {
    source.row(index);
  } catch (const Error& error) {
    return headline(error);
  }
  return "";
}

void Pipeline::Plan::read_first() {
  std::string reason;
  for (int64_t i = 0; i < source->size(); ++i) {
    const ErrorContext context(
        [&] { return fmt::format("reading {} of {}", source->row_name(i), source->name()); });
    try {
      const Tensor row = source->row(i).data;
      first = RowType{row.dtype(), row.shape()};
      return;
    } catch (const Error& error) {
      if (bad == BadRows::kThrow || error.code() == ErrorCode::kInternal) throw;
      if (reason.empty()) reason = headline(error);
    }
  }
  if (!reason.empty())
    fail(ErrorCode::kCorruptData, "none of the {} rows of {} can be read; the first: {}",
         source->size(), source->name(), reason);
}

/// One reading from the first batch on. Batches are cut into parts of part_rows_ rows; the threads
/// take parts in order, and wait while enough batches are ready or under way.
class Pipeline::Run {
 public:
  explicit Run(std::shared_ptr<const Plan> plan);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::optional<Batch> next();

 private:
  struct Slot {
    Batch batch;
    int64_t parts_left = 0;
  };
  struct Part {
    Slot* slot;
    int64_t begin;  // rows of the batch
    int64_t end;
  };
  /// What a thread keeps from row to row.
  struct Worker {
    internal::RowChain::Scratch scratch;
    std::optional<internal::RowChain> chain;  // for the last row that was unlike the first
  };

  Slot make_slot(int64_t batch);
  void fill(Batch& batch, int64_t begin, int64_t end, Worker& worker);
  void fill_row(Batch& batch, int64_t row, Worker& worker);
  std::optional<Row> read_row(Batch& batch, int64_t index, Worker& worker);
  const internal::RowChain& chain_for(const RowType& type, Worker& worker) const;
  std::optional<Batch> next_without_threads();
  void work();
  std::optional<Part> take_part(std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<const Plan> plan_;
  const int64_t batches_;
  const int64_t ahead_;      // how many batches may wait
  const int64_t part_rows_;  // that a thread takes

  internal::SpareBuffers spare_;  // for the data of batches; under mutex_
  std::mutex bad_mutex_;          // of the lists of bad rows
  std::mutex mutex_;
  std::condition_variable room_;             // a batch left, or the end
  std::condition_variable ready_;            // a batch is complete, or an error
  std::deque<std::unique_ptr<Slot>> slots_;  // batches head_ … of which parts were taken
  int64_t head_ = 0;                         // the batch that next() gives
  int64_t taking_ = 0;                       // the batch whose parts are taken
  int64_t taken_rows_ = 0;                   // of it
  bool stopped_ = false;
  std::exception_ptr error_;  // of the first batch that has one
  int64_t error_batch_ = 0;
  std::vector<std::jthread> pool_;  // last: joined before the rest goes
};

Pipeline::Run::Run(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)),
      batches_(plan_->batch_count()),
      ahead_(plan_->batches_ahead()),
      part_rows_(plan_->part_rows()),
      spare_(static_cast<size_t>(ahead_) + 2, INT64_MAX) {
  if (ahead_ == 0) return;
  const int64_t parts = (plan_->row_count() + part_rows_ - 1) / part_rows_ + batches_;
  const int64_t threads = std::min<int64_t>(plan_->threads, parts);
  for (int64_t i = 0; i < threads; ++i) pool_.emplace_back([this] { work(); });
}

Pipeline::Run::~Run() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  room_.notify_all();
}

Pipeline::Run::Slot Pipeline::Run::make_slot(int64_t batch) {
  Slot slot;
  const int64_t first = batch * plan_->batch_rows;
  slot.batch.all_rows = std::min(plan_->batch_rows, plan_->row_count() - first);
  const int64_t piece = slot.batch.all_rows / plan_->pieces;
  slot.batch.first_row = first + plan_->cut(piece, plan_->part_index);
  slot.batch.rows = plan_->pieces * (plan_->cut(piece, plan_->part_index + 1) -
                                     plan_->cut(piece, plan_->part_index));
  const RowType& row = plan_->chain->result();
  Shape shape = row.shape;
  shape.insert(0, slot.batch.rows);
  slot.batch.data = spare_.tensor(row.dtype, shape);
  slot.batch.labels = Tensor(DType::kI32, {slot.batch.rows});
  slot.parts_left = std::max<int64_t>(1, (slot.batch.rows + part_rows_ - 1) / part_rows_);
  return slot;
}

/// The transforms for rows of `type`. Pictures differ in size; often the next is like the last.
const internal::RowChain& Pipeline::Run::chain_for(const RowType& type, Worker& worker) const {
  if (type == plan_->chain->source()) return *plan_->chain;
  if (!worker.chain || !(worker.chain->source() == type))
    worker.chain.emplace(plan_->transforms, type);
  return *worker.chain;
}

/// The row, or nothing where it cannot be read and is to be left out: then `batch` says so.
std::optional<Row> Pipeline::Run::read_row(Batch& batch, int64_t index, Worker& worker) {
  try {
    Row row = plan_->source->row_part(
        index, [&](const RowType& type) { return chain_for(type, worker).needed(); });
    chain_for({row.data.dtype(), row.data.shape()}, worker);  // its size may not fit a transform
    return row;
  } catch (const Error& error) {
    if (plan_->bad == BadRows::kThrow || error.code() == ErrorCode::kInternal) throw;
    const std::scoped_lock lock(bad_mutex_);
    batch.bad.push_back({index, headline(error)});
    return std::nullopt;
  }
}

void Pipeline::Run::fill_row(Batch& batch, int64_t row, Worker& worker) {
  const int64_t index = plan_->source_index(batch.first_row + plan_->place_in(batch, row));
  const ErrorContext context([&] {
    return fmt::format("reading {} of {}", plan_->source->row_name(index), plan_->source->name());
  });
  const std::optional<Row> source = read_row(batch, index, worker);
  const auto bytes = static_cast<size_t>(plan_->chain->result().byte_count());
  const auto out = batch.data.mutable_bytes().subspan(static_cast<size_t>(row) * bytes, bytes);
  batch.labels.mutable_data<int32_t>()[static_cast<size_t>(row)] =
      source ? source->label : kLeftOut;
  if (!source) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return;
  }
  const internal::RowChain& chain = chain_for({source->data.dtype(), source->data.shape()}, worker);
  if (!(chain.result() == plan_->chain->result()))
    fail(ErrorCode::kInvalidArgument,
         "it becomes {}, the first row becomes {}: rows of one batch have one shape, a resize "
         "gives them one",
         to_string(chain.result()), to_string(plan_->chain->result()));
  chain.run(source->data.bytes(), out, worker.scratch);
}

void Pipeline::Run::fill(Batch& batch, int64_t begin, int64_t end, Worker& worker) {
  for (int64_t row = begin; row < end; ++row) fill_row(batch, row, worker);
}

std::optional<Pipeline::Run::Part> Pipeline::Run::take_part(std::unique_lock<std::mutex>& lock) {
  const auto has_room = [&] { return stopped_ || taking_ == batches_ || taking_ < head_ + ahead_; };
  // Who has waited begins again when a half is empty: a thread that wakes takes a processor from
  // who uses the rows, so it wakes seldom and does much.
  if (!has_room())
    room_.wait(lock,
               [&] { return stopped_ || taking_ == batches_ || taking_ <= head_ + ahead_ / 2; });
  if (stopped_ || taking_ == batches_) return std::nullopt;
  if (taken_rows_ == 0) slots_.push_back(std::make_unique<Slot>(make_slot(taking_)));
  Slot& slot = *slots_.back();
  const Part part{&slot, taken_rows_, std::min(taken_rows_ + part_rows_, slot.batch.rows)};
  taken_rows_ = part.end;
  if (taken_rows_ == slot.batch.rows) {
    ++taking_;
    taken_rows_ = 0;
  }
  return part;
}

void Pipeline::Run::work() {
  Worker worker;
  std::unique_lock lock(mutex_);
  int64_t batch = 0;
  try {
    while (true) {
      batch = -1;  // of no part yet
      const auto part = take_part(lock);
      if (!part) return;
      batch = part->slot->batch.first_row / plan_->batch_rows;
      lock.unlock();
      fill(part->slot->batch, part->begin, part->end, worker);
      lock.lock();
      if (--part->slot->parts_left == 0) ready_.notify_one();
    }
  } catch (...) {  // a thread's entry: the error travels to next()
    if (!lock.owns_lock()) lock.lock();
    if (batch < 0) batch = taking_;
    if (!error_ || batch < error_batch_) {
      error_ = std::current_exception();
      error_batch_ = batch;
    }
    stopped_ = true;  // parts are taken in order: the batches before this one still become complete
    room_.notify_all();
    ready_.notify_one();
  }
}

std::optional<Batch> Pipeline::Run::next_without_threads() {
  if (error_) std::rethrow_exception(error_);
  if (head_ == batches_) return std::nullopt;
  Slot slot = make_slot(head_);
  try {
    parallel_for(static_cast<size_t>(slot.parts_left), plan_->threads, [&](size_t part) {
      Worker worker;
      const int64_t begin = static_cast<int64_t>(part) * part_rows_;
      fill(slot.batch, begin, std::min(begin + part_rows_, slot.batch.rows), worker);
    });
  } catch (const Error&) {
    error_ = std::current_exception();
    throw;
  }
  ++head_;
  return std::move(slot.batch);
}

std::optional<Batch> Pipeline::Run::next() {
  if (ahead_ == 0) return next_without_threads();
  std::unique_lock lock(mutex_);
  if (head_ == batches_) return std::nullopt;
  const auto is_ready = [&] { return !slots_.empty() && slots_.front()->parts_left == 0; };
  ready_.wait(lock, [&] { return is_ready() || (error_ && error_batch_ <= head_); });
  if (!is_ready()) std::rethrow_exception(error_);
  Batch batch = std::move(slots_.front()->batch);
  slots_.pop_front();
  ++head_;
  if (taking_ <= head_ + ahead_ / 2) room_.notify_all();
  return batch;
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

Pipeline::Plan Pipeline::change() const {
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
  if (!run_) run_ = std::make_unique<Run>(plan_);
}

std::optional<Batch> Pipeline::next() {
  start();
  return run_->next();
}

void Pipeline::rewind() {
  run_.reset();
}

}  // namespace tessera
