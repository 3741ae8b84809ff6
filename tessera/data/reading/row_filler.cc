#include "tessera/data/reading/row_filler.h"

#include <algorithm>

namespace tessera::internal {

/// The transforms for rows of `type`. Pictures differ in size; often the next is like the last.
const RowChain& RowFiller::chain_for(const RowType& type, Worker& worker) const {
  if (type == plan_.chain->source()) return *plan_.chain;
  if (!worker.chain || !(worker.chain->source() == type))
    worker.chain.emplace(plan_.transforms, type);
  return *worker.chain;
}

/// The row, or nothing where it cannot be read and is to be left out: then `batch` says so.
std::optional<Row> RowFiller::read(Batch& batch, int64_t index, const Tensor& out, Worker& worker) {
  try {
    Row row = plan_.source->row_part(index, [&](const RowType& type) {
      const RowChain& chain = chain_for(type, worker);
      const bool is_result = chain.keeps_rows() && type == plan_.chain->source();
      return PixelsUse{chain.needed(), is_result ? out : Tensor()};
    });
    chain_for({row.data.dtype(), row.data.shape()}, worker);  // its size may not fit a transform
    return row;
  } catch (const Error& error) {
    if (plan_.bad == BadRows::kThrow || error.code() == ErrorCode::kInternal) throw;
    const std::scoped_lock lock(bad_mutex_);
    batch.bad.push_back({index, headline(error)});
    return std::nullopt;
  }
}

void RowFiller::fill_from(const Row& row, Tensor& out, Worker& worker) const {
  if (row.data.buffer() == out.buffer()) return;  // it was read to there
  const RowChain& chain = chain_for({row.data.dtype(), row.data.shape()}, worker);
  if (!(chain.result() == plan_.chain->result()))
    fail(ErrorCode::kInvalidArgument,
         "it becomes {}, the first row becomes {}: rows of one batch have one shape, a resize "
         "gives them one",
         to_string(chain.result()), to_string(plan_.chain->result()));
  chain.run(row.data.bytes(), out.mutable_bytes(), worker.scratch);
}

void RowFiller::fill(Batch& batch, int64_t row, Worker& worker) {
  const int64_t index = plan_.source_index(batch.first_row + plan_.place_in(batch, row));
  const ErrorContext context([&] {
    return fmt::format("reading {} of {}", plan_.source->row_name(index), plan_.source->name());
  });
  const auto bytes = static_cast<size_t>(plan_.chain->result().byte_count());
  const size_t begin = static_cast<size_t>(row) * bytes;
  int32_t& label = batch.labels.mutable_data<int32_t>()[static_cast<size_t>(row)];
  if (const std::optional<RowView> view = plan_.source->look(index)) {
    label = view->label;
    const auto out = batch.data.mutable_bytes().subspan(begin, bytes);
    return plan_.chain->run(view->data, out, worker.scratch);
  }
  const RowType& type = plan_.chain->result();
  Tensor out =
      Tensor::view(batch.data.buffer(), batch.data.byte_offset() + static_cast<int64_t>(begin),
                   type.dtype, type.shape);
  const std::optional<Row> source = read(batch, index, out, worker);
  label = source ? source->label : kLeftOut;
  if (source)
    fill_from(*source, out, worker);
  else
    std::ranges::fill(out.mutable_bytes(), std::byte{0});
}

}  // namespace tessera::internal
