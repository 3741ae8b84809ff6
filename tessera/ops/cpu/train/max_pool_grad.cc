#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/train/internal/channel_view.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/pool.h"

namespace tessera {
namespace {

class MaxPoolGrad final : public PreparedKernel {
 public:
  MaxPoolGrad(const OpCall& call, const Formats& offered) : window_(pool_window(call)) {
    const Format format = internal::viewable(call.shape(0), offered.operands[0]);
    x_ = internal::channel_view(call.shape(0), format);
    const Format pooled = internal::channel_format(call.shape(1), x_.lanes);
    formats_ = {{format, pooled}, {format}};
    threads_ = internal::worthwhile_threads(
        static_cast<double>(element_count(call.shape(0)) * window_.y.kernel), x_.outer * x_.blocks);
  }
  const Formats& formats() const override { return formats_; }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* x = internal::floats_of(operands[0]);
    const float* gradient = internal::floats_of(operands[1]);
    float* out = internal::mutable_floats_of(results[0]);
    const int64_t size = x_.inner * x_.lanes;
    const int64_t pooled = window_.y.output * window_.x.output * x_.lanes;
    internal::parallel_ranges(x_.outer * x_.blocks, threads_, [&](int64_t begin, int64_t end) {
      Largest largest(x_.lanes);
      std::vector<float> row(static_cast<size_t>(2 * window_.x.output));
      for (int64_t p = begin; p < end; ++p) {
        if (x_.lanes == 1 && is_tiled(window_.y) && is_tiled(window_.x))
          spread_tiles(x + p * size, gradient + p * pooled, out + p * size, row.data(),
                       row.data() + window_.x.output);
        else
          spread(x + p * size, gradient + p * pooled, out + p * size, largest);
      }
    });
  }

 private:
  /// Per lane the largest element of a window so far, and its place.
  struct Largest {
    explicit Largest(int64_t lanes)
        : value(static_cast<size_t>(lanes)), place(static_cast<size_t>(lanes)) {}
    std::vector<float> value;
    std::vector<int32_t> place;
  };

  void spread(const float* x, const float* gradient, float* out, Largest& largest) const {
    const int64_t lanes = x_.lanes;
    std::fill(out, out + x_.inner * lanes, 0.0F);
    internal::each_patch(window_, [&](const internal::Patch& patch) {
      const int64_t first = patch.top * window_.x.input + patch.left;
      std::copy_n(x + first * lanes, lanes, largest.value.begin());
      std::fill(largest.place.begin(), largest.place.end(), static_cast<int32_t>(first));
      for (int64_t y = patch.top; y < patch.bottom; ++y)
        for (int64_t column = patch.left; column < patch.right; ++column)
          take(x, y * window_.x.input + column, largest);
      for (int64_t l = 0; l < lanes; ++l)
        out[largest.place[static_cast<size_t>(l)] * lanes + l] += gradient[l];
      gradient += lanes;
    });
  }

  /// Whether windows neither overlap nor reach over the image.
  static bool is_tiled(const WindowDim& dim) {
    return dim.stride == dim.kernel && dim.dilation == 1 && dim.pad_begin == 0 &&
           dim.output * dim.kernel <= dim.input;
  }

  /// The same of one channel alone whose windows are tiles, a row of them at a time and without a
  /// branch per element: which one is the largest is not to be foreseen. `largest` and `left` have
  /// room for a row of results.
  void spread_tiles(const float* x, const float* gradient, float* out, float* largest,
                    float* left) const {
    const int64_t columns = window_.x.output, width = window_.x.input, step = window_.x.kernel;
    std::fill(out, out + x_.inner, 0.0F);
    for (int64_t row = 0; row < window_.y.output; ++row, gradient += columns) {
      const int64_t top = row * window_.y.kernel * width;
      for (int64_t c = 0; c < columns; ++c) largest[c] = x[top + c * step];
      std::copy_n(gradient, columns, left);
      each_tap([&](int64_t y, int64_t tap) {
        const float* in = x + top + y * width + tap;
        for (int64_t c = 0; c < columns; ++c)
          largest[c] = in[c * step] > largest[c] ? in[c * step] : largest[c];
      });
      each_tap([&](int64_t y, int64_t tap) {
        const float* in = x + top + y * width + tap;
        float* to = out + top + y * width + tap;
        // Nothing is larger than a first element that is no number: it takes the gradient.
        const bool is_first = y == 0 && tap == 0;
        for (int64_t c = 0; c < columns; ++c) {
          const bool is_bad = is_first & (largest[c] != largest[c]);
          const bool is_largest = (in[c * step] == largest[c]) | is_bad;
          to[c * step] = is_largest ? left[c] : 0.0F;
          left[c] = is_largest ? 0.0F : left[c];  // of equal ones the first takes it
        }
      });
    }
  }

  template <typename Visit>
  void each_tap(Visit visit) const {
    for (int64_t y = 0; y < window_.y.kernel; ++y)
      for (int64_t tap = 0; tap < window_.x.kernel; ++tap) visit(y, tap);
  }

  void take(const float* x, int64_t place, Largest& largest) const {
    float* value = largest.value.data();
    int32_t* at = largest.place.data();
    for (int64_t l = 0; l < x_.lanes; ++l) {
      const float here = x[place * x_.lanes + l];
      const bool larger = here > value[l];
      at[l] = larger ? static_cast<int32_t>(place) : at[l];
      value[l] = larger ? here : value[l];
    }
  }

  Window window_;
  Formats formats_;
  internal::ChannelView x_;
  int threads_;
};

/// Places are counted in 32 bits.
Support supports(const OpCall& call) {
  if (Support support = internal::f32_filled(call); !support.ok) return support;
  const Window window = pool_window(call);
  return window.y.input * window.x.input <= INT32_MAX ? Support::yes()
                                                      : Support::no("an image is too large");
}

}  // namespace

TESSERA_KERNEL(max_pool_grad, cpu_train) {
  return {
      .name = "vector",
      .device = DeviceKind::kCpu,
      .supports = supports,
      .prepare = [](const OpCall& call, const Formats& offered) -> std::unique_ptr<PreparedKernel> {
        return std::make_unique<MaxPoolGrad>(call, offered);
      }};
}

}  // namespace tessera
