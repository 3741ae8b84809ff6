#include <fmt/format.h>

#include "cli/checkpoint_options.h"
#include "cli/output.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/writer.h"

namespace tessera::cli {
namespace {

struct Request {
  std::string source;
  std::string destination;
  std::vector<std::string> only;
  std::string cast;
  bool encrypt = false;
  bool decrypt = false;
  bool add_crc = false;
  bool no_sync = false;
  bool quiet = false;
  CheckpointOptions checkpoint;
};

OpenOptions open_options(const Request& request) {
  OpenOptions options = request.checkpoint.open_options();
  if (!request.decrypt) options.key.clear();
  if (request.encrypt) options.cipher.clear();
  return options;
}

WriteOptions write_options(const Request& request, const Catalog& catalog) {
  WriteOptions options;
  options.crc = request.add_crc;
  options.sync = !request.no_sync;
  if (request.encrypt) {
    options.key = read_key(request.checkpoint.key_file);
    if (!request.checkpoint.cipher.empty()) options.cipher = request.checkpoint.cipher;
  }
  for (const auto& [key, value] : catalog.metadata)
    if (key != "format" && key != "crc_num") options.metadata.emplace(key, value);
  return options;
}

bool is_chosen(const Request& request, const Record& record) {
  if (request.only.empty()) return true;
  for (const std::string& pattern : request.only)
    if (matches(pattern, record.name)) return true;
  return false;
}

/// The entry that saves a record, its values read when they are written.
SaveEntry entry_of(const Request& request, const Checkpoint& checkpoint, const Record& record) {
  require(record.kind != RecordKind::kMap,
          "'{}' is a map tensor, which cannot be written; choose others with --only",
          printable(record.name));
  SaveEntry entry{.name = record.name,
                  .kind = record.kind,
                  .dtype = record.dtype,
                  .shape = record.shape,
                  .produce = nullptr,
                  .text = {}};
  if (record.kind == RecordKind::kString) {
    entry.text = read_string(checkpoint, record);
    return entry;
  }
  const bool casts = !request.cast.empty() && info(record.dtype).is_floating;
  if (casts) entry.dtype = parse_dtype(request.cast);
  entry.produce = [&checkpoint, &record, dtype = entry.dtype] {
    Tensor tensor = load_record(checkpoint, record);
    return tensor.dtype() == dtype ? tensor : tensor.cast(dtype);
  };
  return entry;
}

void check_usage(const Request& request) {
  const bool key = !request.checkpoint.key_file.empty();
  if ((request.encrypt || request.decrypt) && !key)
    throw UsageError("--encrypt and --decrypt need --key-file");
  if (key && !request.encrypt && !request.decrypt)
    throw UsageError("with --key-file say whether to --encrypt or to --decrypt");
  if (request.cast.empty()) return;
  require(info(parse_dtype(request.cast)).is_floating,
          "--cast converts between floating dtypes; '{}' is none", request.cast);
}

void convert(const Request& request) {
  check_usage(request);
  const Checkpoint checkpoint = request.checkpoint.open(request.source, open_options(request));

  CheckpointWriter writer(request.destination, write_options(request, checkpoint.catalog));
  uint64_t bytes = 0;
  size_t count = 0;
  for (const Record& record : checkpoint.catalog.records) {
    if (!is_chosen(request, record)) continue;
    SaveEntry entry = entry_of(request, checkpoint, record);
    bytes += static_cast<uint64_t>(element_count(entry.shape)) *
             static_cast<uint64_t>(byte_size(entry.dtype));
    ++count;
    writer.add(std::move(entry));
  }
  if (count == 0)
    fail(ErrorCode::kNotFound, "no name in {} matches --only {}{}", printable(request.source),
         join(request.only, " "), suggest(request.only.front(), checkpoint.catalog.names()));
  writer.finish();
  if (!request.quiet)
    fmt::print("{}: {} entries, {}\n", printable(request.destination), count, human_bytes(bytes));
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(convert) {
  using namespace tessera::cli;
  return {
      .doc = "rewrite a checkpoint: .ckpt or safetensors by suffix; rename, cast, choose, encrypt",
      .examples =
          {"tessera convert lenet.ckpt lenet.safetensors",
           "tessera convert torch.safetensors ms.ckpt --rename '*.running_mean=*.moving_mean'",
           "tessera convert train.ckpt net.ckpt --only 'conv*' --only 'fc*' --crc",
           "tessera convert lenet.ckpt secret.ckpt --encrypt --key-file key.bin",
           "tessera convert secret.ckpt lenet.ckpt --decrypt --key-file key.bin"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            arguments.positional("source", request->source, "checkpoint file or folder");
            arguments.positional("destination", request->destination,
                                 "file to write: NAME.ckpt or NAME.safetensors");
            arguments.options("--only", request->only,
                              "names to keep (after --rename), a pattern; repeatable");
            arguments.option("--cast", request->cast,
                             "f32, f16, bf16 or f64, for floating tensors");
            arguments.flag("--crc", request->add_crc, "store a CRC-32, as MindSpore does");
            arguments.flag("--encrypt", request->encrypt, "encrypt with the key of --key-file");
            arguments.flag("--decrypt", request->decrypt, "the source is encrypted");
            arguments.flag("--no-fsync", request->no_sync, "do not wait for the disk");
            arguments.flag("--quiet", request->quiet, "print nothing");
            request->checkpoint.declare(arguments);
            return [request] { convert(*request); };
          },
  };
}
