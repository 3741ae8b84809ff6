#include "tessera/model/distributed_checkpoint.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/model/internal/load_into_ranks.h"
#include "tessera/model/internal/match_net.h"
#include "tessera/reshard/destination_folder.h"
#include "tessera/reshard/load_rank.h"
#include "tessera/reshard/tensor_source.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

/// `is_joined`: they follow each other along dim 0.
void check_slices(std::span<const SlicedParameter> slices, bool is_joined) {
  require(!slices.empty(), "there are no slices to merge");
  const SlicedParameter& first = slices[0];
  for (const SlicedParameter& slice : slices) {
    require(slice.tensor.is_defined(), "a slice of '{}' has no values", printable(slice.name));
    require(slice.name == first.name, "the slices are of '{}' and of '{}'", printable(first.name),
            printable(slice.name));
    const Shape& a = first.tensor.shape();
    const Shape& b = slice.tensor.shape();
    require(a.size() == b.size() &&
                (!is_joined || a.empty() || std::equal(a.begin() + 1, a.end(), b.begin() + 1)),
            "slices of '{}' are {} and {}: only dim 0 may differ", printable(first.name),
            describe(first.tensor), describe(slice.tensor));
  }
}

/// Slices that follow each other along dim 0.
ParameterLayout joined_rows(std::span<const SlicedParameter> slices) {
  require(slices.size() == 1 || slices[0].tensor.ndim() > 0,
          "'{}' is a scalar, of which {} slices cannot be joined", printable(slices[0].name),
          slices.size());
  ParameterLayout layout{.name = slices[0].name};
  TensorMap map{{static_cast<int>(slices.size())}, {}};
  map.dims.resize(slices[0].tensor.ndim());
  if (!map.dims.empty()) map.dims[0] = {0};
  layout.layout = from_tensor_map(map);
  if (!map.dims.empty())
    for (const SlicedParameter& slice : slices)
      layout.split_rows.push_back(slice.tensor.shape()[0]);
  return layout;
}

ParameterLayout layout_in(const std::map<std::string, ParameterLayout>& strategy,
                          std::span<const SlicedParameter> slices) {
  const auto found = strategy.find(slices[0].name);
  if (found == strategy.end()) {
    std::vector<std::string> names;
    for (const auto& [name, layout] : strategy) names.push_back(name);
    fail(ErrorCode::kNotFound, "the strategy has no '{}'{}", printable(slices[0].name),
         suggest(slices[0].name, names));
  }
  const ParameterLayout& layout = found->second;
  const auto ranks = static_cast<size_t>(layout.layout.mesh->rank_count());
  require(slices.size() == ranks, "there are {} slices of '{}' but its layout {} is over {} ranks",
          slices.size(), printable(slices[0].name), to_string(layout.layout), ranks);
  return layout;
}

/// All that is asked of one load.
class DistributedLoad {
 public:
  DistributedLoad(std::span<const fs::path> files, const fs::path& train,
                  const PredictStrategy& predict, const LoadDistributedOptions& options)
      : options_(options) {
    require(options.rank >= 0, "rank {} is wanted", options.rank);
    if (!train.empty()) {
      const ErrorContext context([&] { return "reading " + printable(train.string()); });
      train_ = read_strategy(train);
      validate(*train_);
    } else if (files.size() == 1) {
      train_ = strategy_in(local_file_system(), files[0]);
    }
    open(files);
    place(predict);
    if (options.notes != nullptr) {
      *options.notes = source_.notes;
      options.notes->insert(options.notes->end(), destination_.notes.begin(),
                            destination_.notes.end());
    }
  }

  std::vector<Holding>& holdings() { return destination_.ranks[rank()]; }

  /// Names, dtypes and local shapes of what the rank holds.
  Catalog local_catalog() {
    Catalog local;
    for (const Holding& holding : holdings()) {
      Record& record = local.records.emplace_back();
      const Record& stored = source_.catalog().records[holding.record];
      record.name = stored.name;
      record.kind = stored.kind;
      record.dtype = stored.dtype;
      if (stored.kind == RecordKind::kTensor)
        record.shape = local_shape(destination_.slices[holding.slices]);
    }
    index_records(local);
    return local;
  }

