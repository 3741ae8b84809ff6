#include <fmt/format.h>

#include "tessera/base/shown.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/fused.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/internal/window.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

using internal::FusedEnd;

/// sums[y,x] += the convolution of one input plane with one filter plane.
template <typename T>
void add_plane(const Window& window, const T* plane, const T* filter, std::vector<double>& sums) {
  for (int64_t p = 0; p < window.y.kernel; ++p) {
    const TapRange rows = covered(window.y, p);
    for (int64_t q = 0; q < window.x.kernel; ++q) {
      const TapRange columns = covered(window.x, q);
      const double weight = internal::widen(filter[p * window.x.kernel + q]);
      for (int64_t y = rows.begin; y < rows.end; ++y) {
        const T* in = plane + (window.y.begin(y) + p * window.y.dilation) * window.x.input +
                      q * window.x.dilation - window.x.pad_begin;
        double* out = sums.data() + y * window.x.output;
        for (int64_t x = columns.begin; x < columns.end; ++x)
          out[x] += weight * internal::widen(in[x * window.x.stride]);
      }
    }
  }
}

template <typename T>
void convolve(const OpCall& call, std::span<const Tensor> operands, Tensor& result) {
  const Window window = conv_window(call);
  const Shape& shape = operands[0].shape();
  const ConvGroups groups = conv_groups(shape, operands[1].shape());
  const FusedEnd<T> end(call, operands);
  const T* x = operands[0].data<T>().data();
  const T* weight = operands[1].data<T>().data();
  T* out = result.mutable_data<T>().data();
  const int64_t in_plane = window.y.input * window.x.input;
  const int64_t filter_plane = window.y.kernel * window.x.kernel;
  std::vector<double> sums(static_cast<size_t>(window.y.output * window.x.output));
  int64_t at = 0;
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t o = 0; o < groups.count * groups.outputs; ++o) {
      std::fill(sums.begin(), sums.end(), 0.0);
      const int64_t first_input = o / groups.outputs * groups.inputs;
      for (int64_t i = 0; i < groups.inputs; ++i)
        add_plane(window, x + (n * shape[1] + first_input + i) * in_plane,
                  weight + (o * groups.inputs + i) * filter_plane, sums);
      for (const double sum : sums) {
        out[at] = end(sum, o, at);
        ++at;
      }
    }
  }
}

void conv2d_cpu(const OpCall& call, std::span<const Tensor> operands, std::span<Tensor> results) {
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    convolve<typename decltype(tag)::type>(call, operands, results[0]);
  });
}

void check_conv2d(const OpCall& call) {
  conv_window(call);
  parse_activation(call.attr<std::string>("activation"));
  const auto groups = call.attr<int64_t>("groups");
  const int64_t inputs = call.global(0)[1];
  const int64_t outputs = call.global(1)[0];
  require(groups >= 1 && inputs % groups == 0 && outputs % groups == 0,
          "{} groups do not divide {} input and {} output channels", groups, inputs, outputs);
  require(inputs == groups * call.global(1)[1],
          "x has {} channels in {} groups, weight {} is for {} per group", inputs, groups,
          shown(call.operands[1]), call.global(1)[1]);
}

std::string conv2d_rule(const OpCall& call) {
  const Window window = conv_window(call);
  const auto groups = call.attr<int64_t>("groups");
  const std::string i = internal::is_fused(call) ? "[i]" : "i";
  const std::string in = groups == 1 ? i : fmt::format("(g={} {})", groups, i);
  const std::string out = groups == 1 ? "o" : fmt::format("(g={} o)", groups);
  const std::string y = fmt::format("n {} [y={}] [x={}]", out, window.y.output, window.x.output);
  std::string rule = fmt::format("n {} [h] [w], {} {} [p] [q]", in, out, i);
  if (call.operand_count() > internal::kBiasOperand) rule += ", " + out;
  if (call.operand_count() > internal::kResidualOperand) rule += ", " + y;
  return rule + " -> " + y;
}

