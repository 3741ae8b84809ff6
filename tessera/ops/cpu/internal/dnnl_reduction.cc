#include "tessera/ops/cpu/internal/dnnl_reduction.h"

#include "tessera/ops/internal/axis.h"

namespace tessera::internal {

DnnlCall describe_reduction(const OpCall& call, dnnl::algorithm algorithm) {
  const Shape& shape = call.shape(0);
  const std::vector<bool> reduced = chosen_axes(call.attr<Ints>("axis"), shape.size());
  DnnlDims kept = dims_of(shape);
  for (size_t d = 0; d < shape.size(); ++d) {
    if (reduced[d]) kept[d] = 1;
  }
  const DnnlDesc source = plain_desc(shape);
  const DnnlDesc result = plain_desc(kept);
  using Reduction = dnnl::reduction;
  const auto chosen = dnnl_primitive<Reduction>({}, algorithm, source, result, 0.0F, 0.0F);
  DnnlCall described = dnnl_call<Reduction>(chosen, static_cast<double>(element_count(shape)));
  described.operand(DNNL_ARG_SRC, 0, source);
  described.result(DNNL_ARG_DST, result);
  return described;
}

}  // namespace tessera::internal
