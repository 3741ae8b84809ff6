// What checkpoint files hold, read from their headers alone: records (tensors, strings, maps) and
// the pieces, boxes of bytes, that they are made of.
//
//   fc1.weight  f32[120,400]  <- file 0, bytes 26012+192000, box [0,0]+[120,400]
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/io/file.h"
#include "tessera/tensor/box.h"
#include "tessera/tensor/dtype.h"

namespace tessera {

/// How the elements of a piece lie in its bytes.
enum class Encoding : uint8_t {
  kRaw,        // as in memory: little-endian, row-major
  kBF16AsF32,  // bfloat16 values stored as float32 (MindSpore 2.2)
  kZero,       // not stored at all: zeros (only where a deviation was allowed)
};

/// Small, because a file may have a million: most pieces are a whole record and say no region.
struct Piece {
  int file = 0;  // index into Catalog::files
  Encoding encoding = Encoding::kRaw;
  ByteRange bytes;  // addresses of the plain content, also where the file is encrypted
  std::shared_ptr<const Box> part;  // the region of the record that the bytes hold; null: all of it

  bool operator==(const Piece& other) const;
};

enum class RecordKind : uint8_t { kTensor, kString, kMap };

struct Record {
  std::string name;
  RecordKind kind = RecordKind::kTensor;
  DType dtype = DType::kF32;  // a string's is kU32: one element per code point
  Shape shape;
  std::vector<Piece> pieces;
  std::vector<Record> parts;  // of a map: keys, values, status

  bool operator==(const Record&) const = default;
};

enum class CrcState : uint8_t { kNone, kPresent, kVerified };
std::string_view to_string(CrcState state);

struct CatalogFile {
  std::filesystem::path path;
  std::string format;  // "mindspore ckpt"
  uint64_t bytes = 0;  // on disk
  CrcState crc = CrcState::kNone;
  std::string cipher;  // "" when not encrypted, else "AES-GCM", "AES-CBC" or "SM4-CBC"
  int generation = 0;  // of the cipher container: 1 (MindSpore up to 1.6) or 2

  bool operator==(const CatalogFile&) const = default;
};

/// Whether the file is encrypted so that a change of it is seen when it is decrypted: each block of
/// AES-GCM carries a tag since generation 2. The tags do not say which blocks there are.
bool is_authenticated(const CatalogFile& file);

struct Catalog {
  std::vector<CatalogFile> files;
  std::deque<Record> records;  // in file order; a deque, so that adding to many moves none
  std::map<std::string, std::string> metadata;
  std::vector<std::string> deviations;  // what was accepted although it is not as it should be

  /// The record called `name`, or null.
  const Record* find(std::string_view name) const;
  /// Its index in `records`, or nothing.
  std::optional<size_t> index_of(std::string_view name) const;
  std::vector<std::string> names() const;

  std::vector<uint32_t> by_name;  // the records' indices sorted by name; see index_records
};

/// Fills by_name. Throws kCorruptData when two records share a name.
void index_records(Catalog& catalog);

/// The region of `record` that its `piece` holds.
Box box_of(const Record& record, const Piece& piece);
/// A piece that holds `box` of `record`.
Piece make_piece(const Record& record, Encoding encoding, ByteRange bytes, Box box);

/// The bytes of the record's elements, not of how they are stored.
uint64_t byte_count(const Record& record);
/// "f32[120,400]", "string", "map".
std::string describe(const Record& record);

}  // namespace tessera
