#include "cli/model_options.h"

#include "cli/word.h"

namespace tessera::cli {

void ModelOptions::declare(Arguments& arguments) {
  arguments.positional(
      "model", model,
      "name of a model (see 'tessera models'), with its options: \"mlp(hidden=[128])\"");
  arguments.group("Running");
  arguments.option("--kernels", kernels, "best, or reference: plain C++ without oneDNN");
  arguments.flag("--deterministic", deterministic,
                 "the same bits for any number of ranks and threads on one type of processor");
}

ModelSpec ModelOptions::spec() const {
  return read_usage([&] { return parse_model(model); });
}

RunOptions ModelOptions::run_options(int threads) const {
  require_usage(kernels == "best" || kernels == "reference",
                "--kernels is '{}'; there are best, reference", kernels);
  require_usage(!deterministic || kernels == "best",
                "--deterministic chooses the kernels: leave out --kernels {}", kernels);
  return {
      .threads = threads, .reference_only = kernels == "reference", .deterministic = deterministic};
}

Model ModelOptions::open(const WeightFiles& weights, const CheckpointOptions& checkpoint,
                         const Shape& row_shape, const RunOptions& run) const {
  ModelSource source{.model = model, .weights = {}, .row_shape = row_shape};
  source.strategy = weights.strategy;
  if (weights.place.empty()) {
    checkpoint.require_unused();
  } else {
    source.weights.emplace_back(weights.place);
  }
  source.open = checkpoint.open_options();
  source.match = checkpoint.match_options();
  source.load = checkpoint.load_options(run.threads);
  return Model::open(source, run);
}

}  // namespace tessera::cli