std::vector<AttrDef> conv2d_attrs() {
  std::vector<AttrDef> attrs = conv_attrs();
  for (const AttrDef& attr : activation_attrs()) attrs.push_back(attr);
  return attrs;
}

Gradients conv2d_gradient(const GradientCall& call) {
  const Value x = call.operands[0], weight = call.operands[1];
  const Value sums = internal::gradient_of_sums(call, "conv2d");
  Attrs window;
  for (const AttrDef& attr : conv_attrs())
    window.emplace(attr.name, call.attrs.find(attr.name)->second);
  Gradients gradients(call.operands.size(), sums);
  if (call.wanted[0]) {
    Attrs attrs = window;
    attrs["size"] = Ints{x.shape()[2], x.shape()[3]};
    gradients[0] = conv2d_input_grad(sums, weight, attrs);
  }
  if (call.wanted[1]) {
    Attrs attrs = window;
    attrs["kernel"] = Ints{weight.shape()[2], weight.shape()[3]};
    gradients[1] = conv2d_weight_grad(x, sums, attrs);
  }
  if (call.operands.size() > internal::kBiasOperand && call.wanted[internal::kBiasOperand])
    gradients[internal::kBiasOperand] = reduce_sum(sums, {{"axis", Ints{0, 2, 3}}});
  return gradients;
}

}  // namespace

TESSERA_OP(conv2d) {
  return {
      .mindspore_name = "Conv2d",
      .doc =
          "y[n,o,y,x] = activation(sum over i,p,q of x[n,i,y*s+p*d,x*s+q*d] * weight[o,i,p,q] "
          "+ bias[o] + residual[n,o,y,x]), with input channels i of o's group.",
      .operands = {{"x"},
                   {"weight"},
                   {"bias", DTypes::kFloat, true},
                   {"residual", DTypes::kFloat, true}},
      .attrs = conv2d_attrs(),
      .rule = conv2d_rule,
      .check = check_conv2d,
      .gradient = conv2d_gradient,
      .kernels = {reference(conv2d_cpu)},
      .examples = {{{{2, 3, 8, 7}, {4, 3, 3, 3}}},
                   {{{2, 4, 9, 6}, {6, 2, 3, 2}, {6}}, {{"groups", 2}, {"stride", Ints{2, 3}}}},
                   {{{1, 4, 7, 7}, {8, 1, 3, 3}, {8}},
                    {{"groups", 4}, {"pad_mode", "valid"}, {"activation", "relu6"}}},
                   {{{2, 3, 10, 9}, {5, 3, 3, 3}, {5}, {2, 5, 10, 5}},
                    {{"pad_mode", "pad"},
                     {"dilation", Ints{2, 1}},
                     {"stride", Ints{1, 2}},
                     {"padding", Ints{2, 2, 1, 1}},
                     {"activation", "leaky_relu"},
                     {"alpha", 0.1}}},
                   {{{2, 1, 3, 2}, {2, 1, 5, 5}, {2}}, {{"activation", "gelu"}}},
                   {{{2, 32, 5, 4}, {64, 32, 3, 3}, {64}, {2, 64, 5, 4}}, {{"activation", "relu"}}},
                   {{{1, 130, 3, 3}, {128, 130, 1, 1}}},
                   {{{3, 2, 5, 5}, {3, 2, 1, 1}}, {{"stride", Ints{2, 2}}, {"activation", "tanh"}}},
                   {{{2, 16, 9, 10}, {24, 16, 3, 3}, {24}, {2, 24, 9, 10}},
                    {{"activation", "relu6"}}},
                   {{{2, 3, 13, 11}, {20, 3, 5, 5}, {20}},
                    {{"stride", Ints{2, 2}}, {"activation", "relu"}}},
                   {{{2, 18, 7, 5}, {70, 18, 1, 1}, {70}, {2, 70, 7, 5}}},
                   {{{1, 17, 8, 7}, {16, 17, 3, 3}}, {{"stride", Ints{2, 1}}}},
                   {{{0, 2, 5, 5}, {3, 2, 3, 3}}}},
  };
}

}  // namespace tessera
