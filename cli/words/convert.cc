#include <fmt/format.h>

#include <cmath>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
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
  std::vector<std::string> except;
  std::string cast;
  bool encrypt = false;
  bool decrypt = false;
  bool add_crc = false;
  bool no_sync = false;
  CheckpointOptions checkpoint;
  CommonOptions common;
};

OpenOptions open_options(const Request& request) {
  // A damaged value must not get a new, right checksum.
  OpenOptions options = request.checkpoint.checked_open_options();
  if (!request.decrypt) options.key.clear();
  if (request.encrypt) options.cipher.clear();
  return options;
}

/// `left_out`: the metadata that the destination's format cannot hold.
WriteOptions write_options(const Request& request, const Catalog& catalog,
                           std::vector<std::string>& left_out) {
  WriteOptions options;
  options.crc = request.add_crc;
  options.sync = !request.no_sync;
  if (request.encrypt) {
    options.key = read_key(request.checkpoint.key_file);
    if (!request.checkpoint.cipher.empty()) options.cipher = request.checkpoint.cipher;
  }
  const bool holds_metadata = request.destination.ends_with(".safetensors");
  for (const auto& [key, value] : catalog.metadata) {
    if (key == "format" || key == "crc_num") continue;
    if (holds_metadata) {
      options.metadata.emplace(key, value);
    } else {
      left_out.push_back(printable(key));
    }
  }
  return options;
}

bool is_chosen(const Request& request, const Record& record) {
  if (matches_any(request.except, record.name)) return false;
  return request.only.empty() || matches_any(request.only, record.name);
}

/// The tensor in another floating dtype. A finite value that becomes infinite is an error unless
/// allowed.
Tensor cast_finite(const Tensor& tensor, DType dtype, const std::string& name, bool may_overflow) {
  Tensor narrow = tensor.cast(dtype);
  if (may_overflow || byte_size(dtype) >= byte_size(tensor.dtype())) return narrow;
  const Tensor before = tensor.cast(DType::kF64), after = narrow.cast(DType::kF64);
  int64_t lost = 0;
  for (size_t i = 0; i < before.data<double>().size(); ++i)
    lost += std::isfinite(before.data<double>()[i]) && !std::isfinite(after.data<double>()[i]);
  require(lost == 0, "{} values of '{}' are too large for {}; --allow '{}' makes them infinite",
          lost, printable(name), to_string(dtype), printable(name));
  return narrow;
}

/// The entry that saves a record, its values read when they are written.
SaveEntry entry_of(const Request& request, const Checkpoint& checkpoint, const Record& record) {
  require(record.kind != RecordKind::kMap,
          "'{}' is a map tensor, which cannot be written; leave it out with --except",
          printable(record.name));
  const LoadOptions options = request.checkpoint.load_options(request.common.thread_count());
  SaveEntry entry{.name = record.name,
                  .kind = record.kind,
                  .dtype = record.dtype,
                  .shape = record.shape,
                  .produce = nullptr,
                  .text = {}};
  if (record.kind == RecordKind::kString) {
    entry.text = read_string(checkpoint, record, options);
    return entry;
  }
  const bool casts = !request.cast.empty() && info(record.dtype).is_floating;
  if (casts) entry.dtype = parse_dtype(request.cast);
  const bool may_overflow = request.checkpoint.allows(record.name);
  entry.produce = [&checkpoint, &record, options, dtype = entry.dtype, may_overflow] {
    Tensor tensor = load_record(checkpoint, record, options);
    return tensor.dtype() == dtype ? tensor : cast_finite(tensor, dtype, record.name, may_overflow);
  };
  return entry;
}

void check_usage(const Request& request) {
  const bool key = !request.checkpoint.key_file.empty();
  if ((request.encrypt || request.decrypt) && !key)
    throw UsageError("--encrypt and --decrypt need --key-file");
  if (key && !request.encrypt && !request.decrypt)
    throw UsageError("with --key-file say whether to --encrypt or to --decrypt");
  require_usage(!request.encrypt || !request.add_crc,
                "--encrypt and --crc do not go together: MindSpore cannot read such files");
  if (request.cast.empty()) return;
  const DType dtype = read_usage([&] { return parse_dtype(request.cast); });
  require_usage(info(dtype).is_floating, "--cast converts between floating dtypes; '{}' is none",
                request.cast);
}

void print_result(const Request& request, int64_t count, uint64_t bytes,
                  const std::vector<std::string>& left_out) {
  if (request.common.json) {
    Json out;
    out.open('{').field("path", request.destination).field("entries", count).field("bytes", bytes);
    out.key("metadata_left_out").open('[');
    for (const std::string& key : left_out) out.value(key);
    fmt::print("{}\n", out.close().close().text());
  } else if (!request.common.quiet) {
    fmt::print("{}: {} entries, {}\n", printable(request.destination), count, human_bytes(bytes));
    if (!left_out.empty())
      fmt::print("metadata left out, which a .ckpt cannot hold: {}\n", join(left_out, ", "));
  }
}

void convert(const Request& request) {
  check_usage(request);
  const Checkpoint checkpoint = request.checkpoint.open(request.source, open_options(request));

  std::vector<std::string> left_out;
  CheckpointWriter writer(request.destination,
                          write_options(request, checkpoint.catalog, left_out));
  uint64_t bytes = 0;
  int64_t count = 0;
  for (const Record& record : checkpoint.catalog.records) {
    if (!is_chosen(request, record)) continue;
    SaveEntry entry = entry_of(request, checkpoint, record);
    bytes += static_cast<uint64_t>(element_count(entry.shape)) *
             static_cast<uint64_t>(byte_size(entry.dtype));
    ++count;
    writer.add(std::move(entry));
  }
  if (count == 0)
    fail(ErrorCode::kNotFound, "--only and --except leave nothing of {}: it holds {}",
         printable(request.source), printable(join(checkpoint.catalog.names(), ", ")));
  writer.finish();
  print_result(request, count, bytes, left_out);
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
            arguments.options("--except", request->except, "names to leave out; repeatable");
            arguments.option("--cast", request->cast,
                             "f32, f16, bf16 or f64, for floating tensors");
            arguments.flag("--crc", request->add_crc, "store a CRC-32, as MindSpore does");
            arguments.flag("--encrypt", request->encrypt, "encrypt with the key of --key-file");
            arguments.flag("--decrypt", request->decrypt, "the source is encrypted");
            arguments.flag("--no-fsync", request->no_sync, "do not wait for the disk");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] { convert(*request); };
          },
  };
}
