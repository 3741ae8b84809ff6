// The layouts that inputs and parameters are given, before any node is placed.
#pragma once

#include <optional>

#include "tessera/passes/internal/stages.h"
#include "tessera/passes/place.h"

namespace tessera::internal {

/// What options.layout_of says of a value, or nothing. Throws kInvalidArgument for a layout that
/// does not fit it, or has partial values.
std::optional<Layout> asked_for(const ValueInfo& value, const PlaceOptions& options);
/// Where an input of the graph lies.
Layout layout_of_input(const Graph& graph, ValueId id, const PlaceOptions& options,
                       const Stages& stages);
/// Where a parameter lies that a layout was asked for; nothing: as its first reader wants it.
std::optional<Layout> layout_of_parameter(const Graph& graph, ValueId id,
                                          const PlaceOptions& options, const Stages& stages);

}  // namespace tessera::internal
