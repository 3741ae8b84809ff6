// What is done to each row before it enters a batch, in the notation of every command:
//
//   resize(32,32) rescale(1/255) normalize(0.1307,0.3081) to_chw
//
// A number may be a product or a quotient: rescale(1/0.3081,-0.1307/0.3081). A list stands for one
// number per channel: normalize([0.49,0.48,0.45],[0.2,0.2,0.2]). Rows of images are [h,w,c], as in
// MindSpore, until to_chw. Each transform is one file of tessera/data/transforms and gives
// MindSpore's values bit for bit.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/data/row_source.h"

namespace tessera {

struct TransformDef;

/// One argument: numbers (one, or a list), or a word, whose `numbers` are empty.
struct TransformArgument {
  std::string text;  // as written, without spaces
  std::vector<double> numbers;
  bool operator==(const TransformArgument&) const = default;
};

/// A transform with its arguments, not yet bound to a type of row. A value.
struct Transform {
  const TransformDef* def = nullptr;
  std::vector<TransformArgument> arguments;
  bool operator==(const Transform&) const = default;
};

/// Reads the notation; an empty text is no transforms. Throws kInvalidArgument with the position.
std::vector<Transform> parse_transforms(std::string_view text);
std::string to_string(const Transform& transform);
/// Reads back to the same transforms.
std::string to_string(std::span<const Transform> transforms);

/// What a step may move: the chain of a pipeline joins steps by it.
enum class RowStepKind : uint8_t {
  kGeneral,
  kElementwise,  // an element of the result depends on its element of the row and its channel, the
                 // index in the last dim; it works for any extents of the dims before the last
  kRelabel,      // the bytes stay; only the shape changes
  kCut,          // of rows [h,w,c]: the result is the part of the row that it needs
};

/// A transform bound to a type of row. Thread-safe.
class RowStep {
 public:
  RowStep(RowStepKind kind, RowType result) : kind_(kind), result_(std::move(result)) {}
  virtual ~RowStep() = default;
  RowStepKind kind() const { return kind_; }
  const RowType& result() const { return result_; }
  /// `row` and `out` have the sizes of the types. Not called for kRelabel.
  virtual void run(std::span<const std::byte> row, std::span<std::byte> out) const = 0;
  /// The pixels of the row that the part `wanted` of the result depends on, of rows [h,w,c];
  /// nothing stands for all of either.
  virtual std::optional<PixelBox> needed(const std::optional<PixelBox>& wanted) const {
    (void)wanted;
    return std::nullopt;
  }
  /// A step that may leave the pixels outside `wanted` of its result as they were; null where that
  /// would save nothing.
  virtual std::shared_ptr<const RowStep> for_part(const PixelBox& wanted) const {
    (void)wanted;
    return nullptr;
  }

 private:
  RowStepKind kind_;
  RowType result_;
};

struct TransformDef {
  std::string_view name;      // filled in by the registry: the name of the file
  std::string_view notation;  // "resize(HEIGHT,WIDTH[,linear|nearest])"
  std::string_view doc;
  size_t min_arguments = 0;
  size_t max_arguments = 0;
  bool takes_pixels = false;  // works on [h,w,c] only
  bool gives_planes = false;  // makes [c,h,w] of it
  /// Binds to rows of type `row`; throws kInvalidArgument when it does not apply to them.
  std::unique_ptr<RowStep> (*bind)(std::span<const TransformArgument>,
                                   const RowType& row) = nullptr;
};

/// Every transform, sorted by name.
std::span<const TransformDef> all_transforms();

}  // namespace tessera
