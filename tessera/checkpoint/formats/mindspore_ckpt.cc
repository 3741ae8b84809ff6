// MindSpore's .ckpt: protobuf messages one after the other, then a checksum where asked for, and
// all of it in cipher blocks where a key was given. docs/formats/mindspore-ckpt.md specifies it.
#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/formats/internal/cipher_blocks.h"
#include "tessera/checkpoint/formats/internal/ckpt_records.h"
#include "tessera/checkpoint/formats/internal/ckpt_write.h"
#include "tessera/checkpoint/formats/internal/image.h"
#include "tessera/checkpoint/formats/internal/stored_crc.h"

namespace tessera {
namespace {

using internal::CkptEntry;
using internal::CkptEntryReader;
using internal::CkptRecords;
using internal::kCrcTrailer;

/// The bytes of `file` that hold entries, after its checksum is looked at.
uint64_t check_trailer(const RandomAccessFile& file, const OpenOptions& options, Catalog& catalog) {
  uint32_t stored = 0;
  if (!internal::read_crc_trailer(file, stored)) {
    if (options.crc != CrcCheck::kRequired) return file.size();
    constexpr std::string_view kMessage = "the file carries no CRC although one is to be checked";
    if (!options.allows("missing_crc"))
      fail(ErrorCode::kCorruptData, "{}; '--allow missing_crc' accepts it", kMessage);
    catalog.deviations.push_back(fmt::format("missing_crc: {}", kMessage));
    return file.size();
  }
  const uint64_t size = file.size() - kCrcTrailer;
  catalog.files[0].crc = CrcState::kPresent;
  if (options.crc == CrcCheck::kNo) return size;
  const uint32_t found = internal::crc_of(file, {0, size});
  require_valid(found == stored,
                "the CRC of the first {} bytes is {:#010x} but the file says {:#010x}: it was "
                "changed after it was saved",
                size, found, stored);
  catalog.files[0].crc = CrcState::kVerified;
  return size;
}

class MindSporeCkpt : public CheckpointFormat {
 public:
  std::string_view name() const override { return "mindspore ckpt"; }
  std::string_view suffix() const override { return ".ckpt"; }
  bool recognizes(const Probe& probe) const override {
    return internal::begins_like_ckpt_entry(probe.head) ||
           internal::begins_like_cipher_blocks(probe.head);
  }

  Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                  const OpenOptions& options) const override {
    Catalog catalog;
    catalog.files.push_back({probe.path, std::string(name()), probe.size});
    if (internal::begins_like_cipher_blocks(probe.head)) {
      file = internal::open_cipher_blocks(std::move(file), options, catalog.files[0]);
    } else {
      require(options.key.empty(), "a key is given but the file is not encrypted");
    }
    const uint64_t size = check_trailer(*file, options, catalog);
    CkptEntryReader entries(*file, size);
    CkptRecords records(catalog, options);
    for (CkptEntry entry; entries.next(entry);) records.add(std::move(entry));
    records.finish();
    require_valid(!catalog.records.empty(), "the file holds no entry in its {} bytes", size);
    return {std::move(catalog), std::make_shared<const ByteSource>(
                                    std::vector<std::shared_ptr<const RandomAccessFile>>{file})};
  }

  void write(std::span<const SaveEntry> entries, const WriteOptions& options,
             WritableFile& file) const override {
    internal::write_ckpt(entries, options, file);
  }
  FileImage image(std::span<const SaveEntry> entries, const WriteOptions& options) const override {
    check_names(entries);
    internal::require_independent_bytes(options);
    return internal::ckpt_image(entries, options);
  }
};

}  // namespace

const CheckpointFormat& format_mindspore_ckpt() {
  static const MindSporeCkpt format;
  return format;
}

}  // namespace tessera
