#include "tessera/model/train/step_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace tessera::internal {
namespace {

bool cuts_rows_only(const Layout& layout) {
  for (size_t d = 1; d < layout.dims.size(); ++d)
    if (part_count(layout, d) > 1) return false;
  return true;
}

}  // namespace

std::vector<StepInput> inputs_of(const TrainGraph& step, const Graph& local, const Placed* placed) {
  std::vector<StepInput> inputs;
  for (size_t i = 0; i < local.inputs.size(); ++i) {
    const std::string& name = local.values[static_cast<size_t>(local.inputs[i])].name;
    StepInput input{name, name, 0, local.type(local.inputs[i])};
    const auto micro = std::find_if(step.inputs.begin(), step.inputs.end(),
                                    [&](const MicroInput& one) { return one.name == name; });
    if (micro != step.inputs.end()) {
      input.of = micro->of;
      input.micro_batch = micro->micro_batch;
    }
    if (placed != nullptr) input.layout = placed->layout(placed->graph.inputs[i]);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

Pipeline rows_for(const Pipeline& rows, std::span<const StepInput> inputs, Rank rank,
                  int micro_batches) {
  std::optional<std::pair<int, int>> part;
  for (const StepInput& input : inputs) {
    if (!input.has_rows() || !input.layout.mesh->find_place(rank)) continue;
    if (!cuts_rows_only(input.layout)) return rows;
    const std::pair mine(part_index(input.layout, 0, rank), part_count(input.layout, 0));
    if (part && *part != mine) return rows;
    part = mine;
  }
  return part ? rows.part(part->first, part->second, micro_batches)
              : rows.part(0, rows.batch_rows() + 1, micro_batches);
}

Tensor piece_of(const StepInput& input, const Tensor& rows, const Batch& batch, int micro_batches) {
  const Shape wanted = input.type.shape();
  if (element_count(wanted) == 0) return Tensor(rows.dtype(), wanted);
  Box box = whole(rows.shape());
  box.size[0] = rows.shape()[0] / micro_batches;
  box.begin[0] = box.size[0] * input.micro_batch;
  Tensor piece = rows.slice(box);
  if (batch.rows == batch.all_rows) piece = piece.slice(input.type.box);
  return piece.contiguous();
}

void check_micro_batches(const Pipeline& rows, int micro_batches) {
  const int64_t count = rows.batch_rows();
  require(count % micro_batches == 0,
          "a batch of {} rows does not divide into {} micro-batches of equally many", count,
          micro_batches);
  const int64_t last = rows.row_count() % std::max<int64_t>(1, count);
  require(last % micro_batches == 0,
          "the last batch of an epoch has {} rows, which do not divide into {} micro-batches of "
          "equally many: leave it out (drop_remainder), or read other batches than of {} rows",
          last, micro_batches, count);
}

void check_groups(const Pipeline& rows, int64_t groups, int micro_batches) {
  const int64_t count = rows.batch_rows();
  const int64_t last = rows.row_count() % std::max<int64_t>(1, count);
  for (const int64_t of_batch : {count, last})
    require(of_batch / micro_batches % groups == 0,
            "batch norm over each rank's rows wants batches that the ranks share equally: {} rows "
            "in {} micro-batches do not divide by {}; read other batches, leave the last one out "
            "(drop_remainder), or take statistics over the whole batch",
            of_batch, micro_batches, groups);
}

void check_labels(const Pipeline& rows, const Batch& batch, int64_t classes) {
  if (!batch.bad.empty()) return;  // these rows have no label
  const auto labels = batch.labels.data<int32_t>();
  for (size_t row = 0; row < labels.size(); ++row)
    require(labels[row] >= 0 && labels[row] < classes,
            "label {} of {} of {} is not one of the {} classes of the network, 0 to {}: give "
            "the network as many classes as the data set has, or mend the label",
            labels[row],
            rows.source().row_name(rows.source_index(batch, static_cast<int64_t>(row))),
            rows.source().name(), classes, classes - 1);
}

}  // namespace tessera::internal
