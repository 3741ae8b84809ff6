#include "cli/model_options.h"

#include "cli/word.h"
#include "tessera/model/hub.h"
#include "tessera/ops/precision_support.h"

namespace tessera::cli {
namespace {

/// Weights that came from PyTorch load into MindSpore's arithmetic without an error, and predict
/// worse there: its convolutions and pools pad otherwise.
void tell_of_variant(const ModelSpec& spec, std::string_view written) {
  // Every "variant" of the zoo has torchvision's (zoo/internal/images.h).
  if (!spec.options.contains("variant") || written.find("variant") != std::string_view::npos)
    return;
  fmt::print(stderr,
             "the names are PyTorch's, the arithmetic is MindSpore's: weights of torchvision "
             "want {}(variant=torchvision)\n",
             spec.model->name);
}

}  // namespace

void ModelOptions::declare(Arguments& arguments) {
  arguments.positional(
      "model", model,
      "name of a model (see 'tessera models'), with its options: \"mlp(hidden=[128])\"; or "
      "hub:UID, a card of a hub with its weights");
  arguments.group("Running");
  arguments.option("--kernels", kernels, "best, or reference: plain C++ without oneDNN");
  arguments.flag("--deterministic", deterministic,
                 "the same bits for any number of ranks and threads on one type of processor");
  arguments.option("--precision", precision,
                   "f32, or bf16: convolutions and dense layers multiply in bf16, where the "
                   "processor has instructions for it; train takes f16 too");
  arguments.options("--reinit", reinit,
                    "pattern of parameters that stay new whatever the file has: "
                    "a head for other classes");
  hub.declare_place(arguments);
  hub.declare_fetch(arguments);
}

void ModelOptions::resolve(std::string& weights, bool needs_weights, bool quiet) {
  constexpr std::string_view kPrefix = "hub:";
  if (model.starts_with(kPrefix)) {
    std::string name = model.substr(kPrefix.size());
    hub::LoadOptions options;
    const size_t open = name.ends_with(')') ? name.find('(') : std::string::npos;
    if (open != std::string::npos) {
      options.options = name.substr(open + 1, name.size() - open - 2);
      name.resize(open);
    }
    options.pretrained = needs_weights && weights.empty();
    options.hub = hub.hub;
    options.fetch = hub.fetch_options(quiet);
    const hub::Resolved resolved = hub::resolve(name, options);
    model = to_string(resolved.spec);
    if (resolved.weights) weights = resolved.weights->path.string();
  }
  require_usage(!needs_weights || !weights.empty(),
                "--weights is required: a checkpoint file or folder, or hub:UID as the model");
}

ModelSpec ModelOptions::spec() const {
  return read_usage([&] { return parse_model(model); });
}

RunOptions ModelOptions::run_options(int threads) const {
  require_usage(kernels == "best" || kernels == "reference",
                "--kernels is '{}'; there are best, reference", kernels);
  require_usage(!deterministic || kernels == "best",
                "--deterministic chooses the kernels: leave out --kernels {}", kernels);
  const Precision products = read_usage([&] { return parse_precision(precision); });
  require_usage(products == Precision::kF32 || (!deterministic && kernels == "best"),
                "--precision {} goes without --deterministic and --kernels: those compute in f32",
                precision);
  require_precision(products);
  return {.threads = threads,
          .reference_only = kernels == "reference",
          .deterministic = deterministic,
          .precision = products};
}

Model ModelOptions::open(const WeightFiles& weights, const CheckpointOptions& checkpoint,
                         const Shape& row_shape, const RunOptions& run, uint64_t seed) const {
  ModelSource source{.model = model, .weights = {}, .row_shape = row_shape};
  source.seed = seed;
  source.strategy = weights.strategy;
  if (weights.place.empty()) {
    checkpoint.require_unused();
  } else {
    source.weights.emplace_back(weights.place);
  }
  source.open = checkpoint.open_options();
  source.match = checkpoint.match_options();
  source.match.reinit = reinit;
  if (source.match.renaming.pytorch && (run.world == nullptr || run.world->rank() == 0))
    tell_of_variant(spec(), model);
  source.load = checkpoint.load_options(run.threads);
  return Model::open(source, run);
}

}  // namespace tessera::cli
