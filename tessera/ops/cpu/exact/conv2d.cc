#include <cstring>

#include "tessera/ops/cpu/internal/exact_kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/window.h"

namespace tessera {
namespace {

using internal::kPanel;
using internal::MatrixShape;
using internal::MatrixView;

double work_of(const OpCall& call) {
  const Shape& weight = call.shape(1);
  return static_cast<double>(weight[1] * weight[2] * weight[3]) *
         static_cast<double>(element_count(call.results[0].shape()));
}

/// Per image and group: the weights' rows by the windows' pixels. Padding counts as zeros, for
/// every pixel alike.
class PreparedConv final : public internal::DirectKernel {
 public:
  explicit PreparedConv(const OpCall& call)
      : DirectKernel(call, work_of(call), 1 << 20),
        attrs_(call.attrs),
        simd_(internal::available_simd()),
        images_(call.shape(0)[0]),
        groups_(conv_groups(call.shape(0), call.shape(1))),
        window_(conv_window(call)),
        height_(window_.y.input + window_.y.pad_begin + window_.y.pad_end),
        width_(window_.x.input + window_.x.pad_begin + window_.x.pad_end),
        tiles_(groups_.outputs, simd_) {
    windows_.simd = simd_;
    windows_.pixels = window_.y.output * window_.x.output;
    windows_.out_width = window_.x.output;
    windows_.row_step = window_.y.stride * width_;
    windows_.column_step = window_.x.stride;
    for (int64_t c = 0; c < groups_.inputs; ++c)
      for (int64_t y = 0; y < window_.y.kernel; ++y)
        for (int64_t x = 0; x < window_.x.kernel; ++x)
          windows_.taps.push_back((c * height_ + y * window_.y.dilation) * width_ +
                                  x * window_.x.dilation);
    if (const float* weight = internal::known_elements(call, 1)) {
      pack(weight);
      is_packed_ = true;
    }
  }

  std::string detail() const override { return std::string(internal::to_string(simd_)); }
  int64_t kept_bytes() const override { return internal::bytes_of(packed_); }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    if (!is_packed_) pack(operands[1].data<float>().data());
    const float* x = operands[0].data<float>().data();
    float* out = results[0].mutable_data<float>().data();
    internal::ExactEnd end = internal::exact_end(attrs_, operands);
    end.bias_of_rows = true;
    // One item is a few panels of one image of one group.
    const int64_t panels = internal::panel_count(windows_.pixels);
    const int64_t parts = (panels + kPanels - 1) / kPanels;
    internal::parallel_ranges(
        images_ * groups_.count * parts, threads_, [&](int64_t begin, int64_t end_item) {
          int64_t held = -1;  // whose image is in the scratch
          for (int64_t item = begin; item < end_item; ++item) {
            const int64_t plane = item / parts;
            float* image = scratch(0, groups_.inputs * height_ * width_ + kPanel);
            if (plane != held) copy_padded(x + plane * input_size(), image);
            held = plane;
            const int64_t first = item % parts * kPanels;
            run_part({plane, first, std::min(first + kPanels, panels)}, image, end, out);
          }
        });
  }

 private:
  static constexpr int64_t kPanels = 8;  // of an item

  int64_t inner() const { return static_cast<int64_t>(windows_.taps.size()); }
  int64_t input_size() const { return groups_.inputs * window_.y.input * window_.x.input; }

  void pack(const float* weight) {
    packed_.resize(static_cast<size_t>(groups_.count * groups_.outputs * inner()));
    const MatrixShape shape{groups_.outputs, inner(), inner(), 1};
    for (int64_t g = 0; g < groups_.count; ++g) {
      const int64_t at = g * groups_.outputs * inner();
      internal::pack_tiles(MatrixView<float>(shape, weight + at), tiles_, 0, tiles_.count,
                           packed_.data() + at);
    }
  }

  /// Memory of this thread, filled by what ran before.
  static float* scratch(size_t which, int64_t count) {
    thread_local std::array<std::vector<float>, 2> memory;
    if (memory[which].size() < static_cast<size_t>(count))
      memory[which].resize(static_cast<size_t>(count));
    return memory[which].data();
  }

  /// One group's channels with their padding.
  void copy_padded(const float* from, float* to) const {
    const int64_t columns = window_.x.input;
    std::fill_n(to, groups_.inputs * height_ * width_, 0.0F);
    for (int64_t c = 0; c < groups_.inputs; ++c) {
      for (int64_t y = 0; y < window_.y.input; ++y, from += columns) {
        std::memcpy(to + (c * height_ + y + window_.y.pad_begin) * width_ + window_.x.pad_begin,
                    from, static_cast<size_t>(columns) * sizeof(float));
      }
    }
  }

  /// Panels [first, last) of all channels of one group of one image.
  struct Part {
    int64_t plane = 0;  // image * groups + group
    int64_t first = 0;
    int64_t last = 0;
  };

  void run_part(const Part& part, const float* image, const internal::ExactEnd& end,
                float* out) const {
    const auto [plane, first, last] = part;
    float* panels = scratch(1, (last - first) * inner() * kPanel + kPanel);
    internal::pack_windows(windows_, image, first, last, panels);
    const int64_t group = plane % groups_.count;
    const int64_t at = plane * groups_.outputs * windows_.pixels + first * kPanel;
    internal::ExactProduct product;
    product.simd = simd_;
    product.inner = inner();
    product.a = packed_.data() + group * groups_.outputs * inner();
    product.b = panels;
    product.out = out + at;
    product.columns = std::min(last * kPanel, windows_.pixels) - first * kPanel;
    product.row_stride = windows_.pixels;
    product.end = end;
    if (end.bias != nullptr) product.end.bias += group * groups_.outputs;
    if (end.residual != nullptr) product.end.residual += at;
    internal::run_exact(product, tiles_, 0, tiles_.count);
  }

  Attrs attrs_;
  internal::Simd simd_;
  int64_t images_;
  ConvGroups groups_;
  Window window_;
  int64_t height_;  // of an image with its padding
  int64_t width_;
  internal::RowTiles tiles_;
  internal::Windows windows_;
  std::vector<float> packed_;
  bool is_packed_ = false;
};

}  // namespace

TESSERA_KERNEL(conv2d, cpu_exact) {
  return internal::exact_kernel<PreparedConv>();
}

}  // namespace tessera
