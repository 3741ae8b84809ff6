#include <fmt/format.h>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/internal/window.h"

namespace tessera {
namespace {

/// The global shape of the convolution's x.
Shape input_shape(const OpCall& call) {
  const Shape& gradient = call.global(0);
  const Shape& weight = call.global(1);
  const Ints& size = call.attr<Ints>("size");
  require(gradient.size() == 4 && weight.size() == 4 && size.size() == 2,
          "wants gradient [n,o,y,x], weight [o,i,h,w] and size [h,w], found {}, {} and {}",
          shown(gradient), shown(weight), to_string(Attr(size)));
  return {gradient[0], checked_product(weight[1], call.attr<int64_t>("groups")), size[0], size[1]};
}

Window window_of(const OpCall& call) {
  return conv_window(call, input_shape(call), call.global(1));
}

/// sums[h,w] += what one plane of the gradient gives through one filter plane.
template <typename T>
void add_plane(const Window& window, const T* gradient, const T* filter, double* sums) {
  for (int64_t p = 0; p < window.y.kernel; ++p) {
    const TapRange rows = covered(window.y, p);
    for (int64_t q = 0; q < window.x.kernel; ++q) {
      const TapRange columns = covered(window.x, q);
      const double weight = internal::widen(filter[p * window.x.kernel + q]);
      for (int64_t y = rows.begin; y < rows.end; ++y) {
        const T* from = gradient + y * window.x.output;
        double* to = sums + (window.y.begin(y) + p * window.y.dilation) * window.x.input +
                     q * window.x.dilation - window.x.pad_begin;
        for (int64_t x = columns.begin; x < columns.end; ++x)
          to[x * window.x.stride] += weight * internal::widen(from[x]);
      }
    }
  }
}

template <typename T>
void spread(const OpCall& call, std::span<const Tensor> operands, Tensor& result) {
  const Window window = window_of(call);
  const Shape& shape = result.shape();
  const ConvGroups groups = conv_groups(shape, operands[1].shape());
  const T* gradient = operands[0].data<T>().data();
  const T* weight = operands[1].data<T>().data();
  T* out = result.mutable_data<T>().data();
  const int64_t out_plane = window.y.output * window.x.output;
  const int64_t filter_plane = window.y.kernel * window.x.kernel;
  const int64_t outputs = groups.count * groups.outputs;
  std::vector<double> sums(static_cast<size_t>(window.y.input * window.x.input));
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t c = 0; c < shape[1]; ++c) {
      std::fill(sums.begin(), sums.end(), 0.0);
      const int64_t first = c / groups.inputs * groups.outputs;
      for (int64_t o = first; o < first + groups.outputs; ++o)
        add_plane(window, gradient + (n * outputs + o) * out_plane,
                  weight + (o * groups.inputs + c % groups.inputs) * filter_plane, sums.data());
      for (const double sum : sums) *out++ = internal::narrow<T>(sum);
    }
  }
}

void conv2d_input_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                           std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    spread<typename decltype(tag)::type>(call, operands, results[0]);
  });
}

void check_conv2d_input_grad(const OpCall& call) {
  const auto groups = call.attr<int64_t>("groups");
  const int64_t outputs = call.global(1).empty() ? 0 : call.global(1)[0];
  require(groups >= 1 && outputs % groups == 0, "{} groups do not divide {} output channels",
          groups, outputs);
  const Window window = window_of(call);
  const Shape& gradient = call.global(0);
  require(
      gradient[1] == outputs && gradient[2] == window.y.output && gradient[3] == window.x.output,
      "gradient is {}, the convolution's result has {} channels of {}x{}", shown(gradient), outputs,
      window.y.output, window.x.output);
}

std::string conv2d_input_grad_rule(const OpCall& call) {
  const Shape x = input_shape(call);
  const auto groups = call.attr<int64_t>("groups");
  const std::string in = groups == 1 ? "i" : fmt::format("(g={} i)", groups);
  const std::string out = groups == 1 ? "o" : fmt::format("(g={} o)", groups);
  return fmt::format("n {} [y] [x], {} i [p] [q] -> n {} [h={}] [w={}]", out, out, in, x[2], x[3]);
}

std::vector<AttrDef> conv2d_input_grad_attrs() {
  std::vector<AttrDef> attrs = conv_attrs();
  attrs.push_back({"size", Ints{1, 1}, "height and width of x", true});
  return attrs;
}

}  // namespace

TESSERA_OP(conv2d_input_grad) {
  return {
      .mindspore_name = "Conv2DBackpropInput",
      .doc =
          "x'[n,i,h,w] = sum over o and the windows that see the element of gradient[n,o,y,x] * "
          "weight[o,i,p,q]: what a gradient of conv2d's result gives its x.",
      .operands = {{"gradient"}, {"weight"}},
      .attrs = conv2d_input_grad_attrs(),
      .rule = conv2d_input_grad_rule,
      .check = check_conv2d_input_grad,
      .kernels = {reference(conv2d_input_grad_cpu)},
      .examples = {{{{2, 4, 8, 7}, {4, 3, 3, 3}}, {{"size", Ints{8, 7}}}},
                   {{{2, 6, 5, 2}, {6, 2, 3, 2}},
                    {{"groups", 2}, {"stride", Ints{2, 3}}, {"size", Ints{9, 6}}}},
                   {{{1, 8, 5, 5}, {8, 1, 3, 3}},
                    {{"groups", 4}, {"pad_mode", "valid"}, {"size", Ints{7, 7}}}},
                   {{{2, 5, 10, 5}, {5, 3, 3, 3}},
                    {{"pad_mode", "pad"},
                     {"dilation", Ints{2, 1}},
                     {"stride", Ints{1, 2}},
                     {"padding", Ints{2, 2, 1, 1}},
                     {"size", Ints{10, 9}}}},
                   {{{2, 2, 3, 2}, {2, 1, 5, 5}}, {{"size", Ints{3, 2}}}},
                   {{{3, 3, 3, 3}, {3, 2, 1, 1}}, {{"stride", Ints{2, 2}}, {"size", Ints{5, 5}}}},
                   {{{2, 20, 6, 5}, {20, 17, 3, 3}},
                    {{"stride", Ints{2, 2}}, {"size", Ints{12, 10}}}},
                   {{{0, 3, 5, 5}, {3, 2, 3, 3}}, {{"size", Ints{5, 5}}}}},
  };
}

}  // namespace tessera
