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

/// "CIFAR-10" as "cifar10".
std::string bare(std::string_view data_set) {
  std::string name;
  for (const char c : data_set)
    if (c != '-' && c != '_' && c != ' ')
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

/// The classes of the data set that a card names, or nothing.
std::optional<int64_t> classes_of(std::string_view data_set) {
  const std::string name = bare(data_set);
  for (const DataSet& known : kDataSets)
    if (name.starts_with(known.begins)) return known.classes;
  return {};
}

bool has_option(const ModelDef& model, std::string_view name) {
  return std::any_of(model.options.begin(), model.options.end(),
                     [&](const AttrDef& option) { return option.name == name; });
}

/// Not the backbone where there is a model: a detector's backbone is another network.
const std::string& name_of(const Card& card) {
  return card.model.empty() ? card.backbone : card.model;
}

/// "ResNet-50" and "resnet" are of one family.
std::string family(std::string_view name) {
  std::string letters = bare(name);
  std::erase_if(letters, [](char c) { return c >= '0' && c <= '9'; });
  return letters;
}

const ModelDef& require_network(const Card& card) {
  require_valid(card.is_read, "card {} cannot be read: {}", printable(card.uid),
                printable(join(card.problems, "; "), 1000));
  const std::string& name = name_of(card);
  const ModelDef* model = model_of(card);
  std::vector<std::string> known;
  for (const ModelDef& one : all_models()) known.emplace_back(one.name);
  if (model == nullptr)
    fail(ErrorCode::kUnsupported, "card {} is of the model '{}', which the zoo lacks{}; it has: {}",
         printable(card.uid), printable(name), suggest(name, known), join(known, ", "));
  return *model;
}

/// "1.10" and "v1.10" as 110; 0 where it is no version.
int version_of(std::string_view text) {
  if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return 0;
  const size_t next = text.find('.', dot + 1);
  const auto major = parse_int(text.substr(0, dot));
  const auto minor = parse_int(text.substr(dot + 1, next == text.npos ? next : next - dot - 1));
  if (!major || !minor || *major < 0 || *major > 99 || *minor < 0 || *minor > 99) return 0;
  return static_cast<int>(*major * 100 + *minor);
}

bool applies(const HubRule& rule, const Card& card) {
  const std::string_view uid = card.uid;
  return uid.substr(uid.rfind('/') + 1).find(rule.uid) != std::string_view::npos &&
         bare(card.dataset).starts_with(rule.data_set) &&
         version_of(card.field("mindspore-version")) >= rule.since;
}

ModelSpec spec_of(const Card& card, const LoadOptions& options) {
  const ModelDef& model = require_network(card);
  std::string text = options.options;
  const auto names = [&](std::string_view option) {
    return ("," + text).find(fmt::format(",{}=", option)) != std::string::npos;
  };
  const auto append = [&](std::string_view option) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", option);
  };
  if (options.num_classes) append(fmt::format("num_classes={}", *options.num_classes));
  for (const HubRule& rule : model.hub_rules) {
    if (!applies(rule, card)) continue;
    for (const std::string_view option : split(rule.options, ','))
      if (!names(option.substr(0, option.find('=')))) append(option);
  }
  const auto classes = classes_of(card.dataset);
  if (classes && !names("num_classes") && has_option(model, "num_classes"))
    append(fmt::format("num_classes={}", *classes));
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

const ModelDef* model_of(const Card& card) {
  const std::string& name = name_of(card);
  if (const ModelDef* model = find_hub_model(name)) return model;
  std::string_view own = std::string_view(card.uid).substr(card.uid.rfind('/') + 1);
  own = own.substr(0, own.find('_'));
  return !name.empty() && family(own) == family(name) ? find_hub_model(own) : nullptr;
}

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
