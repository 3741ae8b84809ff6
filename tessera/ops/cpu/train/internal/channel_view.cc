#include "tessera/ops/cpu/train/internal/channel_view.h"

#include "tessera/ops/cpu/internal/dnnl_format.h"
#include "tessera/ops/internal/axis.h"

namespace tessera::internal {
namespace {

int64_t lanes_of(const Shape& shape, const Format& format) {
  if (format == nullptr) return 1;
  const auto* known = dynamic_cast<const DnnlFormat*>(format.get());
  if (known == nullptr || shape.size() != 4) return 0;
  using Tag = dnnl::memory::format_tag;
  const auto is = [&](Tag tag) {
    return known->desc() == DnnlDesc(dims_of(shape), dnnl::memory::data_type::f32, tag);
  };
  if (is(Tag::nhwc)) return shape[1];
  if (shape[1] % 16 == 0 && is(Tag::nChw16c)) return 16;
  return shape[1] % 8 == 0 && is(Tag::nChw8c) ? 8 : 0;
}

}  // namespace

ChannelView channel_view(const Shape& shape, const Format& format) {
  const AxisView view = axis_view(shape, 1);
  const int64_t lanes = lanes_of(shape, format);
  return {view.outer, lanes == 0 ? 0 : view.extent / lanes, view.inner, lanes};
}

Format channel_format(const Shape& shape, int64_t lanes) {
  if (lanes == 1) return nullptr;
  using Tag = dnnl::memory::format_tag;
  const Tag tag = lanes == shape[1] ? Tag::nhwc : (lanes == 16 ? Tag::nChw16c : Tag::nChw8c);
  return format_of(DnnlDesc(dims_of(shape), dnnl::memory::data_type::f32, tag));
}

Format viewable(const Shape& shape, const Format& format) {
  return lanes_of(shape, format) == 0 ? nullptr : format;
}

}  // namespace tessera::internal
