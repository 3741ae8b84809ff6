// MindSpore Hub's load: a card becomes a network with its weights.
//
//   MindSpore: net = mindspore_hub.load("mindspore/ascend/0.7/googlenet_v1_cifar10",
//   num_classes=10) Model net = hub::load("mindspore/ascend/0.7/googlenet_v1_cifar10",
//   {.num_classes = 10});
//
// The network is the one of Tessera's zoo; what a card links to is read as weights and never run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/hub/card.h"
#include "tessera/hub/fetch.h"
#include "tessera/model/model.h"

namespace tessera::hub {

struct LoadOptions {
  /// MindSpore's argument; not given: what the card's data set has, or else the model's own.
  std::optional<int64_t> num_classes = {};
  /// false: no weights are fetched; all parameters are new, as the network's initialisers make
  /// them.
  bool pretrained = true;
  uint64_t seed = 0;          // of the parameters that are new
  bool force_reload = false;  // fetch again what the cache has
  std::string hub = {};       // folder or base URL of cards; "": TESSERA_HUB, or the built-in cards
  /// "": `name` is what it looks like. "local": the path of a card. "hub": a uid.
  /// "gitee": a uid, and where `hub` is empty of MindSpore's own hub.
  std::string source = {};
  /// Further options of the network, "num_channel=3,…". One that the network lacks is an error.
  std::string options = {};
  /// Patterns of parameters that stay new, as a head of another size must.
  std::vector<std::string> reinit = {};
  FetchOptions fetch = {};  // cache, mirrors, offline, …
  RunOptions run = {};
};

/// What a card is to Tessera.
struct Resolved {
  Card card;
  ModelSpec spec;
  std::optional<Fetched> weights;  // nothing where not pretrained
};

/// The model of the zoo that a card is of; null where the zoo lacks it. A card of a family, as
/// "resnet", is what its own name says: "resnet18_v1.2_cifar10".
const ModelDef* model_of(const Card& card);

/// The card that `name` means (a uid, the URL of a card, the path of one), its network and its
/// file. Throws kNotFound, kUnsupported where the zoo has no such network, and as fetch_asset does.
Resolved resolve(std::string_view name, const LoadOptions& options = {});

/// The same as a model. Loading is strict: every parameter is there, with its shape and dtype.
Model load(std::string_view name, const LoadOptions& options = {});

}  // namespace tessera::hub
