// What every fuzz target of a checkpoint format checks: foreign bytes either open, load and can be
// saved again with the same content, or are refused with an Error.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tessera/base/error.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"

namespace tessera::fuzz {

inline void require_equal(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || !std::ranges::equal(a.bytes(), b.bytes())) std::abort();
}

/// Opens and loads in two ways; what loads must survive a round through the writer of `suffix`.
inline void check_checkpoint(const std::string& content, const std::string& suffix,
                             OpenOptions options) {
  MemoryFileSystem files;
  files.put("in" + suffix, content);
  options.files = &files;
  std::vector<Target> targets;
  std::vector<Tensor> tensors;
  try {
    const Checkpoint checkpoint = open_checkpoint("in" + suffix, options);
    for (const Record& record : checkpoint.catalog.records) {
      if (record.kind == RecordKind::kString) read_string(checkpoint, record);
      for (const Record& part : record.parts) load_record(checkpoint, part);
    }
    targets = targets_of(checkpoint.catalog);
    tensors = load_tensors(checkpoint, targets, {.threads = 1});
    const std::vector<Tensor> views = load_tensors(checkpoint, targets, {.map = true});
    for (size_t i = 0; i < tensors.size(); ++i) require_equal(tensors[i], views[i]);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) std::abort();
    return;
  }
  try {
    CheckpointWriter writer("out" + suffix, {.crc = true, .files = &files});
    for (size_t i = 0; i < targets.size(); ++i) writer.add(targets[i].name, tensors[i]);
    writer.finish();
  } catch (const Error&) {  // an empty tensor or name, which the format cannot hold
    return;
  }
  const Checkpoint again =
      open_checkpoint("out" + suffix, {.crc = CrcCheck::kRequired, .files = &files});
  const std::vector<Tensor> back = load_tensors(again, targets);
  for (size_t i = 0; i < tensors.size(); ++i) require_equal(tensors[i], back[i]);
}

}  // namespace tessera::fuzz
