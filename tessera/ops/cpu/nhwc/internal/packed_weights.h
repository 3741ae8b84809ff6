// Weights of the convolutions of this folder as a memory format of the runtime: packed once, shared
// by all parts of a program.
#pragma once

#include "tessera/graph/kernel.h"
#include "tessera/ops/cpu/nhwc/internal/tiles.h"

namespace tessera::internal {

/// Whether tiles can end as the call does.
Support ends_in_tiles(const OpCall& call);

/// For which loop: window_conv.h, winograd.h with patches of 4x4 or 2x2, window_conv.h on pairs of
/// bf16.
enum class Packing : uint8_t { kTiles, kWinograd4, kWinograd2, kPairs };
/// Results in a row of a patch, of the two for winograd.h; 0 of the others.
int64_t winograd_patch(Packing packing);

class PackedWeights final : public MemoryFormat {
 public:
  /// Of weights [o,i,h,w].
  PackedWeights(Simd simd, Shape shape, Packing packing);

  bool equals(const MemoryFormat& other) const override;
  std::string to_string() const override;  // "panels", "winograd4 panels", "bf16 panels"
  int64_t byte_count() const override;
  std::unique_ptr<PreparedKernel> packer() const override;
  bool packs_unaligned() const override { return true; }

  const Panels& panels() const { return panels_; }
  Packing packing() const { return packing_; }
  void pack(const RawWeights& raw, float* packed) const;

 private:
  int64_t taps() const { return shape_[2] * shape_[3]; }
  int64_t floats_per_tap() const;

  Simd simd_;
  Shape shape_;
  Packing packing_;
  Panels panels_;
};

}  // namespace tessera::internal
