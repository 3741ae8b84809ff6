#include "tessera/zoo/define_model.h"

namespace tessera {
namespace {

int64_t integer(const Attrs& options, std::string_view name) {
  return std::get<int64_t>(options.find(name)->second);
}

/// x + attention(norm(x)), then x + mlp(norm(x)).
Value block(const Scope& scope, Value x, const Attrs& options) {
  const int64_t heads = integer(options, "heads");
  x = add(scope, x, attention(scope / "attention", layer_norm(scope / "layernorm1", x), heads));
  Value inner =
      dense(scope / "mlp" / "fc1", layer_norm(scope / "layernorm2", x), integer(options, "mlp"));
  inner = activation(scope / "mlp", inner, "gelu");
  return add(scope, x, dense(scope / "mlp" / "fc2", inner, x.shape().back()));
}

Value build(const Scope& scope, Value x, const Attrs& options) {
  const int64_t hidden = integer(options, "hidden");
  const int64_t layers = integer(options, "layers");
  const int64_t classes = integer(options, "num_classes");
  require(x.shape().size() == 3 && x.shape()[2] == hidden,
          "transformer has hidden={}, the rows are [n,s,d] = {}", hidden, to_string(x.shape()));
  require(layers >= 0, "transformer cannot have {} layers", layers);
  require(classes >= 0, "transformer cannot have {} classes; 0 leaves out the head", classes);
  for (int64_t i = 0; i < layers; ++i) x = block(scope / "blocks" / std::to_string(i), x, options);
  x = layer_norm(scope / "layernorm", x);
  if (classes == 0) return x;
  x = scope.emit("reduce_mean", {x}, {{"axis", Ints{1}}});
  return dense(scope / "head", x, classes);
}

Shape row_shape(const Attrs& options) {
  return {integer(options, "seq"), integer(options, "hidden")};
}

}  // namespace
}  // namespace tessera

TESSERA_MODEL(transformer) {
  using namespace tessera;
  return {
      .doc =
          "A stack of pre-norm transformer encoder blocks over rows [s,d]: attention and a gelu "
          "MLP, each added to what it reads.",
      .options = {{"layers", int64_t{2}, "blocks"},
                  {"heads", int64_t{4}, "of the attention; they divide hidden"},
                  {"hidden", int64_t{64}, "width d of a row's elements"},
                  {"mlp", int64_t{256}, "hidden width of the MLP"},
                  {"seq", int64_t{16}, "elements s of a row"},
                  {"num_classes", int64_t{0},
                   "0: the result is [n,s,d]; more: the mean over s and a dense head"}},
      .row_shape = row_shape,
      .transforms = {},
      .build = build,
  };
}
