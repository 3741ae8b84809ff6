// Training runs on ranks that are threads, or on none, and where their parameters lie.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/communicator.h"
#include "tessera/model/train/trainer.h"
#include "tests/training/digits_run.h"

namespace tessera::testing {

using Layouts = std::vector<std::pair<std::string, std::string>>;  // by parameter

/// Of LeNet-5, over an axis "tp".
inline const Layouts kTensorParallel = {
    {"fc1.weight", "[tp, -]"}, {"fc1.bias", "[tp]"}, {"fc2.weight", "[-, tp]"}};

/// Places parameters so over this mesh; without one nothing is said.
inline void lay_out(PlaceOptions& place, const std::string& mesh, const Layouts& layouts) {
  if (mesh.empty()) return;
  place.mesh = parse_mesh(mesh);
  place.layout_of = [mesh = place.mesh, layouts](const ValueInfo& value) -> std::optional<Layout> {
    for (const auto& [name, text] : layouts)
      if (name == value.name) return parse_layout(text, mesh);
    return std::nullopt;
  };
}

/// Calls body(world) on each of so many ranks; of one with null.
template <typename Body>
void on_ranks(int ranks, const Body& body) {
  if (ranks == 1) return body(nullptr);
  run_world({.ranks = ranks}, [&](Communicator& world) { body(&world); });
}

/// The tensors that this rank has all of.
inline Tensors whole_tensors(const Trainer& trainer) {
  Tensors whole;
  for (const TrainedTensor& tensor : trainer.tensors())
    if (tensor.values.shape() == tensor.shape) whole.emplace(tensor.name, tensor.values);
  return whole;
}

}  // namespace tessera::testing
