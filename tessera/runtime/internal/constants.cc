#include "tessera/runtime/internal/constants.h"

#include <algorithm>

#include "tessera/base/parallel.h"
#include "tessera/ops/registry.h"
#include "tessera/ops/threads.h"

namespace tessera::internal {
namespace {

size_t index(ValueId id) {
  return static_cast<size_t>(id);
}

/// Whether the ranks take part in the node's work together in every run, whatever one of them
/// knows.
bool moves_every_run(const Node& node) {
  return node.op->is_collective && std::get<bool>(node.attrs.at("every_run"));
}

}  // namespace

std::vector<bool> needed_nodes(const Graph& graph) {
  std::vector<bool> value_needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) value_needed[index(id)] = true;
  for (const Update& update : graph.updates) value_needed[index(update.value)] = true;
  std::vector<bool> needed(graph.nodes.size(), false);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    // Other ranks need this one in a collective, also where it needs nothing itself.
    needed[n] =
        node.op->is_collective || std::any_of(node.results.begin(), node.results.end(),
                                              [&](ValueId id) { return value_needed[index(id)]; });
    if (!needed[n]) continue;
    for (const ValueId id : node.operands) value_needed[index(id)] = true;
  }
  return needed;
}

Tensor Slabs::bytes(int64_t count) {
  constexpr int64_t kSlab = int64_t{16} << 20;
  constexpr int64_t kAlignment = 64;
  if (count > kSlab / 2) return Tensor::view(Buffer::allocate(count), 0, DType::kU8, {count});
  if (slab_ == nullptr || used_ + count > slab_->size()) {
    slab_ = Buffer::allocate(kSlab);
    used_ = 0;
  }
  Tensor made = Tensor::view(slab_, used_, DType::kU8, {count});
  used_ += (count + kAlignment - 1) / kAlignment * kAlignment;
  return made;
}

Constants::Constants(const Graph& graph, std::span<const Tensor> parameters,
                     const CompileOptions& options)
    : graph_(graph),
      world_(options.world),
      plan_only_(options.plan_only),
      threads_(thread_count(options.threads)),
      scaled_(graph.values.size()),
      values_(graph.values.size()),
      forms_(graph.values.size()) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    given_.emplace(graph.parameters[i], parameters[i]);
    values_[index(graph.parameters[i])] = parameters[i].contiguous();
  }
  for (const Update& update : graph.updates) {
    require(given(update.parameter).is_contiguous(),
            "parameter '{}' is updated where it lies: it must be row-major",
            graph.values[index(update.parameter)].name);
    values_[index(update.parameter)] = Tensor();
  }
  for (const auto& [id, tensor] : graph.constants) values_[index(id)] = tensor;
  const std::vector<bool> needed = needed_nodes(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool is_constant =
        !moves_every_run(node) && std::all_of(node.operands.begin(), node.operands.end(),
                                              [&](ValueId id) { return has(id); });
    if (!needed[n] || !is_constant) continue;
    notes_.push_back(
        fmt::format("{} = {}", graph.values[index(node.results[0])].name, node.op->name));
    const Scaled product = scaled(node);
    if (product.node == nullptr) {
      compute(node);
    } else {
      scaled_[index(node.results[0])] = product;
      const TensorType type = graph.type(node.results[0]);
      values_[index(node.results[0])] = Tensor(type.dtype, type.shape());  // not touched yet
    }
  }
}

Constants::Scaled Constants::scaled(const Node& node) const {
  if (node.op->name != "mul" || node.operands.size() != 2) return {};
  const Tensor& weight = values_[index(node.operands[0])];
  const Tensor& scale = values_[index(node.operands[1])];
  const bool is_f32 = weight.dtype() == DType::kF32 && scale.dtype() == DType::kF32;
  const bool is_weight = weight.ndim() == 4 && scaled_[index(node.operands[0])].node == nullptr;
  if (!is_f32 || !is_weight || !graph_.type(node.results[0]).is_whole()) return {};
  if (scale.shape() != Shape{weight.shape()[0], 1, 1, 1}) return {};
  return {&node, node.operands[0], node.operands[1]};
}

const Tensor& Constants::value(ValueId id) {
  Scaled& product = scaled_[index(id)];
  if (product.node != nullptr) {
    const Node& node = *product.node;
    product = {};
    compute(node);
  }
  Tensor& known = values_[index(id)];
  if (!is_aligned(id)) known = known.clone();
  return known;
}

bool Constants::is_aligned(ValueId id) const {
  const Tensor& known = values_[index(id)];
  if (known.buffer() == nullptr) return true;
  const auto begin = reinterpret_cast<uintptr_t>(known.buffer()->data()) +
                     static_cast<uintptr_t>(known.byte_offset());
  return begin % static_cast<uintptr_t>(byte_size(known.dtype())) == 0;
}

void Constants::compute(const Node& node) {
  const std::string& name = graph_.values[index(node.results[0])].name;
  const ErrorContext context(
      [&] { return fmt::format("computing '{}' ({}) when compiling", name, node.op->name); });
  std::vector<Tensor> operands;
  for (const ValueId id : node.operands) operands.push_back(value(id));
  std::vector<Tensor> results;
  if (node.op->is_view) {
    results.push_back(operands[0].reshape(graph_.type(node.results[0]).shape()));
  } else {
    const std::vector<TensorType> from = graph_.types(node.operands);
    const std::vector<TensorType> to = graph_.types(node.results);
    for (const ValueId id : node.results) {
      const TensorType type = graph_.type(id);
      const Tensor& there = values_[index(id)];
      results.push_back(there.is_defined() ? there : Tensor(type.dtype, type.shape()));
    }
    const OpCall call{from, to, node.attrs, {}, world_};
    const Kernel& kernel =
        node.op->is_collective ? node.op->kernels.front() : node.op->kernels.back();
    const auto prepared =
        kernel.function != nullptr ? prepare_reference(kernel, call) : kernel.prepare(call, {});
    if (!plan_only_) prepared->run(operands, results);
  }
  for (size_t r = 0; r < results.size(); ++r) {
    values_[index(node.results[r])] = std::move(results[r]);
  }
}

Tensor Constants::in_format(ValueId id, const Format& format) {
  if (format == nullptr) return value(id);
  for (const Form& form : forms_[index(id)]) {
    if (same_format(form.format, format)) return form.tensor;
  }
  const ThreadLimit limit(threads_);
  const Scaled product = scaled_[index(id)];
  const auto packable = [&](ValueId of) {
    const bool as_it_lies = format->packs_unaligned() && scaled_[index(of)].node == nullptr;
    return as_it_lies ? values_[index(of)] : value(of);
  };
  std::unique_ptr<PreparedKernel> packer;
  std::vector<Tensor> operands;
  if (product.node != nullptr && (packer = format->packer()) != nullptr) {
    operands = {packable(product.weight), value(product.scale)};
  } else {
    operands = {packable(id)};
    packer = prepare_reorder({operands[0].dtype(), operands[0].shape()}, nullptr, format);
  }
  Tensor made = slabs_.bytes(format->byte_count());
  if (!plan_only_) packer->run(operands, std::span(&made, 1));
  if (format->refers()) referred_.push_back(operands[0]);
  forms_[index(id)].push_back({format, made});
  return made;
}

}  // namespace tessera::internal
