#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/train/internal/channel_view.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/pool.h"

namespace tessera {
namespace {

Window window_of(const OpCall& call) {
  return pool_window(call, call.results[0].global);
}

/// Each window's share is added to its elements, all lanes of a block at a time.
class AvgPoolGrad final : public PreparedKernel {
 public:
  AvgPoolGrad(const OpCall& call, const Formats& offered)
      : window_(window_of(call)), with_padding_(internal::counts_padding(call)) {
    const Format pooled = internal::viewable(call.shape(0), offered.operands[0]);
    const internal::ChannelView view = internal::channel_view(call.shape(0), pooled);
    const Shape& shape = call.results[0].shape();
    formats_ = {{pooled}, {internal::channel_format(shape, view.lanes)}};
    lanes_ = view.lanes;
    planes_ = view.outer * view.blocks;
    threads_ = internal::worthwhile_threads(static_cast<double>(element_count(shape)), planes_);
  }
  const Formats& formats() const override { return formats_; }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* gradient = internal::floats_of(operands[0]);
    float* out = internal::mutable_floats_of(results[0]);
    const int64_t size = window_.y.input * window_.x.input * lanes_;
    const int64_t pooled = window_.y.output * window_.x.output * lanes_;
    internal::parallel_ranges(planes_, threads_, [&](int64_t begin, int64_t end) {
      std::vector<float> share(static_cast<size_t>(lanes_));
      for (int64_t p = begin; p < end; ++p)
        spread(gradient + p * pooled, out + p * size, share.data());
    });
  }

 private:
  void spread(const float* gradient, float* out, float* share) const {
    const int64_t width = window_.x.input;
    std::fill_n(out, window_.y.input * width * lanes_, 0.0F);
    internal::each_patch(window_, [&](const internal::Patch& patch) {
      const auto count =
          static_cast<float>(internal::averaged_count(window_, patch, with_padding_));
      for (int64_t l = 0; l < lanes_; ++l) share[l] = gradient[l] / count;
      gradient += lanes_;
      for (int64_t y = patch.top; y < patch.bottom; ++y)
        for (int64_t x = patch.left; x < patch.right; ++x)
          for (int64_t l = 0; l < lanes_; ++l) out[(y * width + x) * lanes_ + l] += share[l];
    });
  }

  Window window_;
  bool with_padding_;
  Formats formats_;
  int64_t lanes_ = 1;
  int64_t planes_ = 0;
  int threads_ = 1;
};

}  // namespace

TESSERA_KERNEL(avg_pool_grad, cpu_train) {
  return {
      .name = "vector",
      .device = DeviceKind::kCpu,
      .supports = internal::f32_filled,
      .prepare = [](const OpCall& call, const Formats& offered) -> std::unique_ptr<PreparedKernel> {
        return std::make_unique<AvgPoolGrad>(call, offered);
      }};
}

}  // namespace tessera
