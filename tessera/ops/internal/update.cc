#include "tessera/ops/internal/update.h"

#include "tessera/ops/internal/axis.h"

namespace tessera::internal {
namespace {

/// "..., ..., ..., , -> ..., ...": scalars have no dims. Every state is a result too.
std::string update_rule(size_t ndim, size_t states, size_t scalars) {
  const std::string alike = spell(dim_words(ndim));
  std::string from = alike + ", " + alike;
  std::string to = alike;
  for (size_t s = 0; s < states; ++s) {
    from += ", " + alike;
    to += ", " + alike;
  }
  for (size_t s = 0; s < scalars; ++s) from += ",";
  return from + " -> " + to;
}

OpExample update_example(size_t states, size_t scalars, Shape shape, Attrs attrs) {
  OpExample example;
  example.shapes.assign(2 + states, std::move(shape));
  example.shapes.resize(2 + states + scalars);
  example.attrs = std::move(attrs);
  example.positive = true;
  return example;
}

}  // namespace

OpDef update_op(const UpdateOp& op) {
  OpDef made{.mindspore_name = op.mindspore_name, .doc = op.doc};
  made.operands = {{"parameter"}, {"gradient"}};
  for (const std::string_view name : op.states) made.operands.push_back({name});
  for (const std::string_view name : op.scalars) made.operands.push_back({name, DTypes::kMixed});
  made.attrs = op.attrs;
  const size_t states = op.states.size(), scalars = op.scalars.size();
  made.rule = [states, scalars](const OpCall& call) {
    return update_rule(call.global(0).size(), states, scalars);
  };
  made.result_dtypes = [states](const OpCall& call) {
    return std::vector<DType>(1 + states, call.operands[0].dtype);
  };
  made.kernels = {op.kernel};
  made.examples = {update_example(states, scalars, {5, 7}, {}),
                   update_example(states, scalars, {2, 3, 4}, {})};
  for (const Attrs& attrs : op.examples)
    made.examples.push_back(update_example(states, scalars, {6}, attrs));
  return made;
}

}  // namespace tessera::internal
