// From the entries of a .ckpt to records: entries in a row that share a name are one parameter,
// whose contents follow each other.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/checkpoint/checkpoint.h"
#include "tessera/checkpoint/formats/internal/ckpt_entries.h"

namespace tessera::internal {

/// The boxes of elements [begin, end) of a row-major tensor, with the index of each one's first
/// element: up to 2 ndim - 1 boxes, because a flat range begins and ends inside rows.
struct FlatBox {
  Box box;
  int64_t begin;
};
std::vector<FlatBox> boxes_of_flat_range(const Shape& shape, int64_t begin, int64_t end);

/// Finds records by name while there come more: a hash table of their indices, at most half full.
class NameTable {
 public:
  static constexpr uint32_t kMostRecords = std::numeric_limits<uint32_t>::max();

  explicit NameTable(const std::deque<Record>& records) : records_(records) {}
  /// The index of the record called `name`, among those that were added.
  std::optional<uint32_t> find(std::string_view name) const;
  /// Adds the last record, whose name is new.
  void add_last();

 private:
  static constexpr uint32_t kFree = kMostRecords;
  /// Where `name` is, or the free slot where it belongs.
  size_t slot_of(std::string_view name) const;

  const std::deque<Record>& records_;
  std::vector<uint32_t> slots_ = std::vector<uint32_t>(16, kFree);
};

class CkptRecords {
 public:
  /// Adds to `catalog` records whose pieces lie in file 0. Both must outlive this.
  CkptRecords(Catalog& catalog, const OpenOptions& options)
      : catalog_(catalog), options_(options), index_by_name_(catalog.records) {}

  void add(CkptEntry entry);
  /// To be called after the last entry.
  void finish();

 private:
  struct Pending {
    CkptEntry first;
    std::vector<ByteRange> contents;
    uint64_t bytes = 0;   // in contents
    uint64_t wanted = 0;  // that its dims and type say
  };

  void finish_pending();
  Record tensor_record(const Pending& pending);
  Record string_record(const Pending& pending);
  void add_map(CkptEntry entry);
  void keep(Record record, uint64_t offset);
  void require_allowed(std::string_view deviation, const std::string& name,
                       const std::string& message);

  Catalog& catalog_;
  const OpenOptions& options_;
  std::vector<Pending> pending_;  // none or one
  bool last_is_map_ = false;
  NameTable index_by_name_;
};

}  // namespace tessera::internal
