#include "tessera/data/reading/read_plan.h"

#include <algorithm>

namespace tessera::internal {

std::string headline(const Error& error) {
  const std::string_view message = error.what();
  return std::string(message.substr(0, message.find('\n')));
}

void ReadPlan::read_first() {
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

void ReadPlan::bind() {
  if (first) chain = std::make_shared<RowChain>(transforms, *first);
}

int64_t ReadPlan::row_count() const {
  const int64_t all = std::min(source->size(), limit.value_or(source->size()));
  const int64_t rows = std::max<int64_t>(0, all - skipped);
  return drop_remainder ? rows / batch_rows * batch_rows : rows;
}

int64_t ReadPlan::part_rows() const {
  constexpr int64_t kPartBytes = 1 << 18;
  constexpr int64_t kMostRows = 64;
  const int64_t bytes =
      chain ? std::max(chain->source().byte_count(), chain->result().byte_count()) : 1;
  return std::clamp<int64_t>(kPartBytes / std::max<int64_t>(bytes, 1), 1, kMostRows);
}

int64_t ReadPlan::block_batches() const {
  // Who says how far to read ahead means batches.
  return prefetch ? 1 : std::max<int64_t>(1, part_rows() / batch_rows);
}

int64_t ReadPlan::blocks_ahead() const {
  if (prefetch) return *prefetch;
  // More than that would be fresh memory, whose first touch costs more than a small row.
  constexpr int64_t kSmallBytes = int64_t{4} << 20;
  constexpr int64_t kMostSmall = 32;
  const int64_t rows = batch_rows * block_batches();
  const int64_t bytes = rows * (chain ? chain->result().byte_count() : 1);
  return std::max({int64_t{2}, (2 * int64_t{threads} + rows - 1) / rows,
                   std::min(kMostSmall, kSmallBytes / std::max<int64_t>(1, bytes))});
}

Batch ReadPlan::outline(int64_t index) const {
  const auto cut = [&](int64_t piece, int64_t part) { return piece * part / part_count; };
  Batch batch;
  const int64_t first_row = index * batch_rows;
  batch.all_rows = std::min(batch_rows, row_count() - first_row);
  const int64_t piece = batch.all_rows / pieces;
  batch.first_row = first_row + cut(piece, part_index);
  batch.rows = pieces * (cut(piece, part_index + 1) - cut(piece, part_index));
  return batch;
}

int64_t ReadPlan::place_in(const Batch& batch, int64_t row) const {
  if (pieces == 1) return row;
  const int64_t here = batch.rows / pieces;
  return row / here * (batch.all_rows / pieces) + row % here;
}

}  // namespace tessera::internal
