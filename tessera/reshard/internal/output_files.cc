#include "tessera/reshard/internal/output_files.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/writer.h"

namespace tessera::internal {
namespace {

const CheckpointFormat& format_with(std::string_view suffix) {
  for (const CheckpointFormat* format : all_formats())
    if (format->suffix() == suffix) return *format;
  fail(ErrorCode::kInternal, "no checkpoint format has the suffix {}", suffix);
}

}  // namespace

OutputFiles::OutputFiles(const Source& source, const Destination& destination, OutputSet set,
                         const Options& options)
    : destination_(destination), set_(std::move(set)), options_(options) {
  first_place_.assign(source.catalog().records.size() + 1, 0);
  for (const OutputFile& file : set_.files)
    for (const Holding& entry : file.entries) ++first_place_[entry.record + 1];
  for (size_t r = 1; r < first_place_.size(); ++r) first_place_[r] += first_place_[r - 1];
  places_.resize(first_place_.back());
  files_.resize(set_.files.size());
  contents_.resize(set_.files.size());
  std::vector<size_t> next(first_place_.begin(), first_place_.end() - 1);
  for (uint32_t f = 0; f < set_.files.size(); ++f) {
    const std::vector<uint32_t> first_contents = create(source, f);
    for (size_t e = 0; e < set_.files[f].entries.size(); ++e) {
      const Holding& entry = set_.files[f].entries[e];
      places_[next[entry.record]++] = {f, entry.slices, first_contents[e]};
    }
  }
}

FileImage OutputFiles::image_of(const Source& source, const OutputFile& file) const {
  const ErrorContext context(
      [&] { return "laying out " + printable((options_.root / file.path).string()); });
  std::vector<SaveEntry> entries;
  entries.reserve(file.entries.size());
  for (const Holding& holding : file.entries) {
    const Record& record = source.catalog().records[holding.record];
    SaveEntry& entry = entries.emplace_back();
    entry.name = record.name;
    entry.kind = record.kind;
    entry.dtype = record.dtype;
    if (record.kind == RecordKind::kString) {
      entry.text = read_string(source.checkpoint, record);
    } else if (record.kind == RecordKind::kTensor) {
      entry.shape = local_shape(destination_.slices[holding.slices]);
    }
  }
  WriteOptions options;
  options.metadata = file.metadata;
  return format_with(options_.format.suffix()).image(entries, options);
}

std::vector<uint32_t> OutputFiles::create(const Source& source, uint32_t number) {
  const OutputFile& file = set_.files[number];
  const FileImage image = image_of(source, file);
  files_[number] = std::make_unique<AtomicFile>(options_.files, options_.root / file.path,
                                                AtomicFile::Options{options_.sync});
  for (const FileImage::Fixed& fixed : image.fixed)
    files_[number]->file().write_at(fixed.offset, std::as_bytes(std::span(fixed.bytes)));
  std::vector<Content>& contents = contents_[number];
  contents.reserve(image.contents.size());
  std::vector<uint32_t> first(file.entries.size(), 0);
  for (const FileImage::Content& content : image.contents) {
    if (content.begin == 0) first[content.entry] = static_cast<uint32_t>(contents.size());
    contents.push_back({content.begin, content.bytes});
  }
  file_bytes_ += image.size;
  return first;
}

void OutputFiles::write(const Place& place, uint64_t begin,
                        std::span<const std::span<const std::byte>> parts) {
  const std::vector<Content>& contents = contents_[place.file];
  WritableFile& file = files_[place.file]->file();
  uint64_t bytes = 0;
  for (const auto part : parts) bytes += part.size();
  size_t at = place.content;
  while (begin >= contents[at].begin + contents[at].bytes.size) ++at;
  if (begin + bytes <= contents[at].begin + contents[at].bytes.size)
    return file.write_gathered(contents[at].bytes.offset + begin - contents[at].begin, parts);
  // The format cuts the content here: a part may go to two places.
  for (std::span<const std::byte> part : parts) {
    while (!part.empty()) {
      if (begin == contents[at].begin + contents[at].bytes.size) ++at;
      const Content& content = contents[at];
      const uint64_t inside = begin - content.begin;
      const auto now = part.first(std::min<uint64_t>(part.size(), content.bytes.size - inside));
      file.write_at(content.bytes.offset + inside, now);
      begin += now.size();
      part = part.subspan(now.size());
    }
  }
}

void OutputFiles::commit(int threads) {
  parallel_for(files_.size(), threads, [&](size_t f) { files_[f]->commit(); });
  for (const OutputText& text : set_.texts)
    write_text(options_.files, options_.root / text.path, text.text, {options_.sync});
}

std::span<const Place> OutputFiles::places(uint32_t record) const {
  return std::span(places_).subspan(first_place_[record],
                                    first_place_[record + 1] - first_place_[record]);
}

}  // namespace tessera::internal
