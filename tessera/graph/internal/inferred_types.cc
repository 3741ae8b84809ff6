#include "tessera/graph/internal/inferred_types.h"

#include <algorithm>
#include <bit>

#include "tessera/base/fnv1a.h"

namespace tessera::internal {
namespace {

class Hash {
 public:
  void add(uint64_t value) { value_ = std::rotl((value_ ^ value) * 0x9e3779b97f4a7c15, 29); }
  void add(bool value) { add(uint64_t{value}); }
  void add(int64_t value) { add(static_cast<uint64_t>(value)); }
  void add(double value) { add(std::bit_cast<uint64_t>(value)); }
  void add(const std::string& value) { add(fnv1a(value)); }
  template <typename Dims>
  void add(const Dims& dims) {
    for (const int64_t dim : dims) add(dim);
    add(static_cast<uint64_t>(dims.size()));
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

uint64_t hash_of(const OpDef& op, std::span<const TensorType> operands, const Attrs& attrs) {
  Hash hash;
  hash.add(int64_t{op.number});
  for (const TensorType& operand : operands) {
    hash.add(static_cast<uint64_t>(operand.dtype));
    hash.add(operand.global);
  }
  for (const auto& [name, value] : attrs)
    std::visit([&](const auto& of_type) { hash.add(of_type); }, value);
  return hash.value();
}

}  // namespace

const std::vector<TensorType>* InferredTypes::find(const OpDef& op,
                                                   std::span<const TensorType> operands,
                                                   const Attrs& attrs) {
  slot_ = static_cast<size_t>(hash_of(op, operands, attrs) % kSlots);
  const Call* known = slots_[slot_].get();
  const bool is_it = known != nullptr && known->op == op.number && known->attrs == attrs &&
                     std::ranges::equal(known->operands, operands);
  return is_it ? &known->results : nullptr;
}

void InferredTypes::keep(const OpDef& op, std::span<const TensorType> operands, const Attrs& attrs,
                         const std::vector<TensorType>& results) {
  slots_[slot_] =
      std::make_unique<Call>(Call{op.number, {operands.begin(), operands.end()}, attrs, results});
}

}  // namespace tessera::internal
