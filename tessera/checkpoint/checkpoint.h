// Opening checkpoints: which format a file has is seen from its content.
//
//   const Checkpoint checkpoint = open_checkpoint("lenet.ckpt");
//   for (const Record& record : checkpoint.catalog.records) ...
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/catalog.h"

namespace tessera {

/// Whether a file's checksum is compared with its bytes, which reads all of them.
enum class CrcCheck : uint8_t {
  kNo,
  kIfPresent,  // a file without one is accepted
  kRequired,   // a file without one is refused
};

/// The kinds of deviations from a format that can be accepted: "missing_crc", "short_content", …
std::span<const std::string_view> deviation_kinds();

/// Checks what a user allows: each entry is a kind, "KIND:NAME-PATTERN" or a pattern that matches
/// one of `names`. Throws kInvalidArgument naming the kinds or the nearest names.
void check_allow(std::span<const std::string> allow, std::span<const std::string> names);

/// How to open files. `allow` names the deviations that are accepted, each "KIND",
/// "KIND:NAME-PATTERN", or "NAME-PATTERN" for any kind; docs/formats/mindspore-ckpt.md says what
/// the kinds are. What is accepted so is listed in Catalog::deviations.
struct OpenOptions {
  std::string key;     // of an encrypted file: 16, 24 or 32 bytes
  std::string cipher;  // "AES-GCM", "AES-CBC", "SM4-CBC", or "" for what the file says
  int generation = 0;  // of the cipher container: 1 (MindSpore up to 1.6), 2, or 0 for either
  CrcCheck crc = CrcCheck::kNo;
  std::vector<std::string> allow;  // {"missing_crc", "short_content:fc.*"}
  FileSystem* files = nullptr;     // null: local_file_system()

  FileSystem& file_system() const { return files != nullptr ? *files : local_file_system(); }
  bool allows(std::string_view kind, std::string_view name = "") const;
};

/// The plain bytes of a catalog's files. Thread-safe.
class ByteSource {
 public:
  explicit ByteSource(std::vector<std::shared_ptr<const RandomAccessFile>> files)
      : files_(std::move(files)) {}
  /// The file with this index in Catalog::files. Encrypted files give their plain content.
  const RandomAccessFile& file(int index) const { return *files_.at(static_cast<size_t>(index)); }
  std::span<const std::shared_ptr<const RandomAccessFile>> files() const { return files_; }

 private:
  std::vector<std::shared_ptr<const RandomAccessFile>> files_;
};

struct LoadOptions;

struct Checkpoint {
  Catalog catalog;
  std::shared_ptr<const ByteSource> bytes;
};

/// Opens a file, or a folder that holds one checkpoint. Reads headers only (all of the file where
/// the CRC is checked). Throws kCorruptData, kUnsupported, kNotFound, kInvalidArgument or kIo.
Checkpoint open_checkpoint(const std::filesystem::path& path, const OpenOptions& options = {});
/// Several files as one catalog; a name may occur in one of them only.
Checkpoint open_checkpoint(std::span<const std::filesystem::path> paths,
                           const OpenOptions& options = {});
/// Several open ones as one catalog, as open_checkpoint makes it of several files.
Checkpoint join_checkpoints(std::vector<Checkpoint> parts);
Catalog open_catalog(const std::filesystem::path& path, const OpenOptions& options = {});

/// The files of a folder that make the others one checkpoint: "model.safetensors.index.json",
/// "param_name_map.json", or the "metadata.json" of MindFormers.
std::vector<std::string> indexes_in(const std::filesystem::path& folder,
                                    const FileSystem& files = local_file_system());

/// The paths of the files, for messages: the first one and how many more there are.
std::string describe_files(const Checkpoint& checkpoint);

/// The text of a string record, as UTF-8. Throws kCorruptData when it is no text.
std::string read_string(const Checkpoint& checkpoint, const Record& record);
std::string read_string(const Checkpoint& checkpoint, const Record& record,
                        const LoadOptions& options);

}  // namespace tessera
