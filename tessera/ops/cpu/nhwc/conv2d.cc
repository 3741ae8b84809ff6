#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/cpu/internal/dnnl_format.h"
#include "tessera/ops/cpu/nhwc/internal/packed_weights.h"
#include "tessera/ops/cpu/nhwc/internal/scratch.h"
#include "tessera/ops/cpu/nhwc/internal/window_conv.h"
#include "tessera/ops/cpu/nhwc/internal/winograd.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/fused.h"

namespace tessera {
namespace {

using namespace internal;  // NOLINT: the words of this folder

Support supports(const OpCall& call) {
  if (Support support = direct_supports(call); !support.ok) return support;
  if (call.shape(0)[1] != call.shape(1)[1]) return Support::no("it computes one group only");
  if (!is_constant(call, 1)) return Support::no("its weights are packed when compiled");
  if (call.shape(1)[0] < 16) return Support::no("made for 16 output channels and more");
  if (Support support = fused_shapes_fit(call, call.shape(1)[0]); !support.ok) return support;
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

bool is_unit(const WindowDim& dim) {
  return dim.kernel == 3 && dim.stride == 1 && dim.dilation == 1;
}

/// Whether Winograd's way takes fewer cycles, by what a core does in one: two multiply-adds of a
/// vector, and a few bytes of weights from beyond its own caches, which the transformed weights,
/// four times as many, cost when there are few patches to use them for.
bool winograd_is_faster(const OpCall& call, const Window& window, Simd simd) {
  if (!is_unit(window.y) || !is_unit(window.x)) return false;
  const Shape& weight = call.shape(1);
  if (weight[0] < 16 || weight[1] < 16) return false;
  constexpr double kBytesPerCycle = 6;
  constexpr double kTransformCycles = 2.5;  // of a vector of channels at one point, both ways
  const double vectors = static_cast<double>(lanes(simd));
  const auto images = static_cast<double>(call.shape(0)[0]);
  const double patches = images * static_cast<double>((window.y.output + kPatch - 1) / kPatch *
                                                      ((window.x.output + kPatch - 1) / kPatch));
  const double products = static_cast<double>(weight[0] * weight[1]);
  const auto cycles = [&](double rows, double bytes) {
    const double own_cache = static_cast<double>(second_cache()) / 2;
    return rows * products / (2 * vectors) + (bytes > own_cache ? bytes / kBytesPerCycle : 0);
  };
  const double direct =
      cycles(images * static_cast<double>(window.y.output * window.x.output * 9), products * 36);
  const double transforms =
      patches * kPoints * static_cast<double>(weight[0] + weight[1]) / vectors * kTransformCycles;
  return cycles(patches * kPoints, products * 144) + transforms < direct;
}

/// Channels last, as oneDNN describes it.
Format channels_last(const Shape& shape) {
  return format_of(
      DnnlDesc(dims_of(shape), dnnl::memory::data_type::f32, dnnl::memory::format_tag::nhwc));
}

double work_of(const OpCall& call) {
  const Shape& weight = call.shape(1);
  return static_cast<double>(element_count(weight) / weight[0]) *
         static_cast<double>(element_count(call.results[0].shape()));
}

class PreparedConv final : public PreparedKernel {
 public:
  explicit PreparedConv(const OpCall& call)
      : window_(conv_window(call)),
        weights_(available_simd(), call.shape(1),
                 winograd_is_faster(call, window_, available_simd())),
        threads_(worthwhile_threads(work_of(call), thread_limit())) {
    const Shape& in = call.shape(0);
    const Shape& out = call.results[0].shape();
    conv_.simd = available_simd();
    conv_.window = window_;
    conv_.images = in[0];
    conv_.in_channels = conv_.in_pitch = in[1];
    conv_.out_channels = conv_.out_pitch = out[1];
    conv_.in_is_plain = conv_.copies_rows();
    conv_.threads = threads_;
    conv_.end.residual_pitch = out[1];
    conv_.end.activation = parse_activation(call.attr<std::string>("activation"));
    conv_.end.alpha = static_cast<float>(call.attr<double>("alpha"));
    formats_.operands.resize(call.operand_count());
    if (!conv_.in_is_plain) formats_.operands[0] = channels_last(in);
    formats_.operands[1] = std::make_shared<PackedWeights>(weights_);
    formats_.results.push_back(channels_last(out));
    if (call.operand_count() > kResidualOperand) {
      formats_.operands[kResidualOperand] = formats_.results[0];
    }
  }

  const Formats& formats() const override { return formats_; }
  std::string detail() const override {
    return fmt::format("{} {}", weights_.is_winograd() ? "winograd" : "tiles",
                       internal::to_string(conv_.simd));
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const auto in = [&](size_t i) {
      return reinterpret_cast<const float*>(operands[i].buffer()->data() +
                                            operands[i].byte_offset());
    };
    auto* out =
        reinterpret_cast<float*>(results[0].buffer()->mutable_data() + results[0].byte_offset());
    conv_.end.bias = operands.size() > kBiasOperand ? in(kBiasOperand) : nullptr;
    conv_.end.residual = operands.size() > kResidualOperand ? in(kResidualOperand) : nullptr;
    if (weights_.is_winograd()) {
      run_winograd(winograd(), weights_.panels(), in(0), in(1), out);
    } else {
      run_window_conv(conv_, weights_.panels(), in(0), in(1), out);
    }
  }

 private:
  WinogradConv winograd() const {
    WinogradConv conv;
    conv.simd = conv_.simd;
    conv.images = conv_.images;
    conv.in_height = window_.y.input;
    conv.in_width = window_.x.input;
    conv.in_channels = conv_.in_channels;
    conv.in_pitch = conv_.in_pitch;
    conv.out_height = window_.y.output;
    conv.out_width = window_.x.output;
    conv.out_channels = conv_.out_channels;
    conv.out_pitch = conv_.out_pitch;
    conv.pad_top = window_.y.pad_begin;
    conv.pad_left = window_.x.pad_begin;
    conv.end = conv_.end;
    conv.threads = threads_;
    return conv;
  }

  Window window_;
  PackedWeights weights_;
  int threads_;
  WindowConv conv_;
  Formats formats_;
};

}  // namespace

TESSERA_KERNEL(conv2d, cpu_nhwc) {
  return {.name = "nhwc",
          .supports = supports,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<PreparedConv>(call);
          }};
}

}  // namespace tessera
