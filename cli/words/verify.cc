#include <fmt/format.h>

#include <cmath>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "cli/output.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/digest.h"
#include "tessera/checkpoint/load_plan.h"

namespace tessera::cli {
namespace {

struct Request {
  std::string path;
  CheckpointOptions checkpoint;
  CommonOptions common;
};

struct Finding {
  std::string name;
  std::string what;  // "f32[6,1,5,5]"
  Digest digest;
  int64_t not_finite = 0;
};

template <typename T>
bool is_finite(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return std::isfinite(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::isfinite(value);
  } else if constexpr (std::is_same_v<T, std::complex<float>> ||
                       std::is_same_v<T, std::complex<double>>) {
    return std::isfinite(value.real()) && std::isfinite(value.imag());
  } else {
    return true;
  }
}

int64_t count_not_finite(const Tensor& tensor) {
  return visit_dtype(tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto values = tensor.data<T>();
    return static_cast<int64_t>(
        std::count_if(values.begin(), values.end(), [](T value) { return !is_finite(value); }));
  });
}

/// Reads one record, or each part of a map.
class Reader {
 public:
  Reader(const Checkpoint& checkpoint, const LoadOptions& options)
      : checkpoint_(checkpoint), options_(options) {}

  void read(const Record& record, const std::string& name) {
    for (const Record& part : record.parts) read(part, fmt::format("{} ({})", name, part.name));
    if (!record.parts.empty()) return;
    const Tensor tensor = load_record(checkpoint_, record, options_);
    findings_.push_back({name, describe(record), digest(tensor), count_not_finite(tensor)});
  }
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  const Checkpoint& checkpoint_;
  const LoadOptions& options_;
  std::vector<Finding> findings_;
};

/// What a reader may conclude from the fact that everything could be read.
std::string conclusion(const Catalog& catalog) {
  bool checked = true, authenticated = true;
  for (const CatalogFile& file : catalog.files) {
    checked &= file.crc == CrcState::kVerified;
    authenticated &= is_authenticated(file);
  }
  if (checked) return "CRC-32 right";
  if (authenticated) return "every block is authentic";
  return "no checksum: a changed value that is finite cannot be seen";
}

void print_json(const Request& request, const Catalog& catalog,
                const std::vector<Finding>& findings, const Digest& total) {
  Json out;
  out.open('{').field("path", request.path).key("files").open('[');
  for (const CatalogFile& file : catalog.files)
    out.open('{').field("path", file.path.string()).field("crc", to_string(file.crc)).close();
  out.close().field("digest", to_string(total)).key("tensors").open('[');
  for (const Finding& finding : findings)
    out.open('{')
        .field("name", finding.name)
        .field("digest", to_string(finding.digest))
        .field("not_finite", finding.not_finite)
        .close();
  fmt::print("{}\n", out.close().close().text());
}

void print_text(const Request& request, const Checkpoint& checkpoint,
                const std::vector<Finding>& findings, const Digest& total) {
  Table table({"name", "what", "digest", "not finite"});
  for (const Finding& finding : findings)
    table.add({printable(finding.name), finding.what, to_string(finding.digest),
               std::to_string(finding.not_finite)});
  fmt::print("{}\n{}: {} entries read, digest {}; {}\n", table.to_string(), printable(request.path),
             findings.size(), to_string(total), conclusion(checkpoint.catalog));
}

void verify(const Request& request) {
  const Checkpoint checkpoint =
      request.checkpoint.open(request.path, request.checkpoint.checked_open_options());
  const LoadOptions options = request.checkpoint.load_options(request.common.thread_count());
  Reader reader(checkpoint, options);
  const std::vector<Finding>& findings = reader.findings();
  {
    Progress progress("verifying", std::ssize(checkpoint.catalog.records),
                      request.common.quiet || request.common.json);
    for (const Record& record : checkpoint.catalog.records) {
      reader.read(record, record.name);
      progress.update(std::ssize(findings));
    }
  }
  Digest total;
  std::string bad;
  for (const Finding& finding : findings) {
    total += finding.digest;
    if (finding.not_finite > 0 && !request.checkpoint.allows(finding.name))
      bad += fmt::format("{}'{}' ({} values)", bad.empty() ? "" : ", ", printable(finding.name),
                         finding.not_finite);
  }
  request.common.json ? print_json(request, checkpoint.catalog, findings, total)
                      : print_text(request, checkpoint, findings, total);
  if (!bad.empty())
    fail(ErrorCode::kCorruptData,
         "{}: infinite or not a number: {}; --allow NAME-PATTERN accepts them",
         printable(request.path), bad);
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(verify) {
  using namespace tessera::cli;
  return {
      .doc = "read all of a checkpoint: CRC, lengths, finite values, a digest per tensor",
      .examples = {"tessera verify lenet.ckpt", "tessera verify model.safetensors --json",
                   "tessera verify secret.ckpt --key-file key.bin"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            arguments.positional("path", request->path, "checkpoint file or folder");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] { verify(*request); };
          },
  };
}
