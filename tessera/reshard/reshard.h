// Writes the files of a destination from the pieces of a source. Tensors stream through staging
// memory in slabs: every needed byte of the source is read once, whoever wants it, and nothing is
// ever held whole.
//
//   const ReshardReport report = reshard(source, destination, plan, "out", options);
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tessera/checkpoint/digest.h"
#include "tessera/reshard/output.h"
#include "tessera/reshard/plan.h"

namespace tessera {

struct ReshardOptions {
  const OutputFormat* output = nullptr;  // null: find_output("ckpt")
  std::string prefix = "model";          // of file names
  bool sync = true;                      // false: no fsync; a crash of the machine may lose files
  bool force = false;                    // an earlier result is replaced
  /// Reads the result back and compares its digests with those of the source.
  bool verify = false;
  /// With `verify`: digests of whole tensors, by name, that the source has to have.
  std::map<std::string, std::string> expected;
  std::string layouts;  // the destination's strategy as layouts.txt, for the manifest
  /// Called with the bytes done so far of plan.bytes_written, from any thread, one at a time.
  std::function<void(uint64_t done)> progress;
  FileSystem* files = nullptr;  // null: local_file_system()
};

struct TensorDigest {
  std::string name;
  Digest digest;
  bool operator==(const TensorDigest&) const = default;
};

struct ReshardReport {
  std::vector<std::filesystem::path> files;
  uint64_t bytes_read = 0;  // of tensors, replicas that are compared included
  uint64_t bytes_compared = 0;
  uint64_t bytes_written = 0;  // of tensors
  uint64_t file_bytes = 0;     // of the new files
  bool is_verified = false;
  std::vector<std::string> notes;
};

/// Makes the files in the folder `folder`, or all of one rank in the file `folder` where its name
/// ends in .ckpt or .safetensors. `plan` must have passed verify. Nothing is left when it throws;
/// a folder that had a result keeps it until the new files appear. Throws kCorruptData naming the
/// tensor where replicas differ, kInvalidArgument for a folder that is not empty, kUnsupported for
/// what the output cannot hold, kIo.
ReshardReport reshard(const Source& source, const Destination& destination, const ReshardPlan& plan,
                      const std::filesystem::path& folder, const ReshardOptions& options = {});

}  // namespace tessera
