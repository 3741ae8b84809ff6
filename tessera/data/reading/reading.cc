#include "tessera/data/reading/reading.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace tessera::internal {

/// A block under way, or complete and waiting for the reader.
struct Reading::Place {
  std::mutex making;                  // of the four below; who has held it since reads them
  int64_t block = -1;                 // whose these are
  std::vector<Batch> batches;         // until the reader takes them
  std::vector<int64_t> begins;        // of each batch, in rows of the block, and the end
  int64_t rows = 0;                   // none where there was no memory
  std::atomic<int64_t> parts_left;    // of `block`
  std::atomic<int64_t> complete{-1};  // the block whose parts are all made
};

namespace {

int64_t divided_up(int64_t count, int64_t by) {
  return (count + by - 1) / by;
}

/// A thread of the pool that wakes waits for its turn: the reader that woke it goes on, and the
/// program computes on what is ready. Advice only.
void wake_gently() {
  const sched_param parameters{};
  sched_setscheduler(0, SCHED_BATCH, &parameters);
}

}  // namespace

Reading::Reading(std::shared_ptr<const ReadPlan> plan)
    : plan_(std::move(plan)),
      batches_(plan_->batch_count()),
      part_rows_(plan_->part_rows()),
      block_batches_(plan_->block_batches()),
      blocks_(divided_up(batches_, block_batches_)),
      block_parts_(count_parts(0)),
      parts_(std::max<int64_t>(0, blocks_ - 1) * block_parts_ + count_parts(blocks_ - 1)),
      ahead_(plan_->blocks_ahead()),
      filler_(*plan_),
      ring_(static_cast<size_t>(std::min(ahead_, std::max<int64_t>(1, blocks_)))),
      error_batch_(batches_) {
  plan_->spare->keep(ring_.size() + 2);
  if (ahead_ == 0) return;
  for (int64_t i = 0; i < std::min<int64_t>(plan_->threads, parts_); ++i)
    pool_.emplace_back([this] { work(); });
}

Reading::~Reading() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  room_.notify_all();
}

int64_t Reading::count_parts(int64_t block) const {
  if (block < 0 || block >= blocks_) return 0;
  int64_t rows = 0;
  const int64_t first = block * block_batches_;
  for (int64_t i = first; i < std::min(first + block_batches_, batches_); ++i)
    rows += plan_->outline(i).rows;
  return std::max<int64_t>(1, divided_up(rows, part_rows_));
}

void Reading::make_block(Place& place, int64_t block) const {
  constexpr int64_t kAlignment = 64;
  place.block = block;
  place.rows = 0;
  place.parts_left = count_parts(block);
  place.batches.clear();
  place.begins = {0};
  const RowType& row = plan_->chain->result();
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  const int64_t first = block * block_batches_;
  for (int64_t i = first; i < std::min(first + block_batches_, batches_); ++i) {
    place.batches.push_back(plan_->outline(i));
    const int64_t rows = place.batches.back().rows;
    place.begins.push_back(place.begins.back() + rows);
    offsets.push_back(bytes);
    bytes += divided_up(checked_product(rows, row.byte_count()), kAlignment) * kAlignment;
  }
  const std::shared_ptr<Buffer> data = plan_->spare->buffer(bytes);
  const std::shared_ptr<Buffer> labels =
      Buffer::allocate(place.begins.back() * byte_size(DType::kI32));
  Shape shape = row.shape;
  shape.insert(0, 0);
  for (size_t i = 0; i < offsets.size(); ++i) {
    Batch& batch = place.batches[i];
    shape[0] = batch.rows;
    batch.data = Tensor::view(data, offsets[i], row.dtype, shape);
    batch.labels =
        Tensor::view(labels, place.begins[i] * byte_size(DType::kI32), DType::kI32, {batch.rows});
  }
  place.rows = place.begins.back();
}

/// `batch`: where it is, so that an error is known to be of it.
void Reading::fill_rows(Place& place, int64_t part, Worker& worker, int64_t& batch) {
  const int64_t begin = std::min(part * part_rows_, place.rows);
  const int64_t end = std::min(begin + part_rows_, place.rows);
  const int64_t first = place.block * block_batches_;
  const auto behind = std::upper_bound(place.begins.begin(), place.begins.end(), begin);
  auto at = static_cast<size_t>(behind - place.begins.begin()) - 1;
  for (int64_t row = begin; row < end; ++row) {
    while (row >= place.begins[at + 1]) ++at;
    batch = first + static_cast<int64_t>(at);
    filler_.fill(place.batches[at], row - place.begins[at], worker);
  }
}

