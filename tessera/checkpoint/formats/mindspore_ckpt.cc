// MindSpore's .ckpt: protobuf messages one after the other, then a checksum where asked for, and
// all of it in cipher blocks where a key was given. docs/formats/mindspore-ckpt.md specifies it.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/checkpoint/format.h"
#include "tessera/checkpoint/formats/internal/ckpt_records.h"

namespace tessera {
namespace {

using internal::CkptEntry;
using internal::CkptEntryReader;
using internal::CkptRecords;

/// An entry's first bytes: 0A, a length, and a field of the value (name, tensor or map).
bool begins_like_an_entry(std::string_view head) {
  if (head.size() < 3 || head[0] != 0x0A) return false;
  size_t at = 1;
  while (at < std::min<size_t>(head.size(), 10) &&
         (static_cast<unsigned char>(head[at]) & 0x80) != 0)
    ++at;
  ++at;
  return at < head.size() && (head[at] == 0x0A || head[at] == 0x12 || head[at] == 0x1A);
}

class MindSporeCkpt : public Format {
 public:
  std::string_view name() const override { return "mindspore ckpt"; }
  std::string_view suffix() const override { return ".ckpt"; }
  bool recognizes(const Probe& probe) const override { return begins_like_an_entry(probe.head); }

  Checkpoint open(std::shared_ptr<const RandomAccessFile> file, const Probe& probe,
                  const OpenOptions& options) const override {
    Catalog catalog;
    catalog.files.push_back({probe.path, std::string(name()), probe.size});
    CkptEntryReader entries(*file, file->size());
    CkptRecords records(catalog, options);
    for (CkptEntry entry; entries.next(entry);) records.add(std::move(entry));
    records.finish();
    return {std::move(catalog), std::make_shared<const ByteSource>(
                                    std::vector<std::shared_ptr<const RandomAccessFile>>{file})};
  }
};

}  // namespace

const Format& format_mindspore_ckpt() {
  static const MindSporeCkpt format;
  return format;
}

}  // namespace tessera
