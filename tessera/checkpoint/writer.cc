#include "tessera/checkpoint/writer.h"

#include <unordered_set>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/format.h"
#include "tessera/io/crypto.h"

namespace tessera {
namespace {

const CheckpointFormat& format_for(const std::filesystem::path& path, const std::string& name) {
  const std::string suffix = name.empty() ? path.extension().string() : "." + name;
  for (const CheckpointFormat* format : all_formats())
    if (format->suffix() == suffix) return *format;
  fail(ErrorCode::kInvalidArgument, "'{}' has the suffix '{}'; .ckpt or .safetensors is wanted",
       printable(path.string()), printable(suffix));
}

}  // namespace

void check_names(std::span<const SaveEntry> entries) {
  require(!entries.empty(), "there is nothing to save");
  std::unordered_set<std::string_view> names(entries.size());
  for (const SaveEntry& entry : entries) {
    require(!entry.name.empty(), "a tensor without a name cannot be saved");
    if (!is_utf8(entry.name))
      fail(ErrorCode::kInvalidArgument, "the name '{}' is not UTF-8", printable(entry.name));
    if (!names.insert(entry.name).second)
      fail(ErrorCode::kInvalidArgument, "two tensors are called '{}'", printable(entry.name));
  }
}

CheckpointWriter::CheckpointWriter(std::filesystem::path path, WriteOptions options)
    : path_(std::move(path)),
      options_(std::move(options)),
      format_(&format_for(path_, options_.format)) {
  if (options_.key.empty()) return;
  check_key(parse_cipher(options_.cipher), options_.key);
  require(format_->suffix() == ".ckpt", "{} files cannot be encrypted; write a .ckpt",
          format_->name());
  require(!options_.crc,
          "a CRC and encryption do not go together: MindSpore cannot read the result; AES-GCM "
          "authenticates by itself");
}

void CheckpointWriter::add(std::string name, Tensor tensor) {
  SaveEntry entry;
  entry.name = std::move(name);
  entry.dtype = tensor.dtype();
  entry.shape = tensor.shape();
  entry.produce = [tensor = std::move(tensor)] { return tensor.contiguous(); };
  add(std::move(entry));
}

void CheckpointWriter::add(SaveEntry entry) {
  entries_.push_back(std::move(entry));
}

void CheckpointWriter::add(std::string name, int64_t value) {
  add(std::move(name), Tensor::scalar(value));
}

void CheckpointWriter::add(std::string name, double value) {
  add(std::move(name), Tensor::scalar(static_cast<float>(value)));
}

void CheckpointWriter::add(std::string name, bool value) {
  add(std::move(name), Tensor::scalar(value));
}

void CheckpointWriter::add_text(std::string name, std::string text) {
  SaveEntry entry;
  entry.name = std::move(name);
  entry.kind = RecordKind::kString;
  entry.text = std::move(text);
  add(std::move(entry));
}

void CheckpointWriter::finish() {
  const ErrorContext context([&] { return "saving " + printable(path_.string()); });
  check_names(entries_);
  FileSystem& files = options_.files != nullptr ? *options_.files : local_file_system();
  AtomicFile file(files, path_, {options_.sync});
  format_->write(entries_, options_, file.file());
  file.commit();
}

}  // namespace tessera
