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
};

std::span<const CheckpointFormat* const> all_formats();

}  // namespace tessera
