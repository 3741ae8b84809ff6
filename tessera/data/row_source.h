// Where rows come from, by a notation "source:place":
//
//   mnist:DIR      mnist:DIR/train      cifar10:DIR      folder:DIR      digits:test
//   cifar10:DIR[:8000]      cifar10:DIR[8000:]                 some of its rows
//
// Each source is one file of tessera/data/sources.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/tensor/tensor.h"

namespace tessera {

/// What one row's data is, without the batch dim.
struct RowType {
  DType dtype = DType::kU8;
  Shape shape;
  int64_t byte_count() const { return checked_product(element_count(shape), byte_size(dtype)); }
  bool operator==(const RowType&) const = default;
};
/// "u8[28,28,1]".
std::string to_string(const RowType& type);

/// The label of a row that has none.
inline constexpr int32_t kNoLabel = -1;
/// The label of a row that was left out because it could not be read.
inline constexpr int32_t kLeftOut = -2;

/// Part of a picture: lines top … bottom - 1, columns left … right - 1.
struct PixelBox {
  int64_t top = 0;
  int64_t bottom = 0;
  int64_t left = 0;
  int64_t right = 0;
  bool operator==(const PixelBox&) const = default;
};
/// What who reads a row u8 [h,w,c] makes of it.
struct PixelsUse {
  std::optional<PixelBox> part = {};  // that matters; nothing: all
  Tensor place = {};                  // of the row's type, where its pixels may go; undefined: none
};
/// Asked with the row's type when it is known.
using PixelsWanted = std::function<PixelsUse(const RowType&)>;

struct Row {
  Tensor data;  // contiguous; may share memory with the source
  int32_t label = kNoLabel;
};

/// A row that lies in the source's memory.
struct RowView {
  std::span<const std::byte> data;
  int32_t label = kNoLabel;
};

/// Rows by number. Thread-safe.
class RowSource {
 public:
  virtual ~RowSource() = default;
  /// How messages call it, in the notation that opens it.
  virtual const std::string& name() const = 0;
  virtual int64_t size() const = 0;
  /// Row `index`, 0 ≤ index < size(). Rows may differ in shape where the source is a list of files.
  virtual Row row(int64_t index) const = 0;
  /// The same where only some pixels matter: the others may hold anything. A source that decodes
  /// saves the work, and copies where there is a place; what lies there when it fails means
  /// nothing.
  virtual Row row_part(int64_t index, const PixelsWanted& /*wanted*/) const { return row(index); }
  /// The same without a tensor, which costs as much as transforming a small row; nothing where rows
  /// do not lie in memory or differ in type.
  virtual std::optional<RowView> look(int64_t /*index*/) const { return std::nullopt; }
  virtual bool has_labels() const { return true; }
  /// The classes' names by label; none where the source knows none.
  virtual std::span<const std::string> class_names() const { return {}; }
  /// How people call a row: "row 7", or its file where it has one.
  virtual std::string row_name(int64_t index) const;
  /// What opening left out, in sentences for people.
  virtual std::vector<std::string> notes() const { return {}; }
};

/// More pixels than this in one picture are refused unless asked for: 402 MB as bytes.
inline constexpr int64_t kMaxPixels = int64_t{1} << 27;

struct RowsOptions {
  std::filesystem::path labels = {};  // names of the classes, and for folders their numbers
  int64_t max_pixels = kMaxPixels;    // of a picture
};

struct RowSourceDef {
  std::string_view name;      // filled in by the registry: the name of the file
  std::string_view notation;  // "mnist:DIR[/train|/test]"
  std::string_view doc;
  /// Opens what stands after "name:".
  std::shared_ptr<const RowSource> (*open)(std::string_view place, const RowsOptions&) = nullptr;
};

/// Every source, sorted by name.
std::span<const RowSourceDef> all_row_sources();

/// Opens `notation`. Throws kInvalidArgument with the known sources when there is none of that
/// name, and kNotFound with the files looked for when the place does not hold them.
std::shared_ptr<const RowSource> open_rows(std::string_view notation,
                                           const RowsOptions& options = {});
/// The source's name in a notation: "mnist" in "mnist:DIR".
std::string_view source_name(std::string_view notation);

}  // namespace tessera
