#include "tessera/reshard/tensor_source.h"

#include <cstring>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/reshard/internal/assemble.h"

namespace tessera {
namespace {

/// The elements of a tensor as the bytes of a file.
class TensorFile : public RandomAccessFile {
 public:
  TensorFile(const Tensor& tensor, Rank rank)
      : tensor_(tensor.contiguous()), name_(fmt::format("slice of rank {}", rank)) {}

  void read(uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), tensor_.bytes().subspan(offset, out.size()).data(), out.size());
  }
  uint64_t size() const override { return tensor_.bytes().size(); }
  const std::string& name() const override { return name_; }

 private:
  Tensor tensor_;
  std::string name_;
};

}  // namespace

Source source_of(const std::string& name, std::span<const RankTensor> slices,
                 const Strategy& strategy, const SourceOptions& options) {
  require(!slices.empty(), "there is no slice of '{}'", printable(name));
  if (!strategy.names(name))
    fail(ErrorCode::kNotFound, "the strategy does not name '{}'", printable(name));
  Source source;
  source.rank_count = std::max(strategy.rank_count(), slices.back().rank + 1);
  source.has_strategy = true;
  internal::Holders holders{name, name, RecordKind::kTensor, slices[0].tensor.dtype(), {}};
  std::vector<RankFile> ranks;
  std::vector<std::shared_ptr<const RandomAccessFile>> bytes;
  for (const RankTensor& slice : slices) {
    require(slice.tensor.dtype() == holders.dtype, "'{}' is {} on rank {} but {} on rank {}",
            printable(name), to_string(holders.dtype), slices[0].rank,
            to_string(slice.tensor.dtype()), slice.rank);
    auto file = std::make_shared<const TensorFile>(slice.tensor, slice.rank);
    ranks.push_back({slice.rank, file->name()});
    Record record{.name = name, .dtype = holders.dtype, .shape = slice.tensor.shape()};
    Piece piece;
    piece.file = static_cast<int>(bytes.size());
    piece.bytes = {0, file->size()};
    record.pieces.push_back(std::move(piece));
    holders.all.push_back({slice.rank, std::move(record)});
    source.checkpoint.catalog.files.push_back({file->name(), "memory", file->size()});
    source.rank_of_file.push_back(slice.rank);
    bytes.push_back(std::move(file));
  }
  source.checkpoint.bytes = std::make_shared<const ByteSource>(std::move(bytes));
  internal::Assembler(&strategy, ranks, options, source).add(holders);
  index_records(source.checkpoint.catalog);
  return source;
}

}  // namespace tessera
