// Which elements of a tensor a rank holds, as a strategy says it.
#include <numeric>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/strategy.h"
#include "tessera/layout/sharding_rule.h"

namespace tessera {
namespace {

/// The layout without optimizer sharding.
Layout cut_of(const ParameterLayout& parameter, size_t ndim) {
  if (parameter.any_ndim) return replicated(parameter.layout.mesh, ndim);
  return parameter.layout;
}

std::string describe(const ParameterLayout& parameter) {
  return parameter.any_ndim ? "[...]" : to_string(parameter.layout);
}

/// Where the rows of each part of dim 0 begin and end, where the strategy lists them. Its list has
/// an entry for every part of the whole tensor, row-major over its dims.
std::vector<FactorPart> listed_rows(const ParameterLayout& parameter, int64_t extent) {
  const std::vector<int64_t>& rows = parameter.split_rows;
  const std::string name = printable(parameter.name);
  size_t parts = 1, first_parts = 1;
  for (size_t d = 0; d < parameter.layout.dims.size(); ++d) {
    parts *= static_cast<size_t>(part_count(parameter.layout, d));
    if (d == 0) first_parts = parts;
  }
  require(rows.size() == parts, "'{}' lists the rows of {} parts but the layout {} makes {}", name,
          rows.size(), describe(parameter), parts);
  std::vector<FactorPart> found;
  int64_t at = 0;
  const size_t equal = parts / first_parts;
  for (size_t i = 0; i < parts; ++i) {
    require(rows[i] == rows[i - i % equal],
            "'{}' lists {} rows for part {} and {} for part {}, which lie beside each other in {}",
            name, rows[i], i, rows[i - i % equal], i - i % equal, describe(parameter));
    if (i % equal != 0) continue;
    require(rows[i] >= 0 && rows[i] <= extent - at,
            "the rows of the parts of '{}' are more than the {} of the tensor", name, extent);
    found.push_back({at, rows[i]});
    at += rows[i];
  }
  require(at == extent, "the rows of the parts of '{}' are {} together but the tensor has {}", name,
          at, extent);
  return found;
}

/// The box for parts of dim 0 that the strategy lists; optimizer sharding cuts inside a part.
Box box_of_listed_rows(const ParameterLayout& parameter, const Layout& full, const Shape& global,
                       Rank rank) {
  const std::vector<FactorPart> rows = listed_rows(parameter, global[0]);
  Box box = local_box(full, global, rank);
  const int inner = part_count(full, 0) / static_cast<int>(rows.size());
  const int index = part_index(full, 0, rank);
  const FactorPart& part = rows[static_cast<size_t>(index / inner)];
  const FactorPart cut = factor_part(part.size, index % inner, inner);
  box.begin[0] = part.begin + cut.begin;
  box.size[0] = cut.size;
  return box;
}

/// One box per field: the rows of each are cut over the parts of dim 0.
std::vector<Box> boxes_of_fields(const ParameterLayout& parameter, const Layout& full,
                                 const Shape& global, Rank rank) {
  if (global.empty() || global[0] % parameter.field != 0)
    fail(ErrorCode::kInvalidArgument,
         "'{}' of shape {} has {} fields, which do not divide its rows", printable(parameter.name),
         to_string(global), parameter.field);
  const int64_t rows = global[0] / parameter.field;
  const Box box = local_box(full, global, rank);
  const FactorPart part = factor_part(rows, part_index(full, 0, rank), part_count(full, 0));
  std::vector<Box> boxes(static_cast<size_t>(parameter.field), box);
  for (size_t f = 0; f < boxes.size(); ++f) {
    boxes[f].begin[0] = static_cast<int64_t>(f) * rows + part.begin;
    boxes[f].size[0] = part.size;
  }
  return boxes;
}

/// Throws for a shape that contradicts the strategy. Called for every tensor and rank: messages are
/// made only where they are needed.
void require_shape(const ParameterLayout& parameter, const Shape& global) {
  if (!parameter.any_ndim && parameter.layout.dims.size() != global.size())
    fail(ErrorCode::kInvalidArgument,
         "'{}' has the shape {} but the strategy cuts {} dims of it: {}", printable(parameter.name),
         to_string(global), parameter.layout.dims.size(), describe(parameter));
  if (parameter.shape && *parameter.shape != global)
    fail(ErrorCode::kInvalidArgument, "'{}' has the shape {} but the strategy {} says {}",
         printable(parameter.name), to_string(global), describe(parameter),
         to_string(*parameter.shape));
  if (!parameter.layout.partial.empty())
    fail(ErrorCode::kInvalidArgument,
         "the strategy says that ranks hold partial values of '{}', {}: they are no part of the "
         "tensor until they are combined",
         printable(parameter.name), describe(parameter));
}

}  // namespace

Layout full_layout(const ParameterLayout& parameter, size_t ndim) {
  if (parameter.optimizer_size == 0) return cut_of(parameter, ndim);
  const ErrorContext context([&] {
    return fmt::format("applying the optimizer sharding of '{}'", printable(parameter.name));
  });
  return shard_optimizer(cut_of(parameter, ndim), parameter.optimizer_step,
                         parameter.optimizer_size);
}

Layout full_layout(const ParameterLayout& parameter) {
  return full_layout(parameter, parameter.layout.dims.size());
}

std::vector<Box> slices_of(const ParameterLayout& parameter, const Shape& global, Rank place,
                           bool interleave_fields) {
  require_shape(parameter, global);
  const Layout full = full_layout(parameter, global.size());
  const Rank rank = full.mesh->rank_count() == 1 ? full.mesh->rank_at(0) : place;
  if (interleave_fields && parameter.field > 0)
    return boxes_of_fields(parameter, full, global, rank);
  if (!parameter.split_rows.empty()) return {box_of_listed_rows(parameter, full, global, rank)};
  return {local_box(full, global, rank)};
}

Shape local_shape(std::span<const Box> slices) {
  require(!slices.empty(), "a tensor of no slices has no shape");
  Shape shape = slices[0].size;
  for (const Box& slice : slices.subspan(1)) {
    require(!shape.empty() && slice.size.size() == shape.size() &&
                std::equal(shape.begin() + 1, shape.end(), slice.size.begin() + 1),
            "the slices {} and {} do not follow each other along dim 0", to_string(slices[0]),
            to_string(slice));
    shape[0] += slice.size[0];
  }
  return shape;
}

Strategy with_shapes(const Strategy& strategy, std::span<const NamedShape> tensors) {
  Strategy result = strategy;
  result.parameters.clear();
  std::vector<bool> used(strategy.parameters.size(), false);
  const auto add = [&](const ParameterLayout& from, const NamedShape& tensor) {
    require_shape(from, tensor.shape);
    ParameterLayout& one = result.parameters.emplace_back(from);
    one.name = tensor.name;
    one.layout = cut_of(from, tensor.shape.size());
    one.shape = tensor.shape;
    one.is_pattern = one.any_ndim = false;
    if (!one.split_rows.empty()) listed_rows(one, tensor.shape.empty() ? 0 : tensor.shape[0]);
    used[static_cast<size_t>(&from - strategy.parameters.data())] = true;
  };
  for (int stage = 0; stage < strategy.stage_count; ++stage)
    for (const NamedShape& tensor : tensors)
      if (const ParameterLayout* from = strategy.find(tensor.name, stage)) add(*from, tensor);
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    const ParameterLayout& one = strategy.parameters[i];
    if (one.is_pattern || one.any_ndim)
      fail(ErrorCode::kNotFound, "'{}' in pipeline stage {} matches no tensor", printable(one.name),
           one.stage);
    result.parameters.push_back(one);
  }
  index_parameters(result);
  return result;
}

}  // namespace tessera
