// A checkpoint format: one file in formats/ that defines `const CheckpointFormat& format_NAME()`,
// where NAME is the file's name.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "tessera/checkpoint/checkpoint.h"

namespace tessera {

struct WriteOptions;
struct SaveEntry;

/// What a format sees of a file before it says whether it is its own.
struct Probe {
  static constexpr uint64_t kHeadBytes = 1024;

  std::filesystem::path path;
  uint64_t size = 0;
  std::string head;  // the first bytes, at most kHeadBytes
};

/// Where everything of a file will lie, for writers that fill in the contents in any order.
struct FileImage {
  /// Bytes of the file that are known: headers, strings.
  struct Fixed {
    uint64_t offset = 0;
    std::string bytes;
  };
  /// The content of a tensor entry from its byte `begin` on.
  struct Content {
    size_t entry = 0;
    uint64_t begin = 0;
    ByteRange bytes;  // in the file
  };
  uint64_t size = 0;
  std::vector<Fixed> fixed;       // by offset; together with the contents they fill the file
  std::vector<Content> contents;  // by offset; several of an entry that the format cuts,
                                  // none of one without elements
};

class CheckpointFormat {
 public:
  virtual ~CheckpointFormat() = default;
  virtual std::string_view name() const = 0;    // "mindspore ckpt"
  virtual std::string_view suffix() const = 0;  // ".ckpt": for writing, and for a damaged head
  /// Whether the content looks like this format; at most one format may say so.
  virtual bool recognizes(const Probe& probe) const = 0;
  /// Reads the headers of `file`, which lies at probe.path.
  virtual Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                          const OpenOptions& options) const = 0;
  /// Writes a whole file; kUnsupported for formats that are only read. See writer.h.
  virtual void write(std::span<const SaveEntry> entries, const WriteOptions& options,
                     WritableFile& file) const;
  /// The file that `write` would make of these entries, whose `produce` is not called. Throws
  /// kUnsupported for encrypted files and those with a CRC, whose bytes depend on each other.
  virtual FileImage image(std::span<const SaveEntry> entries, const WriteOptions& options) const;
};

std::span<const CheckpointFormat* const> all_formats();

}  // namespace tessera
