// The bytes as each index that a folder may have, over two safetensors files that fit the good ones
// of the corpus: the folder opens and loads, or is refused with an Error.
#include <cstdlib>

#include "tessera/base/error.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"

namespace tessera {
namespace {

std::string shard() {
  MemoryFileSystem files;
  CheckpointWriter writer("s.safetensors", {.files = &files});
  const std::vector<float> values{1, 2, 3, 4};
  writer.add("w", Tensor::of(std::span(values), {2, 2}));
  writer.add("b", Tensor::of(std::span(values).first(2), {2}));
  writer.finish();
  return files.content("s.safetensors");
}

void check_index(const std::string& name, const std::string& content) {
  static const std::string kShard = shard();
  MemoryFileSystem files;
  files.put("f/a.safetensors", kShard);
  files.put("f/b.safetensors", kShard);
  files.put("f/" + name, content);
  try {
    const Checkpoint checkpoint = open_checkpoint("f/" + name, {.files = &files});
    for (const Record& record : checkpoint.catalog.records)
      for (const Piece& piece : record.pieces)
        if (!contains(whole(record.shape), box_of(record, piece))) std::abort();
    load_tensors(checkpoint, targets_of(checkpoint.catalog), {.threads = 1});
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) std::abort();
  }
}

}  // namespace
}  // namespace tessera

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"metadata.json", "param_name_map.json", "model.safetensors.index.json"})
    tessera::check_index(name, content);
  return 0;
}
