// What the outputs of whole tensors share: several files of one folder and the JSON that says which
// tensor lies in which.
//
//   {"metadata": {"total_size": 26304}, "weight_map": {"fc.bias": "part0.safetensors", …}}
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tessera/reshard/output.h"

namespace tessera::internal {

/// A file's name and what it holds.
struct NamedPart {
  std::string name;
  std::vector<Holding> entries;
};

/// The tensors of one rank that `request` describes. Throws kInvalidArgument where something is not
/// whole or cannot lie in safetensors.
const std::vector<Holding>& whole_tensors(const OutputRequest& request);
/// The bytes of a holding's tensor.
uint64_t bytes_of(const OutputRequest& request, const Holding& holding);

/// The largest tensors first, each to the part that is smallest so far (the first of equal ones),
/// as many parts as hold `most` bytes each on average; equal tensors in their order.
std::vector<std::vector<Holding>> balanced_parts(const OutputRequest& request,
                                                 std::vector<Holding> entries, uint64_t most);
/// In their order, a new part where the next tensor would make the last one larger than `most`; a
/// tensor larger than that has a part of its own.
std::vector<std::vector<Holding>> filled_parts(const OutputRequest& request,
                                               const std::vector<Holding>& entries, uint64_t most);

/// The index, indented by `indent`; `sorted`: by the tensors' names, else in the parts' order.
std::string index_json(const OutputRequest& request, const std::vector<NamedPart>& parts,
                       size_t indent, bool sorted);

}  // namespace tessera::internal
