#include <fmt/format.h>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/internal/window.h"

namespace tessera {
namespace {

/// The global shape of the convolution's weight.
Shape weight_shape(const OpCall& call) {
  const Shape& x = call.global(0);
  const Shape& gradient = call.global(1);
  const Ints& kernel = call.attr<Ints>("kernel");
  const auto groups = call.attr<int64_t>("groups");
  require(x.size() == 4 && gradient.size() == 4 && kernel.size() == 2,
          "wants x [n,i,h,w], gradient [n,o,y,x] and kernel [h,w], found {}, {} and {}", shown(x),
          shown(gradient), to_string(Attr(kernel)));
  require(groups >= 1 && x[1] % groups == 0 && gradient[1] % groups == 0,
          "{} groups do not divide {} input and {} output channels", groups, x[1], gradient[1]);
  return {gradient[1], x[1] / groups, kernel[0], kernel[1]};
}

/// What the taps of one filter plane get from one plane of x and one of the gradient.
template <typename T>
void add_taps(const Window& window, const T* plane, const T* gradient, double* sums) {
  for (int64_t p = 0; p < window.y.kernel; ++p) {
    const TapRange rows = covered(window.y, p);
    for (int64_t q = 0; q < window.x.kernel; ++q, ++sums) {
      const TapRange columns = covered(window.x, q);
      for (int64_t y = rows.begin; y < rows.end; ++y) {
        const T* in = plane + (window.y.begin(y) + p * window.y.dilation) * window.x.input +
                      q * window.x.dilation - window.x.pad_begin;
        const T* by = gradient + y * window.x.output;
        for (int64_t x = columns.begin; x < columns.end; ++x)
          *sums += static_cast<double>(internal::widen(in[x * window.x.stride])) *
                   internal::widen(by[x]);
      }
    }
  }
}

template <typename T>
void correlate(const OpCall& call, std::span<const Tensor> operands, Tensor& result) {
  const Window window = conv_window(call, call.global(0), weight_shape(call));
  const Shape& shape = operands[0].shape();
  const ConvGroups groups = conv_groups(shape, result.shape());
  const T* x = operands[0].data<T>().data();
  const T* gradient = operands[1].data<T>().data();
  T* out = result.mutable_data<T>().data();
  const int64_t in_plane = window.y.input * window.x.input;
  const int64_t out_plane = window.y.output * window.x.output;
  const int64_t outputs = groups.count * groups.outputs;
  std::vector<double> sums(static_cast<size_t>(window.y.kernel * window.x.kernel));
  for (int64_t o = 0; o < outputs; ++o) {
    const int64_t first = o / groups.outputs * groups.inputs;
    for (int64_t i = first; i < first + groups.inputs; ++i) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t n = 0; n < shape[0]; ++n)
        add_taps(window, x + (n * shape[1] + i) * in_plane,
                 gradient + (n * outputs + o) * out_plane, sums.data());
      for (const double sum : sums) *out++ = internal::narrow<T>(sum);
    }
  }
}

void conv2d_weight_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                            std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    correlate<typename decltype(tag)::type>(call, operands, results[0]);
  });
}

void check_conv2d_weight_grad(const OpCall& call) {
  const Window window = conv_window(call, call.global(0), weight_shape(call));
  const Shape& gradient = call.global(1);
  require(gradient[0] == call.global(0)[0] && gradient[2] == window.y.output &&
              gradient[3] == window.x.output,
          "gradient is {}, the convolution's result [{},o,{},{}]", shown(gradient),
          call.global(0)[0], window.y.output, window.x.output);
}

std::string conv2d_weight_grad_rule(const OpCall& call) {
  const Shape weight = weight_shape(call);
  const auto groups = call.attr<int64_t>("groups");
  const std::string in = groups == 1 ? "i" : fmt::format("(g={} i)", groups);
  const std::string out = groups == 1 ? "o" : fmt::format("(g={} o)", groups);
  return fmt::format("n {} [h] [w], n {} [y] [x] -> {} i [p={}] [q={}]", in, out, out, weight[2],
                     weight[3]);
}

std::vector<AttrDef> conv2d_weight_grad_attrs() {
  std::vector<AttrDef> attrs = conv_attrs();
  attrs.push_back({"kernel", Ints{1, 1}, "height and width of the window", true});
  return attrs;
}

}  // namespace

TESSERA_OP(conv2d_weight_grad) {
  return {
      .mindspore_name = "Conv2DBackpropFilter",
      .doc =
          "weight'[o,i,p,q] = sum over n,y,x of x[n,i,y*s+p*d,x*s+q*d] * gradient[n,o,y,x]: what "
          "a gradient of conv2d's result gives its weight.",
      .operands = {{"x"}, {"gradient"}},
      .attrs = conv2d_weight_grad_attrs(),
      .rule = conv2d_weight_grad_rule,
      .check = check_conv2d_weight_grad,
      .kernels = {reference(conv2d_weight_grad_cpu)},
      .examples = {{{{2, 3, 8, 7}, {2, 4, 8, 7}}, {{"kernel", Ints{3, 3}}}},
                   {{{2, 4, 9, 6}, {2, 6, 5, 2}},
                    {{"groups", 2}, {"stride", Ints{2, 3}}, {"kernel", Ints{3, 2}}}},
                   {{{1, 4, 7, 7}, {1, 8, 5, 5}},
                    {{"groups", 4}, {"pad_mode", "valid"}, {"kernel", Ints{3, 3}}}},
                   {{{2, 3, 10, 9}, {2, 5, 10, 5}},
                    {{"pad_mode", "pad"},
                     {"dilation", Ints{2, 1}},
                     {"stride", Ints{1, 2}},
                     {"padding", Ints{2, 2, 1, 1}},
                     {"kernel", Ints{3, 3}}}},
                   {{{2, 1, 3, 2}, {2, 2, 3, 2}}, {{"kernel", Ints{5, 5}}}},
                   {{{3, 2, 5, 5}, {3, 3, 3, 3}}, {{"stride", Ints{2, 2}}, {"kernel", Ints{1, 1}}}},
                   {{{2, 17, 12, 10}, {2, 20, 6, 5}},
                    {{"stride", Ints{2, 2}}, {"kernel", Ints{3, 3}}}},
                   {{{0, 2, 5, 5}, {0, 3, 5, 5}}, {{"kernel", Ints{3, 3}}}}},
  };
}

}  // namespace tessera
