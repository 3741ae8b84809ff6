#include "tessera/reshard/internal/check_result.h"

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/load_plan.h"

namespace tessera::internal {

Digest digest_of_slices(const Checkpoint& file, const Record& entry, std::span<const Box> slices,
                        const Shape& global, uint64_t staging) {
  Digest sum;
  if (element_count(entry.shape) == 0) return sum;
  const SlabGrid grid(entry.shape, byte_size(entry.dtype), staging);
  for (uint64_t i = 0; i < grid.count(); ++i) {
    const Box slab = grid.box(i);
    const Target target{entry.name, entry.dtype, entry.shape, slab};
    const Tensor part = load_tensors(file, {&target, 1}, {.threads = 1})[0];
    int64_t row = 0;
    for (const Box& slice : slices) {
      // The slice in local coordinates, then what the slab has of it in global ones.
      Box local{Shape(slice.size.size(), 0), slice.size};
      if (!local.begin.empty()) local.begin[0] = row;
      Box held = slab, here = intersect(slab, local);
      const bool has_any = !is_empty(here);
      for (size_t d = 0; d < slice.size.size(); ++d) {
        held.begin[d] += slice.begin[d] - local.begin[d];
        here.begin[d] += slice.begin[d] - local.begin[d];
      }
      if (has_any) sum += digest_part(part.bytes(), byte_size(entry.dtype), global, held, here);
      if (!slice.size.empty()) row += slice.size[0];
    }
  }
  return sum;
}

void check_result(const Source& source, const Destination& destination, const OutputFiles& outputs,
                  const SourceDigests& digests, const ReshardPlan& plan) {
  const int threads = thread_count(plan.options.threads);
  parallel_for(outputs.set().files.size(), threads, [&](size_t f) {
    const OutputFile& output = outputs.set().files[f];
    OpenOptions options;
    options.files = &outputs.file_system();
    const Checkpoint file = open_checkpoint(outputs.temporary(f), options);
    for (const Holding& holding : output.entries) {
      const Record& record = source.catalog().records[holding.record];
      if (record.kind != RecordKind::kTensor) continue;
      const Record* entry = file.catalog.find(record.name);
      require_valid(entry != nullptr, "{} lacks '{}', which was written to it",
                    printable(output.path.string()), printable(record.name));
      const std::vector<Box>& slices = destination.slices[holding.slices];
      const Digest found = digest_of_slices(file, *entry, slices, record.shape, plan.staging);
      const auto& of_record = digests.slices[holding.record];
      const auto wanted = of_record.find(holding.slices);
      const Digest expected = wanted == of_record.end() ? Digest{} : wanted->second;
      require_valid(found == expected && entry->dtype == record.dtype,
                    "{}: '{}' has the digest {} but the source's part for rank {} has {}",
                    printable(output.path.string()), printable(record.name), to_string(found),
                    output.rank, to_string(expected));
    }
  });
}

}  // namespace tessera::internal
