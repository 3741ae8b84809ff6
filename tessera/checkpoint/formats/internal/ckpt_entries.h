// The entries of a MindSpore .ckpt, one after the other, as they are stored. On disk a file is
//
//   entry*  with  entry  := 0A len value
//                 value  := 0A len tag  (12 len tensor | 1A len map)
//                 tensor := (08 dim)*  12 len type  1A len content
//                 map    := (0A len tensor)*
//
// in any field order; dims may be packed, fields with other numbers are stepped over. At most
// 4 KiB are read per entry, never a content. docs/formats/mindspore-ckpt.md has the specification.
#pragma once

#include <string>
#include <vector>

#include "tessera/io/protobuf_wire.h"
#include "tessera/tensor/shape.h"

namespace tessera::internal {

/// Whether these are the first bytes of an entry: 0A, a length, and a field of the value.
bool begins_like_ckpt_entry(std::string_view head);

struct CkptTensor {
  std::string type;  // "Float32"
  Shape dims;        // as stored: may be negative or too large
  ByteRange content;
};

struct CkptEntry {
  std::string tag;
  std::vector<CkptTensor> tensors;  // one, or those of a map
  bool is_map = false;
  uint64_t offset = 0;  // of the entry in the file

  const CkptTensor& tensor() const { return tensors[0]; }
};

class CkptEntryReader {
 public:
  static constexpr uint64_t kLongestName = 2048;
  static constexpr uint64_t kLongestType = 64;
  static constexpr size_t kMostDims = 64;

  /// Reads the entries in the first `size` bytes of `file`, which must outlive this.
  CkptEntryReader(const RandomAccessFile& file, uint64_t size)
      : window_(file), message_(window_, {0, size}) {}

  /// The next entry; false at the end. Throws kCorruptData with the offset.
  bool next(CkptEntry& entry);

 private:
  void read_value(ByteRange range, CkptEntry& entry);
  CkptTensor read_tensor(ByteRange range);
  void read_map(ByteRange range, CkptEntry& entry);
  void read_dims(const WireField& field, Shape& dims);

  WireWindow window_;
  WireMessage message_;
};

}  // namespace tessera::internal