  ParameterMap load() {
    PlanOptions options;
    options.ranks = {static_cast<Rank>(rank())};
    options.threads = options_.threads;
    options.replicas = options_.replicas;
    const ReshardPlan plan = plan_reshard(source_, destination_, options);
    verify(plan, source_, destination_);
    std::vector<Tensor> tensors = load_rank(source_, destination_, plan);
    ParameterMap loaded;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Record& record = source_.catalog().records[holdings()[i].record];
      require(record.kind != RecordKind::kMap,
              "'{}' is a map tensor, which a parameter dictionary cannot hold",
              printable(record.name));
      if (record.kind == RecordKind::kString) {
        loaded.entries.emplace_back(record.name, read_string(source_.checkpoint, record));
      } else {
        loaded.entries.emplace_back(record.name, std::move(tensors[i]));
      }
    }
    return loaded;
  }

  /// The records of local_catalog() that matches want.
  ParameterMap load_only(std::span<const ParameterMatch> matches) {
    std::vector<Holding> wanted;
    for (const ParameterMatch& one : matches) wanted.push_back(holdings()[one.record]);
    std::sort(wanted.begin(), wanted.end(),
              [](const Holding& a, const Holding& b) { return a.record < b.record; });
    holdings() = std::move(wanted);
    return load();
  }

  bool allows(const std::string& name) const {
    return std::any_of(options_.allow.begin(), options_.allow.end(),
                       [&](const std::string& pattern) { return matches(pattern, name); });
  }

 private:
  size_t rank() const {
    return destination_.ranks.size() == 1 ? 0 : static_cast<size_t>(options_.rank);
  }

  void open(std::span<const fs::path> files) {
    std::vector<std::string> paths;
    for (const fs::path& file : files) paths.push_back(file.string());
    FindOptions find;
    find.offers_pick = false;
    find.allow = options_.allow;
    SourceOptions open;
    open.open.key = options_.dec_key;
    open.open.cipher = options_.dec_mode;
    open.open.allow = options_.allow;
    open.threads = options_.threads;
    open.interleave_fields = true;
    source_ = open_source(find_rank_files(paths, find), train_ ? &*train_ : nullptr, open);
  }

  void place(const PredictStrategy& predict) {
    if (predict.empty()) {
      destination_ = whole_destination(source_.catalog());
      return;
    }
    const Strategy strategy = strategy_of(predict);
    require(options_.rank < strategy.rank_count(), "rank {} is wanted of a predict layout for {}",
            options_.rank, strategy.rank_count());
    DestinationOptions place;
    place.allow = options_.allow;
    destination_ = destination_of(source_.catalog(), strategy, place);
    std::erase_if(holdings(), [&](const Holding& holding) {
      const Record& record = source_.catalog().records[holding.record];
      const auto layout = predict.find(record.name);
      if (layout != predict.end()) {
        check_slice(record, layout->second, holding);
        return false;
      }
      return is_left_out(record.name, strategy);
    });
  }

  Strategy strategy_of(const PredictStrategy& predict) const {
    Strategy strategy;
    for (const auto& [name, layout] : predict) {
      const ErrorContext context([&of = name] {
        return fmt::format("reading the predict layout of '{}'", printable(of));
      });
      require(layout.field == 0, "the field is {}; a predict layout has 0", layout.field);
      ParameterLayout& one = strategy.parameters.emplace_back();
      one.name = name;
      one.layout = from_tensor_map({layout.device_matrix, layout.tensor_map});
      strategy.ranks_per_stage = std::max(strategy.ranks_per_stage, one.layout.mesh->rank_count());
    }
    index_parameters(strategy);
    validate(strategy);
    return strategy;
  }

  /// What the train strategy names must have a predict layout, or be allowed to be left out.
  bool is_left_out(const std::string& name, const Strategy& predict) const {
    if (!train_ || !train_->names(name)) return false;
    if (allows(name)) return true;
    std::vector<std::string> names;
    for (const ParameterLayout& one : predict.parameters) names.push_back(one.name);
    fail(ErrorCode::kNotFound,
         "the train strategy cuts '{}', for which there is no predict layout{}; allow its name to "
         "leave it out",
         printable(name), suggest(name, names));
  }

  void check_slice(const Record& record, const PredictLayout& layout,
                   const Holding& holding) const {
    const Shape found = local_shape(destination_.slices[holding.slices]);
    require(layout.slice_shape.empty() || layout.slice_shape == found,
            "the predict layout of '{}' says slices of {}, but its cut of {} gives rank {} {}",
            printable(record.name), to_string(layout.slice_shape), describe(record), options_.rank,
            to_string(found));
  }

  const LoadDistributedOptions& options_;
  std::optional<Strategy> train_;
  Source source_;
  Destination destination_;
};

}  // namespace

