#include "tessera/nn/scope.h"

#include "tessera/ops/registry.h"

namespace tessera {

Scope Scope::operator/(std::string_view part) const {
  Scope inner = *this;
  if (!inner.path_.empty()) inner.path_ += '.';
  inner.path_ += part;
  return inner;
}

Value Scope::parameter(std::string_view name, Shape shape, const Initializer& init,
                       DType dtype) const {
  const std::string full = path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
  if (const auto known = graph_->find(full)) {
    const Value value{graph_, *known};
    require(value.shape() == shape && value.dtype() == dtype,
            "parameter '{}' is {}{} here but {}{} before", full, to_string(dtype), to_string(shape),
            to_string(value.dtype()), to_string(value.shape()));
    return value;
  }
  const ErrorContext context([&] { return fmt::format("making parameter '{}'", full); });
  const Distribution initial = init.of(shape);
  const ValueId made = graph_->add_parameter(full, dtype, std::move(shape));
  graph_->values[static_cast<size_t>(made)].initial = initial;
  return {graph_, made};
}

Value Scope::emit(std::string_view op, std::span<const Value> operands, Attrs attrs) const {
  std::vector<ValueId> ids;
  for (const Value& operand : operands) ids.push_back(operand.id);
  return {graph_, graph_->emit(require_op(op), std::move(ids), std::move(attrs), path_).front()};
}

}  // namespace tessera
