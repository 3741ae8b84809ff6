// Where the parameters and inputs of a placed network lie, in the words of MindSpore's
// Model.infer_predict_layout, and what its strategy_ckpt_save_file would hold:
//
//   const auto layouts = infer_predict_layout(parse_model("lenet5"), 32, {1, 32, 32}, context);
//   to_json(layouts);            {"x": [[8], [-1, -1], [128, 96], 0, true, "", ...], ...}
//   load_distributed_checkpoint(files, "train.ckpt", to_predict_strategy(layouts), {.rank = 3});
//
// MindSpore flattens the map of a parameter that a Layout cuts over several device dims at once:
// [1, 0, -1] for a matrix, which no reader can take apart. to_json says what MindSpore says;
// to_predict_strategy and strategy_of say where the parameter lies.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/strategy.h"
#include "tessera/model/auto_parallel_context.h"
#include "tessera/model/distributed_checkpoint.h"
#include "tessera/passes/place.h"

namespace tessera {

struct InferredLayout {
  std::string name;
  bool is_input = false;
  bool is_trained = true;  // MindSpore leaves moving means and variances out of strategy files
  int stage = 0;
  Layout layout;  // over the ranks of its stage, counted from 0, in MindSpore's device matrix
  int optimizer_step = 0;  // as ParameterLayout has them; then `layout` is without that cut
  int optimizer_size = 0;
  Shape shape;  // of all of it
  Shape slice;  // of the rank that was asked for
};

/// Which tuple: MindSpore 2.3 and later have 12 elements, before it was the first 6.
enum class TupleForm : uint8_t { k2_10, k1_1 };

/// "2.10" or "1.1"; throws kInvalidArgument.
TupleForm parse_tuple_form(std::string_view text);

/// Places the network as the context says and tells where its inputs and parameters lie, those of
/// the pipeline stage of its global_rank; writes its strategy_ckpt_save_file. Nothing runs. Throws
/// kInvalidArgument in other modes than semi_auto_parallel and auto_parallel, and as run_options
/// and place do.
std::vector<InferredLayout> infer_predict_layout(const Graph& network,
                                                 const AutoParallelContext& context,
                                                 TupleForm form = TupleForm::k2_10);
/// The same of a model for batches of this size.
std::vector<InferredLayout> infer_predict_layout(const ModelSpec& spec, int64_t rows,
                                                 const Shape& row_shape,
                                                 const AutoParallelContext& context,
                                                 TupleForm form = TupleForm::k2_10);

/// Writes strategy_ckpt_save_file, where the context names one, by its suffix: how a model was
/// placed (Model::placed). By one rank.
void save_strategy(const Placed& placed, const AutoParallelContext& context);

/// Inputs, then parameters in the order in which the graph first reads them. Those of the pipeline
/// stage of `rank`, as MindSpore compiles it. In the 1.1 form an input lies as its first reader
/// wants it: there is no virtual dataset that hands it out. Throws kUnsupported for a mesh that
/// lists its ranks in another order than 0, 1, 2, …
std::vector<InferredLayout> inferred_layouts(const Placed& placed, Rank rank = 0,
                                             TupleForm form = TupleForm::k2_10);

/// Whether a dim is cut over several device dims: MindSpore's tuple is then wrong (see above).
bool is_nested(const InferredLayout& layout);

/// {"name": [device matrix, tensor map, slice shape, field 0, uniform split, group ""]}, from 2.3
/// on also [full shape, slice shape, shared by stages, sends, peer rank, tag].
std::string to_json(std::span<const InferredLayout> layouts, TupleForm form = TupleForm::k2_10);

/// The parameters, as load_distributed_checkpoint takes them.
PredictStrategy to_predict_strategy(std::span<const InferredLayout> layouts);

/// The layouts of all stages' parameters, and the strategies of the operators that read them.
Strategy strategy_of(const Placed& placed, bool only_trained = true);

}  // namespace tessera
