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

const std::vector<TensorType>& InferredTypes::of(const OpDef& op,
                                                 std::span<const TensorType> operands,
                                                 const Attrs& attrs, Infer infer) {
  std::unique_ptr<Call>& known = slots_[hash_of(op, operands, attrs) % kSlots];
  const bool is_it = known != nullptr && known->op == op.number && known->attrs == attrs &&
                     std::ranges::equal(known->operands, operands);
  if (!is_it) {
    known = std::make_unique<Call>(
        Call{op.number, {operands.begin(), operands.end()}, attrs, infer(op, operands, attrs)});
  }
  return known->results;
}

}  // namespace tessera::internal
