#include "tessera/model/hub.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/hub/card_index.h"

namespace tessera::hub {
namespace {

constexpr std::string_view kGitee = "https://gitee.com/mindspore/hub/raw/master/mshub_res/assets";

struct DataSet {
  std::string_view begins;
  int64_t classes;
};
constexpr DataSet kDataSets[] = {
    {"cifar100", 100}, {"cifar10", 10}, {"imagenet", 1000}, {"mnist", 10}, {"fashion", 10}};

/// The classes of the data set that a card names, or nothing.
std::optional<int64_t> classes_of(std::string_view data_set) {
  std::string name;
  for (const char c : data_set)
    if (c != '-' && c != '_' && c != ' ')
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const DataSet& known : kDataSets)
    if (name.starts_with(known.begins)) return known.classes;
  return {};
}

bool has_option(const ModelDef& model, std::string_view name) {
  return std::any_of(model.options.begin(), model.options.end(),
                     [&](const AttrDef& option) { return option.name == name; });
}

const ModelDef& require_network(const Card& card) {
  require_valid(card.is_read, "card {} cannot be read: {}", printable(card.uid),
                printable(join(card.problems, "; "), 1000));
  // Not the backbone where there is a model: a detector's backbone is another network.
  const std::string& name = card.model.empty() ? card.backbone : card.model;
  const ModelDef* model = find_hub_model(name);
  std::vector<std::string> known;
  for (const ModelDef& one : all_models()) known.emplace_back(one.name);
  if (model == nullptr)
    fail(ErrorCode::kUnsupported, "card {} is of the model '{}', which the zoo lacks{}; it has: {}",
         printable(card.uid), printable(name), suggest(name, known), join(known, ", "));
  return *model;
}

ModelSpec spec_of(const Card& card, const LoadOptions& options) {
  const ModelDef& model = require_network(card);
  std::string text = options.options;
  const bool names_classes = text.find("num_classes") != std::string::npos;
  std::optional<int64_t> classes = options.num_classes;
  if (!classes && !names_classes && has_option(model, "num_classes"))
    classes = classes_of(card.dataset);
  if (classes) text += fmt::format("{}num_classes={}", text.empty() ? "" : ",", *classes);
  return parse_model(fmt::format("{}({})", model.name, text));
}

Card find_card(std::string_view name, const LoadOptions& options) {
  const std::string& source = options.source;
  require(source.empty() || source == "local" || source == "hub" || source == "gitee",
          "source is '{}'; wanted local, hub, gitee or nothing", printable(source));
  if (source != "local") {
    const bool is_gitee = source == "gitee" && options.hub.empty();
    return resolve_card(std::string(name), is_gitee ? std::string(kGitee) : options.hub,
                        options.fetch, source.empty());
  }
  const std::filesystem::path path = name;
  return read_card_file(path.stem().string(), path);
}

}  // namespace

Resolved resolve(std::string_view name, const LoadOptions& options) {
  const ErrorContext context(
      [&] { return fmt::format("loading '{}' from a hub", printable(name)); });
  FetchOptions fetch = options.fetch;
  fetch.force_reload |= options.force_reload;
  Resolved resolved{find_card(name, options), {}, {}};
  resolved.spec = spec_of(resolved.card, options);
  if (options.pretrained) resolved.weights = fetch_asset(resolved.card, "", fetch);
  return resolved;
}

Model load(std::string_view name, const LoadOptions& options) {
  const Resolved resolved = resolve(name, options);
  const ErrorContext context(
      [&] { return fmt::format("loading card {} from a hub", printable(resolved.card.uid)); });
  ModelSource source{.model = to_string(resolved.spec), .weights = {}};
  if (resolved.weights) source.weights.push_back(resolved.weights->path);
  source.match.reinit = options.reinit;
  source.seed = options.seed;
  return Model::open(source, options.run);
}

}  // namespace tessera::hub
