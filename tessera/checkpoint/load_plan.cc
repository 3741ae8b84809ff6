#include "tessera/checkpoint/load_plan.h"

#include <algorithm>
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/shown.h"
#include "tessera/base/text.h"
#include "tessera/tensor/cover.h"

namespace tessera {
namespace {

uint64_t stored_bytes(const Piece& piece, DType dtype) {
  return static_cast<uint64_t>(
      byte_size(piece.encoding == Encoding::kBF16AsF32 ? DType::kF32 : dtype));
}

/// The bytes of `piece` from the first element of `box` to its last.
ByteRange extent_of(const Record& record, const Piece& piece, const Box& box) {
  if (piece.encoding == Encoding::kZero) return {};
  const Box stored = box_of(record, piece);
  int64_t first = 0, last = 0;
  for (size_t d = 0; d < box.size.size(); ++d) {
    const int64_t begin = box.begin[d] - stored.begin[d];
    first = first * stored.size[d] + begin;
    last = last * stored.size[d] + begin + box.size[d] - 1;
  }
  const uint64_t bytes = stored_bytes(piece, record.dtype);
  return {piece.bytes.offset + static_cast<uint64_t>(first) * bytes,
          static_cast<uint64_t>(last - first + 1) * bytes};
}

/// The index of the target's record.
size_t require_record(const Catalog& catalog, const Target& target) {
  const std::optional<size_t> index = catalog.index_of(target.name);
  if (!index) {
    const std::vector<std::string> known = catalog.names();
    fail(ErrorCode::kNotFound, "the checkpoint has no '{}'{}", printable(target.name),
         suggest(target.name, known));
  }
  const Record& record = catalog.records[*index];
  require(record.kind == RecordKind::kTensor && record.dtype == target.dtype &&
              record.shape == target.global,
          "'{}' is {} in the checkpoint but {}{} is wanted", shown_text(target.name),
          late([&] { return describe(record); }), shown(target.dtype), shown(target.global));
  require(target.box.begin.size() == target.global.size() &&
              target.box.size.size() == target.global.size() &&
              contains(whole(target.global), target.box),
          "'{}': the box {} lies outside the shape {}", shown_text(target.name), shown(target.box),
          shown(target.global));
  return *index;
}

void append_transfers(const Record& record, size_t record_index, const Box& wanted, size_t target,
                      std::vector<Transfer>& transfers) {
  if (record.pieces.size() == 1 && contains(box_of(record, record.pieces[0]), wanted)) {
    if (!is_empty(wanted)) transfers.push_back({target, record_index, 0, wanted});
    return;
  }
  std::vector<Box> boxes;
  for (const Piece& piece : record.pieces) boxes.push_back(box_of(record, piece));
  for (Copy& copy : cover(boxes, wanted))
    transfers.push_back({target, record_index, copy.piece, std::move(copy.box)});
}

struct Extent {
  int file;
  ByteRange bytes;
  size_t transfer;
};

std::vector<Read> merge_reads(std::vector<Extent> extents, const LoadOptions& options) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tuple(a.file, a.bytes.offset, a.bytes.size, a.transfer) <
           std::tuple(b.file, b.bytes.offset, b.bytes.size, b.transfer);
  });
  std::vector<Read> reads;
  for (const Extent& extent : extents) {
    if (!reads.empty()) {
      Read& last = reads.back();
      const uint64_t end = std::max(last.bytes.end(), extent.bytes.end());
      const bool is_near = last.file == extent.file &&
                           extent.bytes.offset <= last.bytes.end() + options.largest_gap &&
                           (last.bytes.size == 0) == (extent.bytes.size == 0);
      if (is_near && end - last.bytes.offset <= options.largest_read) {
        last.bytes.size = end - last.bytes.offset;
        last.transfers.push_back(extent.transfer);
        continue;
      }
    }
    reads.push_back({extent.file, extent.bytes, {extent.transfer}});
  }
  return reads;
}

}  // namespace

std::vector<Target> targets_of(const Catalog& catalog) {
  std::vector<Target> targets;
  for (const Record& record : catalog.records)
    if (record.kind == RecordKind::kTensor)
      targets.push_back({record.name, record.dtype, record.shape, whole(record.shape)});
  return targets;
}

LoadPlan plan_load(const Catalog& catalog, std::span<const Target> targets,
                   const LoadOptions& options) {
  require(options.largest_read > 0, "the largest read is 0 bytes");
  LoadPlan plan;
  plan.options = options;
  plan.transfers.reserve(targets.size());
  for (size_t t = 0; t < targets.size(); ++t) {
    const Target& target = targets[t];
    const ErrorContext context([&] { return "planning to load " + printable(target.name); });
    const size_t index = require_record(catalog, target);
    append_transfers(catalog.records[index], index, target.box, t, plan.transfers);
  }
  std::vector<Extent> extents;
  extents.reserve(plan.transfers.size());
  for (size_t i = 0; i < plan.transfers.size(); ++i) {
    const Transfer& transfer = plan.transfers[i];
    const Record& record = catalog.records[transfer.record];
    const Piece& piece = record.pieces[transfer.piece];
    extents.push_back({piece.file, extent_of(record, piece, transfer.box), i});
  }
  plan.reads = merge_reads(std::move(extents), options);
  return plan;
}

std::string to_string(const LoadPlan& plan, const Catalog& catalog,
                      std::span<const Target> targets) {
  std::string text;
  for (const Read& read : plan.reads) {
    text +=
        fmt::format("read file {} bytes {}+{}\n", read.file, read.bytes.offset, read.bytes.size);
    for (const size_t index : read.transfers) {
      const Transfer& transfer = plan.transfers[index];
      const Record& record = catalog.records[transfer.record];
      text += fmt::format("  {} {} <- piece {}\n", targets[transfer.target].name,
                          to_string(transfer.box),
                          to_string(box_of(record, record.pieces[transfer.piece])));
    }
  }
  return text;
}

}  // namespace tessera
