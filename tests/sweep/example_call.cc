#include "tests/sweep/example_call.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace tessera::testing {
namespace {

/// Values of the example's kind as f64, which every dtype is cast from.
Tensor random_tensor(std::mt19937_64& random, const OpExample& example, DType dtype,
                     const Shape& shape) {
  Tensor values(DType::kF64, shape);
  for (double& value : values.mutable_data<double>()) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    if (info(dtype).is_floating)
      value = example.positive ? 0.5 + unit : 2 * unit - 1;
    else if (example.index_limit > 0)
      value = std::floor(unit * static_cast<double>(example.index_limit));
    else
      value = std::floor(unit * (dtype == DType::kBool ? 2 : 10));
  }
  return values.cast(dtype);
}

/// One run of the reference kernel into memory that is filled with `garbage` and guarded.
std::vector<Tensor> run_over(const OpDef& op, const OpCall& call, std::span<const Tensor> operands,
                             int garbage) {
  constexpr int64_t kGuard = 64;
  std::vector<Tensor> results;
  std::vector<std::shared_ptr<Buffer>> buffers;
  for (const TensorType& type : call.results) {
    const int64_t bytes = element_count(type.shape()) * byte_size(type.dtype);
    buffers.push_back(Buffer::allocate(bytes + 2 * kGuard));
    std::memset(buffers.back()->mutable_data(), garbage, static_cast<size_t>(bytes + 2 * kGuard));
    results.push_back(Tensor::view(buffers.back(), kGuard, type.dtype, type.shape()));
  }
  op.kernels.back().function(call, operands, results);
  for (const auto& buffer : buffers) {
    for (int64_t i = 0; i < kGuard; ++i) {
      EXPECT_EQ(buffer->data()[i], static_cast<std::byte>(garbage)) << "written before the result";
      EXPECT_EQ(buffer->data()[buffer->size() - 1 - i], static_cast<std::byte>(garbage))
          << "written behind the result";
    }
  }
  return results;
}

}  // namespace

std::string ExampleCall::text() const {
  std::string list;
  for (const TensorType& type : operand_types) list += (list.empty() ? "" : ", ") + to_string(type);
  return fmt::format("{}({}) {}", op->name, list, to_string(attrs));
}

ExampleCall make_call(const OpDef& op, const OpExample& example, DType floating) {
  std::mt19937_64 random(example.shapes.size() + 7);
  ExampleCall made;
  made.op = &op;
  made.attrs = complete_attrs(op, example.attrs);
  for (size_t i = 0; i < example.shapes.size(); ++i) {
    DType dtype = i < example.dtypes.size() ? example.dtypes[i] : DType::kF32;
    if (dtype == DType::kF32) dtype = floating;
    made.operands.push_back(random_tensor(random, example, dtype, example.shapes[i]));
    made.operand_types.emplace_back(dtype, example.shapes[i]);
  }
  made.result_types = infer_results(op, made.operand_types, made.attrs);
  return made;
}

std::vector<Tensor> run_reference(const OpDef& op, const OpCall& call,
                                  std::span<const Tensor> operands) {
  std::vector<Tensor> results = run_over(op, call, operands, 0x5a);
  const std::vector<Tensor> again = run_over(op, call, operands, 0xc3);
  for (size_t r = 0; r < results.size(); ++r) {
    const auto a = results[r].bytes();
    const auto b = again[r].bytes();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << "an element was left as it was";
  }
  return results;
}

}  // namespace tessera::testing
