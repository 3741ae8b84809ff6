// A map from a checkpoint's names to a network's, as users write it with --rename and in files:
//
//   # torchvision's ResNet-50
//   *.num_batches_tracked =
//   fc.* = end_point.*
//   *.downsample.* = *.down_sample_layer.*
//   pytorch
//
// docs/formats/rename.md describes the notation.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/names.h"

namespace tessera {

struct NameMap {
  std::vector<Renaming> rules;
  /// After the rules, PyTorch's names of what a norm or an embedding holds become MindSpore's.
  bool pytorch = false;
  /// Every stored name must fill a parameter of the network, or be left out by a rule.
  bool whole = false;

  bool empty() const { return rules.empty() && !pytorch; }
};

/// Each entry is PATTERN=REPLACEMENT, "pytorch", or the path of a file of such lines; the last two
/// make the map whole. Throws kInvalidArgument, in a file with its line, and what reading throws.
NameMap read_name_map(std::span<const std::string> entries);

/// What the names become; "" for those left out. `wanted` are a network's parameters: they tell
/// which layers are norms. Where there are none, a norm is a layer with a running_mean. Throws
/// kInvalidArgument naming every rule that matches nothing and all names that become one.
std::vector<std::string> map_names(std::span<const std::string> names, const NameMap& map,
                                   std::span<const std::string> wanted = {});

}  // namespace tessera
