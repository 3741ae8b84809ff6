#include "tessera/data/npy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tessera/base/text.h"

namespace tessera {
namespace {

struct NpyType {
  std::string_view code;  // without the byte order
  DType dtype;
};
constexpr std::array<NpyType, 14> kTypes = {{{"b1", DType::kBool},
                                             {"u1", DType::kU8},
                                             {"u2", DType::kU16},
                                             {"u4", DType::kU32},
                                             {"u8", DType::kU64},
                                             {"i1", DType::kI8},
                                             {"i2", DType::kI16},
                                             {"i4", DType::kI32},
                                             {"i8", DType::kI64},
                                             {"f2", DType::kF16},
                                             {"f4", DType::kF32},
                                             {"f8", DType::kF64},
                                             {"c8", DType::kC64},
                                             {"c16", DType::kC128}}};
constexpr std::string_view kMagic("\x93NUMPY", 6);

/// What stands between `before` and `after` in the header.
std::string_view between(std::string_view header, std::string_view before, char after) {
  const size_t open = header.find(before);
  require_valid(open != std::string_view::npos, "the .npy header has no {}: {}", before,
                printable(header, 200));
  const size_t begin = open + before.size();
  const size_t close = header.find(after, begin);
  require_valid(close != std::string_view::npos, "the .npy header is cut: {}",
                printable(header, 200));
  return header.substr(begin, close - begin);
}

DType parse_type(std::string_view text) {
  if (text.starts_with('>'))
    fail(ErrorCode::kUnsupported, "the .npy array is big-endian ('{}'); save it as '<{}'",
         printable(text), printable(text.substr(1)));
  if (text.starts_with('<') || text.starts_with('|') || text.starts_with('='))
    text.remove_prefix(1);
  for (const NpyType& type : kTypes)
    if (type.code == text) return type.dtype;
  fail(ErrorCode::kUnsupported, "the .npy array has elements of '{}', which are none of Tessera's",
       printable(text));
}

Shape parse_extents(std::string_view text) {
  Shape shape;
  for (const std::string_view part : split(text, ',')) {
    if (trim(part).empty()) continue;
    const auto extent = parse_int(trim(part));
    require_valid(extent && *extent >= 0, "the .npy header has the extent '{}'", printable(part));
    shape.push_back(*extent);
  }
  (void)element_count(shape);  // throws when it overflows
  return shape;
}

}  // namespace

Tensor decode_npy(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  require_valid(text.starts_with(kMagic) && file.size() > 10, "no .npy file: it begins with '{}'",
                printable(text.substr(0, 8)));
  const bool wide = std::to_integer<int>(file[6]) > 1;
  const size_t begin = wide ? 12 : 10;
  require_valid(file.size() >= begin, "the .npy file is cut after {} bytes", file.size());
  size_t length = 0;
  for (size_t at = begin; at-- > 8;) length = length << 8 | std::to_integer<size_t>(file[at]);
  require_valid(length <= file.size() - begin, "the .npy header has {} bytes, the file {}", length,
                file.size());
  const std::string_view header = text.substr(begin, length);
  const DType dtype = parse_type(between(header, "'descr': '", '\''));
  const std::string_view order = trim(between(header, "'fortran_order': ", ','));
  if (order != "False")
    fail(ErrorCode::kUnsupported, "the .npy array is column-major; save it in C order");
  const Shape shape = parse_extents(between(header, "'shape': (", ')'));
  const auto content = file.subspan(begin + length);
  const int64_t bytes = checked_product(element_count(shape), byte_size(dtype));
  require_valid(bytes == std::ssize(content), "a .npy file of {}{} needs {} bytes, it has {}",
                to_string(dtype), to_string(shape), bytes, content.size());
  Tensor tensor(dtype, shape);
  std::copy(content.begin(), content.end(), tensor.mutable_bytes().begin());
  return tensor;
}

Tensor read_npy(const std::filesystem::path& path) {
  const ErrorContext context([&] { return fmt::format("reading {}", path.string()); });
  const auto file = local_file_system().open(path);
  std::vector<std::byte> content(file->size());
  file->read(0, content);
  return decode_npy(content);
}

void write_npy(const Tensor& tensor, const std::filesystem::path& path) {
  const ErrorContext context([&] { return fmt::format("writing {}", path.string()); });
  const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const NpyType& entry) {
    return entry.dtype == tensor.dtype();
  });
  if (type == kTypes.end())
    fail(ErrorCode::kUnsupported, "NumPy has no {}; cast it to f32", to_string(tensor.dtype()));
  const bool bytes = byte_size(tensor.dtype()) == 1;
  std::string extents;
  for (const int64_t extent : tensor.shape()) extents += fmt::format("{},", extent);
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                   bytes ? '|' : '<', type->code, extents);
  constexpr size_t kPrefix = 10;
  constexpr size_t kAlign = 64;  // elements begin at a multiple of it
  header.append(kAlign - (kPrefix + header.size() + 1) % kAlign, ' ');
  header += '\n';
  std::string head(kMagic);
  head += '\1';
  head += '\0';
  head += static_cast<char>(header.size() & 0xff);
  head += static_cast<char>(header.size() >> 8);
  head += header;
  AtomicFile out(local_file_system(), path);
  out.file().append(std::as_bytes(std::span(head.data(), head.size())));
  out.file().append(tensor.contiguous().bytes());
  out.commit();
}

}  // namespace tessera
