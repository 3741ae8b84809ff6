#include "tessera/ops/cpu/raw/internal/stored_weights.h"

#include <algorithm>
#include <cstring>

namespace tessera::internal {
namespace {

class Referrer final : public PreparedKernel {
 public:
  explicit Referrer(int64_t channels) : channels_(channels) {
    formats_.operands.resize(1);
    formats_.results.push_back(std::make_shared<StoredWeights>(channels));
  }
  const Formats& formats() const override { return formats_; }
  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    std::byte* to = results[0].buffer()->mutable_data() + results[0].byte_offset();
    const auto* weights = reinterpret_cast<const LooseFloat*>(operands[0].bytes().data());
    std::memcpy(to, &weights, sizeof weights);
    auto* scale = reinterpret_cast<float*>(to + sizeof weights);
    if (operands.size() > 1)
      std::copy_n(operands[1].data<float>().data(), channels_, scale);
    else
      std::fill_n(scale, channels_, 1.0F);
  }

 private:
  int64_t channels_;
  Formats formats_;
};

}  // namespace

bool StoredWeights::equals(const MemoryFormat& other) const {
  const auto* same_kind = dynamic_cast<const StoredWeights*>(&other);
  return same_kind != nullptr && same_kind->channels_ == channels_;
}

int64_t StoredWeights::byte_count() const {
  return static_cast<int64_t>(sizeof(const LooseFloat*)) + channels_ * int64_t{sizeof(float)};
}

std::unique_ptr<PreparedKernel> StoredWeights::packer() const {
  return std::make_unique<Referrer>(channels_);
}

RawWeights StoredWeights::of(const std::byte* packed) {
  RawWeights raw;
  std::memcpy(&raw.weights, packed, sizeof raw.weights);
  raw.scale = reinterpret_cast<const float*>(packed + sizeof raw.weights);
  return raw;
}

}  // namespace tessera::internal
