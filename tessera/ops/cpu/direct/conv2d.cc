#include <cstring>

#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/fused.h"
#include "tessera/ops/internal/window.h"

namespace tessera {
namespace {

using internal::DirectConv;

constexpr int64_t kMostIn = 8;
constexpr int64_t kMostOut = 32;
constexpr int64_t kMostPixels = 64 * 64;

Support supports(const OpCall& call) {
  if (Support support = internal::direct_supports(call); !support.ok) return support;
  const Shape& weight = call.shape(1);
  if (call.shape(0)[1] != call.shape(1)[1]) return Support::no("it computes one group only");
  if (weight[1] > kMostIn || weight[0] > kMostOut) {
    return Support::no(
        fmt::format("made for at most {} channels in and {} out", kMostIn, kMostOut));
  }
  if (call.shape(0)[2] * call.shape(0)[3] > kMostPixels) {
    return Support::no(fmt::format("made for images of at most {} pixels", kMostPixels));
  }
  if (call.operand_count() > internal::kResidualOperand) return Support::no("it adds no residual");
  switch (parse_activation(call.attr<std::string>("activation"))) {
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kRelu6:
    case Activation::kLeakyRelu:
      return Support::yes();
    default:
      return Support::no("it ends in relu, relu6, leaky_relu or nothing");
  }
}

DirectConv planned(const OpCall& call, const Window& window) {
  DirectConv conv;
  conv.simd = internal::available_simd();
  const Shape& weight = call.shape(1);
  conv.in_channels = weight[1];
  conv.in_height = window.y.input + window.y.pad_begin + window.y.pad_end;
  conv.in_width = window.x.input + window.x.pad_begin + window.x.pad_end;
  conv.kernel_y = window.y.kernel;
  conv.kernel_x = window.x.kernel;
  conv.stride_y = window.y.stride;
  conv.stride_x = window.x.stride;
  conv.dilation_y = window.y.dilation;
  conv.dilation_x = window.x.dilation;
  conv.out_channels = weight[0];
  conv.out_height = window.y.output;
  conv.out_width = window.x.output;
  conv.activation = parse_activation(call.attr<std::string>("activation"));
  conv.alpha = static_cast<float>(call.attr<double>("alpha"));
  internal::plan_direct_conv(conv);
  return conv;
}

double work_of(const OpCall& call) {
  const Shape& weight = call.shape(1);
  return static_cast<double>(element_count(weight) / weight[0]) *
         static_cast<double>(element_count(call.results[0].shape()));
}

class PreparedConv final : public internal::DirectKernel {
 public:
  explicit PreparedConv(const OpCall& call)
      : DirectKernel(call, work_of(call), call.shape(0)[0]),
        images_(call.shape(0)[0]),
        window_(conv_window(call)),
        conv_(planned(call, window_)),
        has_bias_(call.operand_count() > internal::kBiasOperand),
        padded_(conv_.in_height != window_.y.input || conv_.in_width != window_.x.input) {
    const size_t known = call.constants.size();
    weight_known_ = known > 1 && call.constants[1] != nullptr;
    bias_known_ = !has_bias_ || (known > 2 && call.constants[2] != nullptr);
    if (weight_known_) {
      internal::pack_weights(conv_, call.constants[1]->data<float>().data());
    }
    if (bias_known_) {
      internal::pack_bias(conv_, has_bias_ ? call.constants[2]->data<float>().data() : nullptr);
    }
  }

  std::string detail() const override {
    return fmt::format("{} by {}", internal::to_string(conv_.simd),
                       conv_.by_rows ? "rows" : "channels");
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    if (!weight_known_) internal::pack_weights(conv_, in(operands, 1));
    if (!bias_known_) internal::pack_bias(conv_, in(operands, 2));
    const float* images = in(operands, 0);
    float* made = out(results);
    const int64_t image_size = conv_.in_channels * window_.y.input * window_.x.input;
    const int64_t result_size = conv_.out_channels * conv_.out_height * conv_.out_width;
    internal::parallel_ranges(images_, threads_, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const float* image = images + n * image_size;
        internal::run_direct_conv(conv_, padded_ ? padded(image) : image, made + n * result_size);
      }
    });
  }

 private:
  /// The image with its padding, in memory of this thread.
  const float* padded(const float* image) const {
    thread_local std::vector<float> scratch;
    scratch.assign(static_cast<size_t>(conv_.in_channels * conv_.in_height * conv_.in_width), 0.0F);
    for (int64_t c = 0; c < conv_.in_channels; ++c) {
      for (int64_t y = 0; y < window_.y.input; ++y) {
        float* to = scratch.data() +
                    (c * conv_.in_height + y + window_.y.pad_begin) * conv_.in_width +
                    window_.x.pad_begin;
        std::memcpy(to, image, static_cast<size_t>(window_.x.input) * sizeof(float));
        image += window_.x.input;
      }
    }
    return scratch.data();
  }

  int64_t images_;
  Window window_;
  DirectConv conv_;
  bool has_bias_;
  bool padded_;
  bool weight_known_ = false;
  bool bias_known_ = false;
};

}  // namespace

TESSERA_KERNEL(conv2d, cpu_direct) {
  return {.name = "direct",
          .supports = supports,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<PreparedConv>(call);
          }};
}

}  // namespace tessera
