#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

/// Tensor::cast on a row.
class Cast final : public RowStep {
 public:
  Cast(const RowType& row, DType to)
      : RowStep(RowStepKind::kElementwise, {to, row.shape}), row_(row) {}

  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    const auto source = Buffer::read_only(row, nullptr);
    const Tensor cast = Tensor::view(source, 0, row_.dtype, {count(row)}).cast(result().dtype);
    const auto bytes = cast.bytes();
    std::copy(bytes.begin(), bytes.end(), out.begin());
  }

 private:
  int64_t count(std::span<const std::byte> row) const {
    return static_cast<int64_t>(row.size()) / byte_size(row_.dtype);
  }
  RowType row_;
};

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> arguments, const RowType& row) {
  return std::make_unique<Cast>(row, parse_dtype(arguments[0].text));
}

}  // namespace

TransformDef transform_cast() {
  return {.notation = "cast(DTYPE)",
          .doc = "another dtype: cast(f32), cast(f16)",
          .min_arguments = 1,
          .max_arguments = 1,
          .bind = bind};
}

}  // namespace tessera
