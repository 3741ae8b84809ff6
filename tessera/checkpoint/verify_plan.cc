// The proof that a load plan is right. It counts elements and compares boxes pair by pair instead
// of subtracting them, and finds the bytes of a transfer by walking its runs.
#include <algorithm>
#include <limits>

#include "tessera/base/error.h"
#include "tessera/base/shown.h"
#include "tessera/checkpoint/load_plan.h"

namespace tessera {
namespace {

template <typename... Args>
void require_proof(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(ErrorCode::kInternal, format, std::forward<Args>(args)...);
}

bool is_inside(const Box& inner, const Box& outer) {
  if (inner.begin.size() != outer.begin.size() || inner.size.size() != outer.size.size())
    return false;
  for (size_t d = 0; d < inner.begin.size(); ++d) {
    if (inner.size[d] <= 0 || inner.begin[d] < outer.begin[d]) return false;
    if (inner.begin[d] + inner.size[d] > outer.begin[d] + outer.size[d]) return false;
  }
  return true;
}

bool overlap(const Box& a, const Box& b) {
  for (size_t d = 0; d < a.begin.size(); ++d)
    if (a.begin[d] >= b.begin[d] + b.size[d] || b.begin[d] >= a.begin[d] + a.size[d]) return false;
  return true;
}

void check_transfer(const Transfer& transfer, const Catalog& catalog,
                    std::span<const Target> targets) {
  require_proof(transfer.target < targets.size(), "a transfer is for target {} of {}",
                transfer.target, targets.size());
  const Target& target = targets[transfer.target];
  require_proof(transfer.record < catalog.records.size(), "a transfer is from record {} of {}",
                transfer.record, catalog.records.size());
  const Record& record = catalog.records[transfer.record];
  require_proof(
      record.name == target.name && record.dtype == target.dtype && record.shape == target.global,
      "'{}' is to be filled from '{}' {}", shown_text(target.name), shown_text(record.name),
      late([&] { return describe(record); }));
  require_proof(transfer.piece < record.pieces.size(), "'{}' has no piece {}",
                shown_text(record.name), transfer.piece);
  require_proof(is_inside(transfer.box, box_of(record, record.pieces[transfer.piece])),
                "'{}': {} lies outside its piece", shown_text(record.name), shown(transfer.box));
  require_proof(is_inside(transfer.box, target.box), "'{}': {} lies outside the target {}",
                shown_text(target.name), shown(transfer.box), shown(target.box));
}

/// Every element of `target` once: boxes that lie in it, meet nowhere and add up to its size.
void check_target(const Target& target, std::vector<const Box*> boxes) {
  int64_t total = 0;
  for (const Box* box : boxes) total += element_count(box->size);
  require_proof(total == element_count(target.box.size), "'{}': {} of {} elements are written",
                shown_text(target.name), total, element_count(target.box.size));
  if (boxes.size() < 2) return;
  std::sort(boxes.begin(), boxes.end(),
            [](const Box* a, const Box* b) { return a->begin[0] < b->begin[0]; });
  for (size_t i = 0; i < boxes.size(); ++i) {
    const int64_t end = boxes[i]->begin[0] + boxes[i]->size[0];
    for (size_t j = i + 1; j < boxes.size() && boxes[j]->begin[0] < end; ++j)
      require_proof(!overlap(*boxes[i], *boxes[j]), "'{}': {} and {} are both written",
                    shown_text(target.name), shown(*boxes[i]), shown(*boxes[j]));
  }
}

/// That `read` brings every byte of the transfer.
void check_read(const Read& read, const Transfer& transfer, const Record& record) {
  const Piece& piece = record.pieces[transfer.piece];
  if (piece.encoding == Encoding::kZero) return;
  require_proof(read.file == piece.file, "'{}' lies in file {} but file {} is read",
                shown_text(record.name), piece.file, read.file);
  const int64_t width = piece.encoding == Encoding::kBF16AsF32 ? 4 : byte_size(record.dtype);
  uint64_t low = std::numeric_limits<uint64_t>::max(), high = 0;
  for_each_run(box_of(record, piece), transfer.box, transfer.box,
               [&](int64_t at, int64_t, int64_t count) {
                 const uint64_t begin = piece.bytes.offset + static_cast<uint64_t>(at * width);
                 low = std::min(low, begin);
                 high = std::max(high, begin + static_cast<uint64_t>(count * width));
               });
  require_proof(low >= piece.bytes.offset && high <= piece.bytes.end(),
                "'{}': bytes {} to {} are wanted from a piece of {}+{}", shown_text(record.name),
                low, high, piece.bytes.offset, piece.bytes.size);
  require_proof(low >= read.bytes.offset && high <= read.bytes.end(),
                "'{}': bytes {} to {} are not in the read {}+{}", shown_text(record.name), low,
                high, read.bytes.offset, read.bytes.size);
}

}  // namespace

void verify(const LoadPlan& plan, const Catalog& catalog, std::span<const Target> targets) {
  std::vector<std::vector<const Box*>> boxes(targets.size());
  for (const Transfer& transfer : plan.transfers) {
    check_transfer(transfer, catalog, targets);
    boxes[transfer.target].push_back(&transfer.box);
  }
  for (size_t t = 0; t < targets.size(); ++t) check_target(targets[t], std::move(boxes[t]));

  std::vector<int> times_read(plan.transfers.size(), 0);
  for (const Read& read : plan.reads) {
    for (const size_t index : read.transfers) {
      require_proof(index < plan.transfers.size(), "a read feeds transfer {} of {}", index,
                    plan.transfers.size());
      ++times_read[index];
      const Transfer& transfer = plan.transfers[index];
      check_read(read, transfer, catalog.records[transfer.record]);
    }
  }
  for (size_t i = 0; i < times_read.size(); ++i)
    require_proof(times_read[i] == 1, "transfer {} is read {} times", i, times_read[i]);
}

}  // namespace tessera
