#include "tessera/reshard/digest_source.h"

#include <array>

#include "tessera/reshard/internal/check_result.h"

namespace tessera {
namespace {

Digest digest_of_text(std::string_view text) {
  const Shape shape{static_cast<int64_t>(text.size())};
  if (text.empty()) return {};
  return digest_part(std::as_bytes(std::span(text)), 1, shape, whole(shape), whole(shape));
}

/// Two numbers as one element, so that the sum of several of them does not fall apart again.
Digest hashed(const Digest& digest) {
  const std::array<uint64_t, 2> element{digest.low, digest.high};
  const Shape one{1};
  return digest_part(std::as_bytes(std::span(element)), 16, one, whole(one), whole(one));
}

/// The parts of a map tensor: its keys, values and status.
void digest_map(const Source& source, const Record& record, uint64_t staging,
                std::vector<RecordDigest>& found) {
  Checkpoint parts;
  parts.bytes = source.checkpoint.bytes;
  parts.catalog.files = source.catalog().files;
  for (const Record& part : record.parts) parts.catalog.records.push_back(part);
  index_records(parts.catalog);
  for (const Record& part : parts.catalog.records) {
    const std::vector<Box> all{whole(part.shape)};
    const Digest digest = internal::digest_of_slices(parts, part, all, part.shape, staging);
    found.push_back({record.name + " (" + part.name + ")", describe(part), digest});
  }
}

}  // namespace

Digest combine(const std::vector<RecordDigest>& records) {
  Digest total;
  for (const RecordDigest& record : records) {
    // A name cannot hold a zero byte that would make two records read alike.
    std::string text = record.name;
    text += '\0' + record.what + '\0' + to_string(record.digest);
    total += hashed(digest_of_text(text));
  }
  return total;
}

SourceDigest digest_source(const Source& source, const DigestOptions& options) {
  const Destination destination = whole_destination(source.catalog());
  const ReshardPlan plan = plan_reshard(source, destination, options.plan);
  verify(plan, source, destination);
  internal::SourceDigests digests;
  digests.records.resize(source.catalog().records.size());
  digests.slices.resize(source.catalog().records.size());
  internal::Stream stream(source, destination, plan, nullptr);
  stream.want_digests(digests);
  if (options.progress) {
    const uint64_t total = plan.bytes_needed + plan.bytes_compared;
    stream.on_progress([&options, total](const internal::StreamCounts& counts) {
      options.progress(counts.bytes_read + counts.bytes_compared, total);
    });
  }
  const internal::StreamCounts counts = stream.run();

  SourceDigest result;
  result.bytes_read = counts.bytes_read + counts.bytes_compared;
  result.bytes_compared = counts.bytes_compared;
  for (size_t r = 0; r < digests.records.size(); ++r) {
    const Record& record = source.catalog().records[r];
    if (record.kind == RecordKind::kMap) {
      digest_map(source, record, plan.staging, result.records);
      continue;
    }
    const Digest digest = record.kind == RecordKind::kString
                              ? digest_of_text(read_string(source.checkpoint, record))
                              : digests.records[r];
    result.records.push_back({record.name, describe(record), digest});
  }
  result.total = combine(result.records);
  return result;
}

}  // namespace tessera
