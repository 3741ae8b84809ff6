#include "tessera/reshard/load_rank.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/reshard/internal/stream.h"

namespace tessera {
namespace {

/// The tensors of one rank, filled in any order.
class TensorSink : public internal::ContentSink {
 public:
  TensorSink(const Source& source, const Destination& destination,
             std::span<const Holding> holdings)
      : place_of_(source.catalog().records.size()), is_held_(place_of_.size(), false) {
    for (const Holding& holding : holdings) {
      const Record& record = source.catalog().records[holding.record];
      if (record.kind != RecordKind::kTensor) {
        tensors_.emplace_back();
        continue;
      }
      require(!is_held_[holding.record], "a rank holds one slice of '{}' and not two", record.name);
      is_held_[holding.record] = true;
      place_of_[holding.record] = {static_cast<uint32_t>(tensors_.size()), holding.slices, 0};
      tensors_.emplace_back(record.dtype, local_shape(destination.slices[holding.slices]));
    }
    for (Tensor& tensor : tensors_) {
      memory_.emplace_back();
      if (tensor.is_defined()) memory_.back() = tensor.mutable_bytes();
    }
  }

  std::span<const internal::Place> places(uint32_t record) const override {
    return std::span(place_of_).subspan(record, is_held_[record] ? 1 : 0);
  }

  void write(const internal::Place& place, uint64_t begin,
             std::span<const std::span<const std::byte>> parts) override {
    std::span<std::byte> to = memory_[place.file].subspan(begin);
    for (const std::span<const std::byte> part : parts) {
      std::copy(part.begin(), part.end(), to.begin());
      to = to.subspan(part.size());
    }
  }

  std::vector<Tensor> take() { return std::move(tensors_); }

 private:
  std::vector<internal::Place> place_of_;  // by record; Place::file is the index of the tensor
  std::vector<bool> is_held_;
  std::vector<Tensor> tensors_;
  std::vector<std::span<std::byte>> memory_;
};

}  // namespace

std::vector<Tensor> load_rank(const Source& source, const Destination& destination,
                              const ReshardPlan& plan) {
  require(plan.ranks.size() == 1, "a plan for one rank is wanted, this one is for {}",
          plan.ranks.size());
  const auto rank = static_cast<size_t>(plan.ranks[0].rank);
  TensorSink sink(source, destination, destination.ranks[rank]);
  internal::Stream(source, destination, plan, &sink).run();
  return sink.take();
}

}  // namespace tessera
