#include "tessera/train/optimizer.h"

#include <cmath>

#include "tessera/base/text.h"
#include "tessera/graph/options.h"
#include "tessera/ops/registry.h"
#include "tessera/train/define_optimizer.h"

#define TESSERA_FILE(name) TESSERA_OPTIMIZER(name);
#include "tessera/train_optimizers_files.inc"
#undef TESSERA_FILE

namespace tessera {
namespace {

std::vector<OptimizerDef> make_optimizers() {
  std::vector<OptimizerDef> optimizers;
#define TESSERA_FILE(file)                           \
  optimizers.push_back(::define_optimizer_##file()); \
  optimizers.back().name = #file;
#include "tessera/train_optimizers_files.inc"
#undef TESSERA_FILE
  return optimizers;
}

const OptimizerDef& require_optimizer(std::string_view name) {
  std::vector<std::string> names;
  for (const OptimizerDef& optimizer : all_optimizers()) {
    if (optimizer.name == name || optimizer.mindspore_name == name) return optimizer;
    names.emplace_back(optimizer.name);
  }
  fail(ErrorCode::kInvalidArgument, "there is no optimizer '{}'{}; known: {}", printable(name),
       suggest(name, names), join(names, ", "));
}

}  // namespace

std::span<const OptimizerDef> all_optimizers() {
  static const std::vector<OptimizerDef> optimizers = make_optimizers();
  return optimizers;
}

Optimizer parse_optimizer(std::string_view text) {
  const NamedOptions parts = split_options("optimizer", text);
  Optimizer made;
  made.definition = &require_optimizer(parts.name);
  const std::string owner = fmt::format("optimizer '{}'", made.definition->name);
  made.options = parse_options(owner, parts.inside, made.definition->options);
  const ErrorContext context([&] { return fmt::format("reading {}", owner); });
  made.rate = parse_schedule(std::get<std::string>(made.options.at("learning_rate")));
  internal::check_fraction(made.options, "weight_decay", HUGE_VAL);
  if (made.definition->check != nullptr) made.definition->check(made.options);
  return made;
}

std::string to_string(const Optimizer& optimizer) {
  const OptimizerDef& definition = *optimizer.definition;
  return options_to_string(definition.name, optimizer.options, definition.options);
}

namespace internal {

AttrDef learning_rate(std::string_view value) {
  return {"learning_rate", std::string(value), "a number or a schedule of train/schedules"};
}

std::vector<Value> emit_update(std::string_view op, const UpdateCall& call,
                               std::vector<std::pair<std::string_view, std::string_view>> renamed) {
  const OpDef& definition = require_op(op);
  Graph& graph = *call.parameter.graph;
  std::vector<ValueId> operands = {call.parameter.id, call.gradient.id};
  for (const Value state : call.states) operands.push_back(state.id);
  operands.push_back(call.rate.id);
  for (const Value power : call.powers) operands.push_back(power.id);
  Attrs attrs;
  for (const AttrDef& attr : definition.attrs) {
    std::string_view option = attr.name;
    for (const auto& [to, from] : renamed)
      if (to == attr.name) option = from;
    if (attr.name == "weight_decay")
      attrs.emplace(attr.name, call.weight_decay);
    else if (const auto found = call.options.find(option); found != call.options.end())
      attrs.emplace(attr.name, found->second);
  }
  std::vector<Value> results;
  for (const ValueId id :
       graph.emit(definition, std::move(operands), std::move(attrs), graph.scope))
    results.push_back({&graph, id});
  return results;
}

void check_fraction(const Attrs& options, std::string_view name, double limit) {
  const double value = std::get<double>(options.find(name)->second);
  require(value >= 0 && value < limit, "{} is {}, wants a number from 0{}", name, value,
          std::isfinite(limit) ? fmt::format(" to below {}", limit) : std::string(" on"));
}

}  // namespace internal
}  // namespace tessera
