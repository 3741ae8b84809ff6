#include "tessera/ops/internal/reduction.h"

namespace tessera::internal {

std::vector<AttrDef> reduction_attrs() {
  return {{"axis", Ints{}, "the dims that go; all of them when empty"},
          {"keep_dims", false, "reduced dims stay with extent 1"}};
}

std::string reduction_rule(const OpCall& call, std::string_view kind) {
  const size_t ndim = call.global(0).size();
  const std::vector<bool> reduced = chosen_axes(call.attr<Ints>("axis"), ndim);
  const bool keep = call.attr<bool>("keep_dims");
  std::vector<std::string> from = dim_words(ndim);
  std::vector<std::string> to;
  for (size_t d = 0; d < ndim; ++d) {
    if (!reduced[d])
      to.push_back(from[d]);
    else if (keep)
      to.emplace_back("1");
    if (reduced[d]) from[d].insert(0, kind);
  }
  return spell(from) + " -> " + spell(to);
}

int64_t reduced_count(const OpCall& call) {
  const Shape& shape = call.global(0);
  const std::vector<bool> reduced = chosen_axes(call.attr<Ints>("axis"), shape.size());
  int64_t count = 1;
  for (size_t d = 0; d < shape.size(); ++d)
    if (reduced[d]) count *= shape[d];
  return count;
}

}  // namespace tessera::internal
