// Checkpoint files written and read by hand: what the campaign puts in front of the code under test
// and how it looks at the result, without the code under test.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/campaigns/random_job.h"

namespace tessera::testing {

struct ShardEntry {
  std::string name;
  std::string type;  // "Float32"
  std::vector<int64_t> shape;
  std::string bytes;
};

/// A .ckpt; entries may be cut into several pieces, scalars have either of MindSpore's forms and
/// bfloat16 may be stored as float32.
std::string encode_ckpt(const std::vector<ShardEntry>& entries, Random& random);
/// Each entry in one piece.
std::string encode_plain_ckpt(const std::vector<ShardEntry>& entries);
std::string encode_safetensors(const std::vector<ShardEntry>& entries);

/// By name; types as in a .ckpt. Throws std::runtime_error for what is not well formed.
std::map<std::string, ShardEntry> decode(const std::string& file, bool is_safetensors);

}  // namespace tessera::testing