SlicedParameter merge_sliced_parameter(std::span<const SlicedParameter> sliced_parameters,
                                       const std::map<std::string, ParameterLayout>* strategy) {
  const bool is_joined = strategy == nullptr || strategy->empty();
  check_slices(sliced_parameters, is_joined);
  ParameterLayout layout =
      is_joined ? joined_rows(sliced_parameters) : layout_in(*strategy, sliced_parameters);
  layout.name = sliced_parameters[0].name;
  layout.is_pattern = false;
  layout.stage = 0;
  Strategy one;
  one.ranks_per_stage = layout.layout.mesh->rank_count();
  one.parameters.push_back(std::move(layout));
  index_parameters(one);
  validate(one);
  std::vector<RankTensor> slices;
  for (const SlicedParameter& slice : sliced_parameters)
    slices.push_back({static_cast<Rank>(slices.size()), slice.tensor});
  SourceOptions options;
  options.interleave_fields = true;
  const Source source = source_of(sliced_parameters[0].name, slices, one, options);
  const Destination destination = whole_destination(source.catalog());
  PlanOptions plan_options;
  plan_options.ranks = {0};
  plan_options.replicas = ReplicaCheck::kAll;
  const ReshardPlan plan = plan_reshard(source, destination, plan_options);
  verify(plan, source, destination);
  return {sliced_parameters[0].name, load_rank(source, destination, plan)[0]};
}

ParameterMap load_distributed_checkpoint(std::span<const fs::path> checkpoint_filenames,
                                         const fs::path& train_strategy_filename,
                                         const PredictStrategy& predict_strategy,
                                         const LoadDistributedOptions& options) {
  return DistributedLoad(checkpoint_filenames, train_strategy_filename, predict_strategy, options)
      .load();
}

NotLoaded load_distributed_checkpoint(Model& net, std::span<const fs::path> checkpoint_filenames,
                                      const fs::path& train_strategy_filename,
                                      const PredictStrategy& predict_strategy,
                                      const LoadDistributedOptions& options) {
  if (net.spread() != nullptr)
    return internal::load_into_ranks(
        net, {checkpoint_filenames, train_strategy_filename, predict_strategy}, options);
  DistributedLoad load(checkpoint_filenames, train_strategy_filename, predict_strategy, options);
  const Catalog local = load.local_catalog();
  internal::NetMatch match = internal::match_net(net, local, options.strict_load);
  for (const std::string& name : match.rest.param_not_load)
    if (!load.allows(name))
      fail(ErrorCode::kNotFound,
           "the network's parameter '{}' is in no file{}; allow its name to keep its value",
           printable(name), suggest(name, local.names()));
  const ParameterMap loaded = load.load_only(match.report.matches);
  for (size_t i = 0; i < match.report.matches.size(); ++i) {
    const ParameterMatch& one = match.report.matches[i];
    const NetworkParameter& parameter = match.wanted[one.parameter];
    net.set_weight(parameter.name,
                   fit(*loaded.find(local.records[one.record].name), one, parameter));
  }
  return std::move(match.rest);
}

NotLoaded load_distributed_checkpoint(Model& net, std::span<const fs::path> checkpoint_filenames,
                                      const PredictStrategy& predict_strategy,
                                      const AutoParallelContext& context,
                                      const LoadDistributedOptions& options) {
  return load_distributed_checkpoint(net, checkpoint_filenames, context.strategy_ckpt_load_file,
                                     predict_strategy, options);
}

}  // namespace tessera
