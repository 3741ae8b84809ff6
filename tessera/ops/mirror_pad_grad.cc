#include "tessera/base/shown.h"
#include "tessera/base/text.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/moves/mirror.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera {
namespace {

/// Every element of the padded `sums` along `axis` added to the one that it mirrors.
std::vector<double> folded(const std::vector<double>& sums, const internal::AxisView& padded,
                           int64_t begin, int64_t extent, int64_t edge) {
  std::vector<double> to(static_cast<size_t>(padded.outer * extent * padded.inner), 0.0);
  const double* from = sums.data();
  for (int64_t o = 0; o < padded.outer; ++o) {
    for (int64_t i = -begin; i < padded.extent - begin; ++i) {
      double* at = to.data() + (o * extent + internal::mirrored(i, extent, edge)) * padded.inner;
      for (int64_t k = 0; k < padded.inner; ++k) at[k] += *from++;
    }
  }
  return to;
}

void mirror_pad_grad_cpu(const OpCall& call, std::span<const Tensor> operands,
                         std::span<Tensor> results) {
  const Ints& paddings = call.attr<Ints>("paddings");
  const int64_t edge = call.attr<std::string>("mode") == "reflect" ? 1 : 0;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<double> sums;
    for (const T x : operands[0].data<T>()) sums.push_back(internal::widen(x));
    Shape shape = operands[0].shape();
    for (size_t d = 0; d < shape.size(); ++d) {
      const int64_t more = paddings[2 * d] + paddings[2 * d + 1];
      if (more == 0) continue;
      const int64_t extent = shape[d] - more;
      sums = folded(sums, internal::axis_view(shape, d), paddings[2 * d], extent, edge);
      shape[d] = extent;
    }
    T* out = results[0].mutable_data<T>().data();
    for (const double sum : sums) *out++ = internal::narrow<T>(sum);
  });
}

void check_mirror_pad_grad(const OpCall& call) {
  const Shape& gradient = call.global(0);
  const Ints& paddings = call.attr<Ints>("paddings");
  const auto& mode = call.attr<std::string>("mode");
  require(mode == "reflect" || mode == "symmetric", "mode '{}' is none of reflect, symmetric",
          printable(mode));
  require(paddings.size() == 2 * gradient.size(),
          "paddings {} wants a begin and an end for each dim of {}", to_string(Attr(paddings)),
          shown(gradient));
  for (size_t d = 0; d < gradient.size(); ++d) {
    const int64_t begin = paddings[2 * d], end = paddings[2 * d + 1];
    require(begin >= 0 && end >= 0 && begin <= gradient[d] && end <= gradient[d] - begin,
            "paddings {} and {} do not fit into dim {} of {}", begin, end, d, shown(gradient));
    const int64_t extent = gradient[d] - begin - end;
    const int64_t most = std::max<int64_t>(0, mode == "reflect" ? extent - 1 : extent);
    require(begin <= most && end <= most, "mode {} added {} and {} elements to {} of dim {}", mode,
            begin, end, extent, d);
  }
}

std::string mirror_pad_grad_rule(const OpCall& call) {
  const Ints& paddings = call.attr<Ints>("paddings");
  std::vector<std::string> from = internal::dim_words(call.global(0).size());
  std::vector<std::string> to = from;
  for (size_t d = 0; d < from.size(); ++d) {
    const int64_t more = paddings[2 * d] + paddings[2 * d + 1];
    if (more == 0) continue;
    from[d] = fmt::format("[y{}]", d);
    to[d] = fmt::format("[x{}={}]", d, call.global(0)[d] - more);
  }
  return internal::spell(from) + " -> " + internal::spell(to);
}

}  // namespace

TESSERA_OP(mirror_pad_grad) {
  return {
      .mindspore_name = "MirrorPadGrad",
      .doc =
          "Every element of the gradient added to the one that pad, in mode reflect or "
          "symmetric, took it from.",
      .operands = {{"gradient"}},
      .attrs = {{"paddings", Ints{}, "begin and end of dim 0, begin and end of dim 1, ...", true},
                {"mode", "reflect", "reflect or symmetric"}},
      .rule = mirror_pad_grad_rule,
      .check = check_mirror_pad_grad,
      .kernels = {reference(mirror_pad_grad_cpu)},
      .examples = {{{{6, 7}}, {{"paddings", Ints{1, 2, 2, 1}}}},
                   {{{8, 9}}, {{"paddings", Ints{3, 2, 4, 1}}, {"mode", "symmetric"}}},
                   {{{4, 5, 3}}, {{"paddings", Ints{0, 0, 1, 1, 0, 0}}}}},
  };
}

}  // namespace tessera
