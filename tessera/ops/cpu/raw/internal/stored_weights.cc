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
    const float* weights = operands[0].data<float>().data();
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
  return static_cast<int64_t>(sizeof(const float*)) + channels_ * int64_t{sizeof(float)};
}

std::unique_ptr<PreparedKernel> StoredWeights::packer() const {
  return std::make_unique<Referrer>(channels_);
}

const float* StoredWeights::weights(const std::byte* packed) {
  const float* weights = nullptr;
  std::memcpy(&weights, packed, sizeof weights);
  return weights;
}

const float* StoredWeights::scale(const std::byte* packed) {
  return reinterpret_cast<const float*>(packed + sizeof(const float*));
}

}  // namespace tessera::internal
