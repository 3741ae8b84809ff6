#include "tessera/data/internal/idx.h"

#include <array>

#include "tessera/data/internal/gzip.h"

namespace tessera::internal {
namespace {

constexpr int kUnsignedByte = 8;
constexpr int kMaxDims = 8;

}  // namespace

Tensor read_idx(const std::filesystem::path& path, const IdxDims& wanted) {
  const ErrorContext context([&] { return fmt::format("reading IDX file {}", path.string()); });
  ContentReader content(path);
  std::array<std::byte, 4> magic{};
  content.read(magic);
  const auto type = std::to_integer<int>(magic[2]);
  const auto ndim = std::to_integer<int>(magic[3]);
  require_valid(magic[0] == std::byte{0} && magic[1] == std::byte{0},
                "bytes 0 and 1 of an IDX file are 0, found {} and {}",
                std::to_integer<int>(magic[0]), std::to_integer<int>(magic[1]));
  if (type != kUnsignedByte)
    fail(ErrorCode::kUnsupported, "byte 2 gives element type {}, only 8 (unsigned byte) is read",
         type);
  require_valid(ndim >= 1 && ndim <= kMaxDims, "byte 3 gives {} dims, 1 to {} are possible", ndim,
                kMaxDims);
  require_valid(wanted.count == 0 || ndim == wanted.count, "byte 3 gives {} dims, {} have {}", ndim,
                wanted.what, wanted.count);
  Shape shape;
  uint64_t bytes = 1;
  for (int dim = 0; dim < ndim; ++dim) {
    std::array<std::byte, 4> number{};
    content.read(number);
    uint64_t extent = 0;
    for (const std::byte byte : number) extent = extent << 8 | std::to_integer<uint64_t>(byte);
    require_valid(extent == 0 || bytes <= content.size_limit() / extent,
                  "bytes {} to {} give dim {} the extent {}, more than the file can hold",
                  4 + 4 * dim, 7 + 4 * dim, dim, extent);
    bytes *= extent;
    shape.push_back(static_cast<int64_t>(extent));
  }
  Tensor tensor(DType::kU8, shape);
  if (bytes > 0) content.read(tensor.mutable_bytes());
  content.finish();
  return tensor;
}

}  // namespace tessera::internal
