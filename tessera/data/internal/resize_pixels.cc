#include "tessera/data/internal/resize_pixels.h"

#include <opencv2/imgproc.hpp>
#include <opencv2/imgproc/hal/hal.hpp>

namespace tessera::internal {
namespace {

/// OpenCV would start threads of its own for a large picture, beside those of the pipeline that
/// each resize a picture.
void use_one_thread() {
  static const bool done = [] {
    cv::setNumThreads(1);
    return true;
  }();
  (void)done;
}

uint8_t* bytes_of(const std::byte* pixels) {
  return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(pixels));
}

int flag_of(Interpolation how) {
  switch (how) {
    case Interpolation::kLinear:
      return cv::INTER_LINEAR;
    case Interpolation::kNearest:
      return cv::INTER_NEAREST;
    case Interpolation::kCubic:
      return cv::INTER_CUBIC;
    case Interpolation::kArea:
      return cv::INTER_AREA;
  }
  fail(ErrorCode::kInternal, "no interpolation {}", static_cast<int>(how));
}

}  // namespace

void resize_pixels(const Resizing& resizing, std::span<const std::byte> from,
                   std::span<std::byte> to) {
  use_one_thread();
  const Shape& source = resizing.from.shape;
  const Shape& result = resizing.to.shape;
  const int element = resizing.from.dtype == DType::kU8 ? CV_8U : CV_32F;
  const auto line_bytes = [&](const RowType& type) {
    return static_cast<size_t>(type.shape[1] * type.shape[2] * byte_size(type.dtype));
  };
  // Cubic sums are rounded otherwise at the end of a line, and means of areas have ways of their
  // own: those are computed whole.
  const bool in_part =
      resizing.how == Interpolation::kLinear || resizing.how == Interpolation::kNearest;
  const int64_t height = in_part && resizing.bottom > 0 ? resizing.bottom : result[0];
  const int64_t width = in_part && resizing.right > 0 ? resizing.right : result[1];
  const auto ratio = [&](size_t dim) {
    return static_cast<double>(result[dim]) / static_cast<double>(source[dim]);
  };
  try {
    cv::hal::resize(CV_MAKETYPE(element, static_cast<int>(source[2])), bytes_of(from.data()),
                    line_bytes(resizing.from), static_cast<int>(source[1]),
                    static_cast<int>(source[0]), bytes_of(to.data()), line_bytes(resizing.to),
                    static_cast<int>(width), static_cast<int>(height), ratio(1), ratio(0),
                    flag_of(resizing.how));
  } catch (const cv::Exception& error) {
    fail(ErrorCode::kInternal, "OpenCV resizes {} to {} not: {}", to_string(resizing.from),
         to_string(resizing.to), error.what());
  }
}

}  // namespace tessera::internal
