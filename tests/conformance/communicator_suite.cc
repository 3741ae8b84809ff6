#include "tests/conformance/communicator_suite.h"

#include <algorithm>
#include <cstring>

namespace tessera::testing {
namespace {

/// Eight bytes of noise.
uint64_t noise_word(uint64_t seed, size_t word) {
  uint64_t x = seed * 0x9e3779b97f4a7c15 + word;
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9;
  return x ^ (x >> 29);
}

/// Calls visit(begin, the bytes that must be from there on), piece by piece.
template <typename Visit>
void visit_noise(size_t bytes, uint64_t seed, const Visit& visit) {
  for (size_t begin = 0; begin < bytes; begin += sizeof(uint64_t)) {
    const uint64_t word = noise_word(seed, begin);
    visit(begin, std::as_bytes(std::span(&word, 1)).first(std::min(sizeof word, bytes - begin)));
  }
}

}  // namespace

std::vector<CommunicatorCase> communicator_suite() {
  std::vector<CommunicatorCase> suite;
  add_reduction_cases(suite);
  add_movement_cases(suite);
  add_agreement_cases(suite);
  add_group_cases(suite);
  return suite;
}

void expect_error(ErrorCode code, const std::vector<std::string>& words,
                  const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    const std::string text = error.what();
    expect(error.code() == code, "the error is of kind '{}', not '{}': {}", to_string(error.code()),
           to_string(code), text);
    for (const std::string& word : words)
      expect(text.find(word) != std::string::npos, "'{}' is not in the message: {}", word, text);
    return;
  }
  fail(ErrorCode::kInternal, "no error where '{}' must be thrown", to_string(code));
}

Tensor noise(DType dtype, int64_t count, uint64_t seed) {
  Tensor tensor(dtype, {count});
  const std::span<std::byte> bytes = tensor.mutable_bytes();
  visit_noise(bytes.size(), seed, [&](size_t begin, std::span<const std::byte> piece) {
    std::memcpy(&bytes[begin], piece.data(), piece.size());
  });
  return tensor;
}

void expect_noise(const Tensor& tensor, uint64_t seed) {
  const std::span<const std::byte> bytes = tensor.bytes();
  visit_noise(bytes.size(), seed, [&](size_t begin, std::span<const std::byte> piece) {
    if (std::memcmp(&bytes[begin], piece.data(), piece.size()) != 0)
      fail(ErrorCode::kInternal, "the bytes from {} of {} are not what was given (seed {})", begin,
           describe(tensor), seed);
  });
}

std::vector<DType> all_dtypes() {
  std::vector<DType> dtypes;
  for (int i = 0; i < kDTypeCount; ++i) dtypes.push_back(static_cast<DType>(i));
  return dtypes;
}

}  // namespace tessera::testing
