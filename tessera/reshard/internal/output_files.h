// The files of a result while they are made: their headers are written at once, contents in any
// order and from several threads, and they appear under their names together.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "tessera/io/file.h"
#include "tessera/reshard/output.h"
#include "tessera/reshard/source.h"

namespace tessera::internal {

/// Where one file wants the content of a record.
struct Place {
  uint32_t file = 0;
  uint32_t slices = 0;   // what of the record: index into Destination::slices
  uint32_t content = 0;  // index of the first part of its content
};

/// Whoever wants contents of records as they are read.
class ContentSink {
 public:
  virtual ~ContentSink() = default;
  /// The places of a record, equal slices often beside each other.
  virtual std::span<const Place> places(uint32_t record) const = 0;
  /// Takes `parts`, one after the other, as the bytes from `begin` on of a place's content. Called
  /// from several threads for ranges that do not overlap.
  virtual void write(const Place& place, uint64_t begin,
                     std::span<const std::span<const std::byte>> parts) = 0;
};

class OutputFiles : public ContentSink {
 public:
  struct Options {
    const OutputFormat& format;
    std::filesystem::path root;
    FileSystem& files;
    bool sync;
  };

  OutputFiles(const Source& source, const Destination& destination, OutputSet set,
              const Options& options);

  std::span<const Place> places(uint32_t record) const override;
  void write(const Place& place, uint64_t begin,
             std::span<const std::span<const std::byte>> parts) override;
  /// Closes the files and lets all of them appear, the texts last.
  void commit(int threads);

  /// Where the bytes of set().files[file] are until commit().
  const std::filesystem::path& temporary(size_t file) const { return files_[file]->temporary(); }
  uint64_t file_bytes() const { return file_bytes_; }
  const OutputSet& set() const { return set_; }
  FileSystem& file_system() const { return options_.files; }

 private:
  struct Content {
    uint64_t begin = 0;  // of the entry's bytes
    ByteRange bytes;     // in the file
  };

  FileImage image_of(const Source& source, const OutputFile& file) const;
  /// Returns per entry the index of its first content.
  std::vector<uint32_t> create(const Source& source, uint32_t number);

  const Destination& destination_;
  OutputSet set_;
  Options options_;
  std::vector<std::unique_ptr<AtomicFile>> files_;
  std::vector<std::vector<Content>> contents_;  // by file
  std::vector<size_t> first_place_;             // by record, one more at the end
  std::vector<Place> places_;
  uint64_t file_bytes_ = 0;
};

}  // namespace tessera::internal