void Reading::make_part(int64_t part, Worker& worker) {
  const int64_t block = part / block_parts_;
  Place& place = ring_[static_cast<size_t>(block) % ring_.size()];
  int64_t batch = block * block_batches_;
  try {
    {
      const std::scoped_lock lock(place.making);
      if (place.block != block) make_block(place, block);
    }
    fill_rows(place, part % block_parts_, worker, batch);
  } catch (...) {  // a thread's entry: the error travels to next()
    const std::scoped_lock lock(mutex_);
    if (batch < error_batch_) {
      error_ = std::current_exception();
      error_batch_ = batch;
    }
  }
  if (--place.parts_left > 0) return;
  place.complete = block;
  if (!waits_) return;
  { const std::scoped_lock lock(mutex_); }  // the reader sleeps, or has seen it
  ready_.notify_one();
}

/// Whether the ring has room for a part, where it had `fewer` places.
bool Reading::has_room(int64_t part, int64_t fewer) const {
  return part / block_parts_ < taken_ + ahead_ - fewer;
}

/// Whether nobody takes this part any more: behind an error only its own block becomes complete,
/// in which batches before it may lie.
bool Reading::is_behind(int64_t part) const {
  return stopped_ || part >= parts_ || part / block_parts_ > error_batch_ / block_batches_;
}

/// Who has waited for room begins again when a half is empty: a thread that wakes takes a processor
/// from who uses the rows, so it wakes seldom and does much.
bool Reading::has_much_room() const {
  return has_room(next_part_, ahead_ - ahead_ / 2 - 1);
}

void Reading::work() {
  wake_gently();
  Worker worker;
  ++at_work_;
  while (true) {
    int64_t part = next_part_;
    if (is_behind(part)) return;
    if (has_room(part, 0)) {
      if (next_part_.compare_exchange_weak(part, part + 1)) make_part(part, worker);
      continue;
    }
    --at_work_;
    {
      std::unique_lock lock(mutex_);
      ++sleepers_;
      room_.wait(lock, [&] { return is_behind(next_part_) || has_much_room(); });
      --sleepers_;
    }
    ++at_work_;
    if (sleepers_ > 0) room_.notify_one();  // the reader wakes one only
  }
}

bool Reading::is_complete(int64_t block) const {
  return ring_[static_cast<size_t>(block) % ring_.size()].complete == block;
}

/// Makes what is left of a block that the reader wants now, while the threads do not yet: a thread
/// takes time to begin and to wake.
void Reading::help(int64_t block) {
  const AdoptContext adopt(nullptr);  // errors read as those of the threads
  int64_t part = next_part_;
  while (!is_behind(part) && part / block_parts_ == block && at_work_ < plan_->threads) {
    if (next_part_.compare_exchange_weak(part, part + 1)) make_part(part, helper_);
    part = next_part_;
  }
}

void Reading::wait_for(int64_t block) {
  constexpr int kYields = 50;  // less than sleeping and waking takes
  for (int i = 0; i < kYields; ++i) {
    if (is_complete(block)) return;
    std::this_thread::yield();
  }
  std::unique_lock lock(mutex_);
  waits_ = true;
  ready_.wait(lock, [&] { return is_complete(block); });
  waits_ = false;
}

void Reading::take_block(int64_t block) {
  if (!is_complete(block)) help(block);
  if (!is_complete(block)) wait_for(block);
  current_ = std::exchange(ring_[static_cast<size_t>(block) % ring_.size()].batches, {});
  taken_ = block + 1;
  if (sleepers_ == 0 || !has_much_room()) return;
  { const std::scoped_lock lock(mutex_); }  // a thread sleeps, or has seen it
  room_.notify_one();
}

void Reading::throw_error() {
  const std::scoped_lock lock(mutex_);
  std::rethrow_exception(error_);
}

std::optional<Batch> Reading::next_without_threads() {
  if (error_) std::rethrow_exception(error_);
  Place place;
  make_block(place, head_);
  try {
    parallel_for(static_cast<size_t>(place.parts_left), plan_->threads, [&](size_t part) {
      Worker worker;
      int64_t batch = head_;
      fill_rows(place, static_cast<int64_t>(part), worker, batch);
    });
  } catch (const Error&) {
    error_ = std::current_exception();
    throw;
  }
  ++head_;
  return std::move(place.batches[0]);
}

std::optional<Batch> Reading::next() {
  if (head_ == batches_) return std::nullopt;
  if (ahead_ == 0) return next_without_threads();
  if (error_batch_ <= head_) throw_error();
  const int64_t block = head_ / block_batches_;
  if (taken_ <= block) take_block(block);
  if (error_batch_ <= head_) throw_error();
  return std::move(current_[static_cast<size_t>(head_++ % block_batches_)]);
}

}  // namespace tessera::internal
