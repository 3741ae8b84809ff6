#include "tessera/reshard/output.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"

namespace tessera {

#define TESSERA_FILE(name) const OutputFormat& output_##name();
#include "tessera/reshard_outputs_files.inc"
#undef TESSERA_FILE

std::span<const OutputFormat* const> all_outputs() {
  static const OutputFormat* const kOutputs[] = {
#define TESSERA_FILE(name) &output_##name(),
#include "tessera/reshard_outputs_files.inc"
#undef TESSERA_FILE
  };
  return kOutputs;
}

const OutputFormat& find_output(std::string_view name) {
  std::vector<std::string> known;
  for (const OutputFormat* output : all_outputs()) {
    if (output->name() == name) return *output;
    known.emplace_back(output->name());
  }
  fail(ErrorCode::kInvalidArgument, "there is no output format '{}'{}; the formats are {}",
       printable(name), suggest(name, known), join(known, ", "));
}

Shape local_shape(const OutputRequest& request, const Holding& holding) {
  const Record& record = request.catalog.records.at(holding.record);
  if (record.kind != RecordKind::kTensor) return record.shape;
  return local_shape(request.destination.slices.at(holding.slices));
}

}  // namespace tessera
