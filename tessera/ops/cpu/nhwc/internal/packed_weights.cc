#include "tessera/ops/cpu/nhwc/internal/packed_weights.h"

#include "tessera/ops/cpu/bf16/internal/pairs.h"
#include "tessera/ops/cpu/nhwc/internal/window_weights.h"
#include "tessera/ops/cpu/nhwc/internal/winograd.h"

namespace tessera::internal {
namespace {

class Packer final : public PreparedKernel {
 public:
  explicit Packer(PackedWeights format) : format_(std::move(format)) {
    formats_.operands.resize(1);
    formats_.results.push_back(std::make_shared<PackedWeights>(format_));
  }
  const Formats& formats() const override { return formats_; }
  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    auto* to = results[0].buffer()->mutable_data() + results[0].byte_offset();
    const float* scale = operands.size() > 1 ? operands[1].data<float>().data() : nullptr;
    const auto* weights = reinterpret_cast<const LooseFloat*>(operands[0].bytes().data());
    format_.pack({weights, scale}, reinterpret_cast<float*>(to));
  }

 private:
  PackedWeights format_;
  Formats formats_;
};

}  // namespace

Support ends_in_tiles(const OpCall& call) {
  switch (parse_activation(call.attr<std::string>("activation"))) {
    case Activation::kNone:
    case Activation::kRelu:
    case Activation::kRelu6:
    case Activation::kLeakyRelu:
      return Support::yes();
    default:
      return Support::no("it ends in relu, relu6, leaky_relu or nothing");
  }
}

int64_t winograd_patch(Packing packing) {
  if (packing == Packing::kWinograd4) return 4;
  return packing == Packing::kWinograd2 ? 2 : 0;
}

PackedWeights::PackedWeights(Simd simd, Shape shape, Packing packing)
    : simd_(simd),
      shape_(std::move(shape)),
      packing_(packing),
      panels_(simd, shape_[0], floats_per_tap() * (winograd_patch(packing) > 0 ? 1 : taps())) {}

int64_t PackedWeights::floats_per_tap() const {
  return packing_ == Packing::kPairs ? pair_count(shape_[1]) : shape_[1];
}

bool PackedWeights::equals(const MemoryFormat& other) const {
  const auto* same_kind = dynamic_cast<const PackedWeights*>(&other);
  return same_kind != nullptr && same_kind->simd_ == simd_ && same_kind->shape_ == shape_ &&
         same_kind->packing_ == packing_;
}

std::string PackedWeights::to_string() const {
  switch (packing_) {
    case Packing::kTiles:
      break;
    case Packing::kWinograd4:
      return "winograd4 panels";
    case Packing::kWinograd2:
      return "winograd2 panels";
    case Packing::kPairs:
      return "bf16 panels";
  }
  return "panels";
}

int64_t PackedWeights::byte_count() const {
  const int64_t patch = winograd_patch(packing_);
  const int64_t floats = patch > 0 ? winograd_weight_size(panels_, {shape_[1], patch})
                                   : window_weight_size(panels_, floats_per_tap(), taps());
  return floats * int64_t{sizeof(float)};
}

std::unique_ptr<PreparedKernel> PackedWeights::packer() const {
  return std::make_unique<Packer>(*this);
}

void PackedWeights::pack(const RawWeights& raw, float* packed) const {
  switch (packing_) {
    case Packing::kTiles:
      return pack_window_weights(panels_, shape_[1], taps(), raw, packed);
    case Packing::kWinograd4:
    case Packing::kWinograd2:
      return pack_winograd_weights(panels_, {shape_[1], winograd_patch(packing_)}, raw, packed);
    case Packing::kPairs:
      return pack_pair_weights(panels_, shape_[1], taps(), raw, packed);
  }
}

}  // namespace tessera::internal
