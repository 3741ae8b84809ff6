// Weights as a checkpoint has them, by reference, as a memory format: nothing is packed.
#pragma once

#include "tessera/graph/kernel.h"
#include "tessera/ops/cpu/nhwc/internal/tiles.h"

namespace tessera::internal {

/// The "packed" bytes of StoredWeights: where row-major weights [o, ...] lie, then a factor per o.
class StoredWeights final : public MemoryFormat {
 public:
  explicit StoredWeights(int64_t channels) : channels_(channels) {}

  bool equals(const MemoryFormat& other) const override;
  std::string to_string() const override { return "as stored"; }
  int64_t byte_count() const override;
  std::unique_ptr<PreparedKernel> packer() const override;
  bool refers() const override { return true; }
  bool packs_unaligned() const override { return true; }

  static RawWeights of(const std::byte* packed);

 private:
  int64_t channels_;
};

}  // namespace tessera::internal
