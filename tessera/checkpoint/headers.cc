#include "tessera/checkpoint/headers.h"

#include "tessera/base/error.h"
#include "tessera/base/shown.h"
#include "tessera/base/text.h"
#include "tessera/io/byte_reader.h"

namespace tessera {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint64_t kLongestString = uint64_t{1} << 20;

/// describe(record), late.
auto described(const Record& record) {
  return late([&record] { return describe(record); });
}

/// Numbers as varints: most of a catalog's are small.
class HeaderWriter {
 public:
  void number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(0x80 | (value & 0x7F));
    bytes_ += static_cast<char>(value);
  }
  void text(std::string_view text) {
    number(text.size());
    bytes_ += text;
  }
  void extents(const Shape& shape) {
    number(shape.size());
    for (const int64_t extent : shape) number(static_cast<uint64_t>(extent));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

void write_pieces(const Checkpoint& checkpoint, const Record& record, HeaderWriter& to) {
  to.number(record.pieces.size());
  for (const Piece& piece : record.pieces) {
    to.number(static_cast<uint64_t>(piece.file));
    to.number(static_cast<uint64_t>(piece.encoding));
    to.number(piece.bytes.offset);
    to.number(piece.bytes.size);
    to.number(piece.part != nullptr ? 1 : 0);
    if (piece.part != nullptr) {
      to.extents(piece.part->begin);
      to.extents(piece.part->size);
    }
    if (record.kind != RecordKind::kString) continue;
    if (piece.bytes.size > kLongestString)
      fail(ErrorCode::kUnsupported, "the string '{}' has {}; ranks tell each other at most {}",
           printable(record.name), human_bytes(piece.bytes.size), human_bytes(kLongestString));
    std::string text(piece.bytes.size, '\0');
    checkpoint.bytes->file(piece.file)
        .read(piece.bytes.offset, std::as_writable_bytes(std::span(text)));
    to.text(text);
  }
}

void write_record(const Checkpoint& checkpoint, const Record& record, HeaderWriter& to) {
  to.text(record.name);
  to.number(static_cast<uint64_t>(record.kind));
  to.number(static_cast<uint64_t>(record.dtype));
  to.extents(record.shape);
  write_pieces(checkpoint, record, to);
  to.number(record.parts.size());
  for (const Record& part : record.parts) write_record(checkpoint, part, to);
}

/// What does not depend on how the checkpoint was opened, nor, without `has_names`, on where.
void write_content(const Checkpoint& checkpoint, bool has_names, HeaderWriter& to) {
  const Catalog& catalog = checkpoint.catalog;
  to.number(kVersion);
  to.number(catalog.files.size());
  for (size_t f = 0; f < catalog.files.size(); ++f) {
    const CatalogFile& file = catalog.files[f];
    to.text(has_names ? file.path.filename().string() : std::string());
    to.text(file.format);
    to.number(file.bytes);
    to.text(file.cipher);
    to.number(static_cast<uint64_t>(file.generation));
    to.number(checkpoint.bytes->file(static_cast<int>(f)).size());
  }
  to.number(catalog.records.size());
  for (const Record& record : catalog.records) write_record(checkpoint, record, to);
  to.number(catalog.metadata.size());
  for (const auto& [key, value] : catalog.metadata) {
    to.text(key);
    to.text(value);
  }
}

/// A file of another process: its length is known, and what its strings hold.
class HeaderFile : public RandomAccessFile {
 public:
  HeaderFile(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}

  void put(uint64_t offset, std::string_view bytes) { strings_[offset] = bytes; }

  void read(uint64_t offset, std::span<std::byte> out) const override {
    auto known = strings_.upper_bound(offset);
    if (known != strings_.begin()) --known;
    if (known == strings_.end() || known->first > offset ||
        known->second.size() < offset - known->first + out.size())
      fail(ErrorCode::kNotFound,
           "{}: {} bytes at byte {} are wanted of a file that another rank reads", printable(name_),
           out.size(), offset);
    known->second.copy(reinterpret_cast<char*>(out.data()), out.size(), offset - known->first);
  }
  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  uint64_t size_;
  std::map<uint64_t, std::string> strings_;  // by offset
};

class HeaderReader {
 public:
  HeaderReader(std::string_view bytes, const std::filesystem::path& where)
      : reader_(std::as_bytes(std::span(bytes)), "headers from another rank"), where_(where) {}

  Checkpoint read() {
    require_valid(number() == kVersion, "the headers are of another version of this program");
    read_files();
    for (uint64_t i = count("records"); i > 0; --i)
      checkpoint_.catalog.records.push_back(read_record(true));
    for (uint64_t i = count("metadata"); i > 0; --i) {
      std::string key = text();
      checkpoint_.catalog.metadata[std::move(key)] = text();
    }
    for (CatalogFile& file : checkpoint_.catalog.files)
      file.crc = choice<CrcState>(CrcState::kVerified, "crc state");
    for (uint64_t i = count("deviations"); i > 0; --i)
      checkpoint_.catalog.deviations.push_back(text());
    require_valid(reader_.remaining() == 0, "{} bytes follow the headers", reader_.remaining());
    index_records(checkpoint_.catalog);
    std::vector<std::shared_ptr<const RandomAccessFile>> files(files_.begin(), files_.end());
    checkpoint_.bytes = std::make_shared<const ByteSource>(std::move(files));
    return std::move(checkpoint_);
  }

 private:
  uint64_t number() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const uint64_t byte = reader_.u8();
      require_valid(shift < 63 || byte <= 1, "a number before byte {} is too large",
                    reader_.offset());
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  }
  /// A number of things that take a byte each at least.
  uint64_t count(std::string_view what) {
    const uint64_t value = number();
    require_valid(value <= reader_.remaining(), "{} {} are announced before byte {}, {} bytes left",
                  value, what, reader_.offset(), reader_.remaining());
    return value;
  }
  std::string text() {
    const std::span<const std::byte> bytes = reader_.bytes(count("bytes"));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  template <typename Enum>
  Enum choice(Enum last, std::string_view what) {
    const uint64_t value = number();
    require_valid(value <= static_cast<uint64_t>(last), "{} {} before byte {} is not one", what,
                  value, reader_.offset());
    return static_cast<Enum>(value);
  }
  Shape extents() {
    Shape shape;
    for (uint64_t i = count("extents"); i > 0; --i) {
      const uint64_t extent = number();
      require_valid(extent <= static_cast<uint64_t>(INT64_MAX), "an extent is {}", extent);
      shape.push_back(static_cast<int64_t>(extent));
    }
    return shape;
  }

  void read_files() {
    const uint64_t files = count("files");
    for (uint64_t i = 0; i < files; ++i) {
      CatalogFile& file = checkpoint_.catalog.files.emplace_back();
      const std::string name = text();
      file.path = files == 1 ? where_ : where_ / std::filesystem::path(name).filename();
      file.format = text();
      file.bytes = number();
      file.cipher = text();
      file.generation = static_cast<int>(number() & 0xFF);
      files_.push_back(std::make_shared<HeaderFile>(file.path.string(), number()));
    }
  }

  Record read_record(bool may_have_parts) {
    Record record;
    record.name = text();
    record.kind = choice(RecordKind::kMap, "kind");
    record.dtype = choice(static_cast<DType>(kDTypeCount - 1), "dtype");
    record.shape = extents();
    int64_t bytes = byte_size(record.dtype);
    for (const int64_t extent : record.shape)
      require_valid(!__builtin_mul_overflow(bytes, extent, &bytes), "'{}' has {} elements",
                    shown_text(record.name), shown(record.shape));
    for (uint64_t i = count("pieces"); i > 0; --i) record.pieces.push_back(read_piece(record));
    const uint64_t parts = count("parts");
    require_valid(parts == 0 || (may_have_parts && record.kind == RecordKind::kMap),
                  "'{}' has parts but is {}", shown_text(record.name), described(record));
    for (uint64_t i = 0; i < parts; ++i) record.parts.push_back(read_record(false));
    return record;
  }

  Piece read_piece(const Record& record) {
    Piece piece;
    const uint64_t file = number();
    require_valid(file < files_.size(), "'{}' lies in file {} of {}", shown_text(record.name), file,
                  files_.size());
    piece.file = static_cast<int>(file);
    piece.encoding = choice(Encoding::kZero, "encoding");
    piece.bytes.offset = number();
    piece.bytes.size = number();
    if (number() != 0) {
      Box part;
      part.begin = extents();
      part.size = extents();
      check_part(record, part);
      piece.part = std::make_shared<const Box>(std::move(part));
    }
    check_bytes(record, piece);
    if (record.kind == RecordKind::kString) {
      const std::string content = text();
      require_valid(content.size() == piece.bytes.size, "'{}' has {} bytes and not {}",
                    shown_text(record.name), content.size(), piece.bytes.size);
      files_[file]->put(piece.bytes.offset, content);
    }
    return piece;
  }

  static void check_part(const Record& record, const Box& part) {
    bool fits = part.begin.size() == record.shape.size() && part.size.size() == record.shape.size();
    for (size_t d = 0; fits && d < record.shape.size(); ++d)
      fits = part.size[d] <= record.shape[d] && part.begin[d] <= record.shape[d] - part.size[d];
    require_valid(fits, "'{}' {} has a piece {}", shown_text(record.name), described(record),
                  shown(part));
  }

  void check_bytes(const Record& record, const Piece& piece) const {
    if (piece.encoding == Encoding::kZero) return;
    const DType stored = piece.encoding == Encoding::kBF16AsF32 ? DType::kF32 : record.dtype;
    require_valid(piece.encoding == Encoding::kRaw || record.dtype == DType::kBF16,
                  "'{}' is stored as bfloat16 but is {}", shown_text(record.name),
                  described(record));
    const auto elements = static_cast<uint64_t>(element_count(box_of(record, piece).size));
    const auto width = static_cast<uint64_t>(byte_size(stored));
    const uint64_t end = files_[static_cast<size_t>(piece.file)]->size();
    require_valid(piece.bytes.size == elements * width && piece.bytes.offset <= end &&
                      piece.bytes.size <= end - piece.bytes.offset,
                  "'{}' {} lies in {} bytes from byte {} on of a file of {} bytes",
                  shown_text(record.name), described(record), piece.bytes.size, piece.bytes.offset,
                  end);
  }

  ByteReader reader_;
  const std::filesystem::path& where_;
  Checkpoint checkpoint_;
  std::vector<std::shared_ptr<HeaderFile>> files_;
};

}  // namespace

std::string encode_headers(const Checkpoint& checkpoint) {
  HeaderWriter to;
  write_content(checkpoint, true, to);
  for (const CatalogFile& file : checkpoint.catalog.files)
    to.number(static_cast<uint64_t>(file.crc));
  to.number(checkpoint.catalog.deviations.size());
  for (const std::string& deviation : checkpoint.catalog.deviations) to.text(deviation);
  return to.take();
}

Checkpoint decode_headers(std::string_view bytes, const std::filesystem::path& where) {
  const ErrorContext context(
      [&] { return fmt::format("taking over the headers of {}", printable(where.string())); });
  return HeaderReader(bytes, where).read();
}

Digest digest_headers(const Checkpoint& checkpoint) {
  HeaderWriter to;
  write_content(checkpoint, false, to);
  return digest_bytes(to.take());
}

}  // namespace tessera
