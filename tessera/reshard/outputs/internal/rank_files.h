// One file per rank in MindSpore's folders, for the outputs that write what each rank holds.
//
//   rank_0/model0.ckpt  rank_1/model1.ckpt  …
#pragma once

#include "tessera/reshard/output.h"

namespace tessera::internal {

/// rank_<i>/<prefix><i><suffix> for every rank.
OutputSet one_file_per_rank(const OutputRequest& request, std::string_view suffix);

/// Throws kInvalidArgument when a file of `suffix` cannot hold something of what the ranks hold:
/// maps; strings and complex128 in safetensors; tensors without elements in .ckpt.
void check_contents(const OutputRequest& request, std::string_view suffix);

/// Throws kInvalidArgument unless there is one rank, which holds all of each of its tensors.
void check_whole(const OutputRequest& request);

/// Throws kInvalidArgument unless `prefix` can begin a file's name.
void check_prefix(std::string_view prefix);

}  // namespace tessera::internal
