#include "tessera/base/random.h"
#include "tessera/base/shown.h"
#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/numeric.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

/// Whether elements of one node are dropped at one step, by their place in the whole tensor.
class Mask {
 public:
  Mask(const OpCall& call, int64_t step)
      : p_(call.attr<double>("p")),
        // Steps and nodes draw from streams of their own.
        random_(static_cast<uint64_t>(call.attr<int64_t>("seed")),
                static_cast<uint64_t>(step) << 24 ^
                    static_cast<uint64_t>(call.attr<int64_t>("node"))) {}
  bool keeps(int64_t index) const {
    return unit_interval(random_.bits(static_cast<uint64_t>(index))) >= p_;
  }

 private:
  double p_;
  RandomStream random_;
};

void dropout_train_cpu(const OpCall& call, std::span<const Tensor> operands,
                       std::span<Tensor> results) {
  const Mask mask(call, operands[1].cast(DType::kI64).data<int64_t>()[0]);
  const double scale = 1 / (1 - call.attr<double>("p"));
  const Box all = whole(call.global(0));
  const Box& here = call.operands[0].box;
  internal::visit_floating(operands[0].dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = operands[0].data<T>().data();
    T* y = results[0].mutable_data<T>().data();
    for_each_run(here, all, here, [&](int64_t at, int64_t place, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        y[at + i] = internal::narrow<T>(
            mask.keeps(place + i) ? static_cast<double>(internal::widen(x[at + i])) * scale : 0.0);
    });
  });
}

void check_dropout_train(const OpCall& call) {
  const auto p = call.attr<double>("p");
  require(p >= 0 && p < 1, "p is {}, wants a probability below 1", p);
  require(call.global(1).empty(), "step is {}, wants one number", shown(call.operands[1]));
}

}  // namespace

TESSERA_OP(dropout_train) {
  return {
      .mindspore_name = "Dropout",
      .doc =
          "y = 0 with probability p, else x / (1 - p). What is dropped follows from seed, node, "
          "step and the element's place in the whole x.",
      .operands = {{"x"}, {"step", DTypes::kIndex}},
      .attrs = {{"p", 0.5, "the probability that an element is dropped"},
                {"seed", int64_t{0}, "of the training"},
                {"node", int64_t{0}, "differs between the dropouts of a network"}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .check = check_dropout_train,
      .gradient = [](const GradientCall& call) -> Gradients {
        return {dropout_train(call.gradient(), call.operands[1], call.attrs)};
      },
      .kernels = {reference(dropout_train_cpu)},
      .examples = {{.shapes = {{5, 7}, {}},
                    .attrs = {{"p", 0.2}, {"seed", 3}},
                    .dtypes = {DType::kF32, DType::kI64}},
                   {.shapes = {{2, 3, 4}, {}},
                    .attrs = {{"node", 1}},
                    .dtypes = {DType::kF32, DType::kI32}}},
  };
}

}  // namespace tessera
