#include "tessera/ops/internal/norm/batch_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/shown.h"

namespace tessera::internal {

AttrDef groups_attr() {
  return {"groups", int64_t{1}, "the rows of x in so many parts, each with statistics of its own"};
}

AttrDef norm_epsilon_attr() {
  return {"epsilon", 1e-5, "added to the variance"};
}

BatchWords batch_words(const OpCall& call) {
  const auto groups = call.attr<int64_t>("groups");
  std::vector<std::string> words = dim_words(call.global(0).size());
  if (groups == 1) return {spell(words), "1 d1", "1 d1"};
  words[0] = fmt::format("(r={} d0)", groups);
  return {spell(words), "r d1", "r d1"};
}

void check_batch_groups(const OpCall& call) {
  const Shape& x = call.global(0);
  const auto groups = call.attr<int64_t>("groups");
  require(x.size() >= 2, "x is {}, batch norm wants at least [n,c]", shown(x));
  require(groups >= 1 && x[0] % groups == 0, "{} rows are no {} equal groups", x[0], groups);
}

void check_batch_gradient(const OpCall& call, size_t gradient) {
  check_batch_groups(call);
  require(call.global(gradient) == call.global(0), "gradient is {}, x {}",
          shown(call.global(gradient)), shown(call.global(0)));
}

BatchRows::BatchRows(const OpCall& call, const TensorType& statistics)
    : view_(axis_view(call.shape(0), 1)),
      first_(call.operands[0].box.begin[0]),
      per_group_(std::max<int64_t>(1, call.global(0)[0] / call.attr<int64_t>("groups"))),
      first_group_(statistics.box.begin[0]),
      groups_(statistics.shape()[0]) {
  const AxisView whole = axis_view(call.global(0), 1);
  count_ = static_cast<double>(whole.outer / call.attr<int64_t>("groups") * whole.inner);
}

}  // namespace tessera::internal
