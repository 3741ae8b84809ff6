#include "tessera/reshard/outputs/internal/rank_files.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

/// The reason why a file of `suffix` cannot hold the record, or nothing.
std::string reason_against(const Record& record, std::string_view suffix) {
  if (record.kind == RecordKind::kMap) return "maps are not written";
  if (suffix == ".ckpt") return {};
  if (record.kind == RecordKind::kString)
    return "safetensors holds tensors only; write ckpt, or leave it out";
  if (record.dtype == DType::kC128) return "safetensors has no name for this dtype; write ckpt";
  return {};
}

/// Whether somebody holds no element by these slices.
std::vector<bool> empty_slices(const Destination& destination) {
  std::vector<bool> is_empty(destination.slices.size());
  for (size_t i = 0; i < is_empty.size(); ++i)
    is_empty[i] = std::ranges::all_of(destination.slices[i],
                                      [](const Box& box) { return tessera::is_empty(box); });
  return is_empty;
}

}  // namespace

void check_contents(const OutputRequest& request, std::string_view suffix) {
  const auto& records = request.catalog.records;
  std::vector<std::string> against;
  for (const Record& record : records) against.push_back(reason_against(record, suffix));
  const std::vector<bool> nothing = empty_slices(request.destination);
  const bool refuses_nothing = suffix == ".ckpt";
  for (size_t rank = 0; rank < request.destination.ranks.size(); ++rank) {
    for (const Holding& holding : request.destination.ranks[rank]) {
      const Record& record = records.at(holding.record);
      if (!against[holding.record].empty())
        fail(ErrorCode::kInvalidArgument, "'{}' is {}: {}", printable(record.name),
             describe(record), against[holding.record]);
      if (refuses_nothing && record.kind == RecordKind::kTensor && nothing.at(holding.slices))
        fail(ErrorCode::kInvalidArgument,
             "rank {} holds no element of '{}' {}, and a .ckpt has no form for that; write "
             "safetensors, or cut it into fewer parts",
             rank, printable(record.name), describe(record));
    }
  }
}

void check_whole(const OutputRequest& request) {
  const Destination& destination = request.destination;
  require(destination.ranks.size() == 1, "whole tensors are written for one rank but there are {}",
          destination.ranks.size());
  for (const Holding& holding : destination.ranks[0]) {
    const Record& record = request.catalog.records.at(holding.record);
    if (record.kind != RecordKind::kTensor) continue;
    const std::vector<Box>& boxes = destination.slices.at(holding.slices);
    if (boxes.size() != 1 || boxes[0] != whole(record.shape))
      fail(ErrorCode::kInvalidArgument,
           "'{}' is {} but only a part of it is to be written, for which this form has no place",
           printable(record.name), describe(record));
  }
}

void check_prefix(std::string_view prefix) {
  require(prefix.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos &&
              prefix != "." && prefix != "..",
          "'{}' cannot begin a file's name", printable(prefix));
}

OutputSet one_file_per_rank(const OutputRequest& request, std::string_view suffix) {
  check_prefix(request.prefix);
  check_contents(request, suffix);
  OutputSet set;
  const auto& ranks = request.destination.ranks;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    if (ranks[rank].empty()) fail(ErrorCode::kInvalidArgument, "rank {} holds nothing", rank);
    OutputFile& file = set.files.emplace_back();
    file.path = std::filesystem::path(fmt::format("rank_{}", rank)) /
                fmt::format("{}{}{}", request.prefix, rank, suffix);
    file.rank = static_cast<Rank>(rank);
    file.entries = ranks[rank];
  }
  return set;
}

}  // namespace tessera::internal
