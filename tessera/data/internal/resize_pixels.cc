#include "tessera/data/internal/resize_pixels.h"

#include <opencv2/imgproc.hpp>

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

/// OpenCV's view of pixels; it does not write where it only reads.
cv::Mat view(const RowType& type, const std::byte* pixels) {
  const int element = type.dtype == DType::kU8 ? CV_8U : CV_32F;
  return {static_cast<int>(type.shape[0]), static_cast<int>(type.shape[1]),
          CV_MAKETYPE(element, static_cast<int>(type.shape[2])), const_cast<std::byte*>(pixels)};
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

void resize_pixels(const RowType& from_type, std::span<const std::byte> from,
                   const RowType& to_type, std::span<std::byte> to, Interpolation how) {
  use_one_thread();
  const cv::Mat source = view(from_type, from.data());
  cv::Mat result = view(to_type, to.data());
  const void* place = result.data;
  try {
    cv::resize(source, result, result.size(), 0, 0, flag_of(how));
  } catch (const cv::Exception& error) {
    fail(ErrorCode::kInternal, "OpenCV resizes {} to {} not: {}", to_string(from_type),
         to_string(to_type), error.what());
  }
  if (result.data != place) fail(ErrorCode::kInternal, "OpenCV has resized into other memory");
}

}  // namespace tessera::internal
