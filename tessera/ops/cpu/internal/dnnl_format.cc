#include "tessera/ops/cpu/internal/dnnl_format.h"

#include <algorithm>
#include <numeric>

#include "tessera/ops/registry.h"

namespace tessera::internal {
namespace {

/// What a blocked description consists of, in whichever way this oneDNN gives it.
struct Blocking {
  DnnlDims strides;
  std::vector<int64_t> block_sizes;  // innermost last
  std::vector<int64_t> block_dims;
};

Blocking blocking_of(const DnnlDesc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  const DnnlDims sizes = desc.get_inner_blks();
  const DnnlDims dims = desc.get_inner_idxs();
  return {desc.get_strides(), {sizes.begin(), sizes.end()}, {dims.begin(), dims.end()}};
#else
  const dnnl_blocking_desc_t& blocking = desc.data.format_desc.blocking;
  return {{blocking.strides, blocking.strides + desc.data.ndims},
          {blocking.inner_blks, blocking.inner_blks + blocking.inner_nblks},
          {blocking.inner_idxs, blocking.inner_idxs + blocking.inner_nblks}};
#endif
}

const DnnlDesc* blocked_desc(const Format& format) {
  if (format == nullptr) return nullptr;
  const auto* blocked = dynamic_cast<const DnnlFormat*>(format.get());
  if (blocked == nullptr) {
    fail(ErrorCode::kInternal, "oneDNN was offered the format '{}'", format->to_string());
  }
  return &blocked->desc();
}

DnnlCall describe_reorder(const DnnlDesc& from, const DnnlDesc& to) {
  const dnnl::reorder::primitive_desc chosen(dnnl_engine(), from, dnnl_engine(), to, plain_attr());
  DnnlCall call = dnnl_call<dnnl::reorder>(chosen, static_cast<double>(to.get_size()) / 4);
  call.operand(DNNL_ARG_FROM, 0, from);
  call.result(DNNL_ARG_TO, to);
  return call;
}

}  // namespace

bool DnnlFormat::equals(const MemoryFormat& other) const {
  const auto* same_kind = dynamic_cast<const DnnlFormat*>(&other);
  return same_kind != nullptr && same_kind->desc_ == desc_;
}

std::string DnnlFormat::to_string() const {
  const Blocking blocking = blocking_of(desc_);
  std::vector<size_t> order(blocking.strides.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return blocking.strides[a] > blocking.strides[b]; });
  std::string text;
  for (const size_t dim : order) {
    const bool blocked = std::count(blocking.block_dims.begin(), blocking.block_dims.end(),
                                    static_cast<int64_t>(dim)) > 0;
    text += static_cast<char>((blocked ? 'A' : 'a') + static_cast<char>(dim));
  }
  for (size_t i = 0; i < blocking.block_sizes.size(); ++i) {
    text += fmt::format("{}{}", blocking.block_sizes[i],
                        static_cast<char>('a' + static_cast<char>(blocking.block_dims[i])));
  }
  return text;
}

DnnlDims dims_of(const Shape& shape) {
  if (shape.empty()) return {1};
  return {shape.begin(), shape.end()};
}

DnnlDesc plain_desc(const DnnlDims& dims) {
  DnnlDims strides(dims.size(), 1);
  for (size_t d = dims.size() - 1; d > 0; --d) strides[d - 1] = strides[d] * dims[d];
  return {dims, dnnl::memory::data_type::f32, strides};
}

DnnlDesc plain_desc(const Shape& shape) {
  return plain_desc(dims_of(shape));
}

DnnlDesc any_desc(const DnnlDims& dims) {
  return {dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
}

Format format_of(const DnnlDesc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  const DnnlDims dims = desc.get_dims();
#else
  const DnnlDims dims = desc.dims();
#endif
  if (desc == plain_desc(dims)) return nullptr;
  return std::make_shared<DnnlFormat>(desc);
}

DnnlDesc offered_desc(const OpCall& call, const Formats& offered, size_t i) {
  const DnnlDesc* blocked = blocked_desc(offered.operands[i]);
  return blocked != nullptr ? *blocked : plain_desc(call.shape(i));
}

}  // namespace tessera::internal

namespace tessera {

std::unique_ptr<PreparedKernel> prepare_reorder(const TensorType& type, const Format& from,
                                                const Format& to) {
  using internal::DnnlDesc;
  if (from == nullptr && to != nullptr) {
    if (auto packer = to->packer()) return packer;
  }
  const DnnlDesc* source = internal::blocked_desc(from);
  const DnnlDesc* target = internal::blocked_desc(to);
  require(source != nullptr || target != nullptr, "{} needs no reorder: it is row-major already",
          to_string(type));
  // The row-major side takes the dims of the other: grouped weights have five where the tensor
  // has four.
  const DnnlDesc& blocked = source != nullptr ? *source : *target;
#if DNNL_VERSION_MAJOR >= 3
  const DnnlDesc plain = internal::plain_desc(blocked.get_dims());
#else
  const DnnlDesc plain = internal::plain_desc(blocked.dims());
#endif
  const internal::DnnlCall described = internal::describe_reorder(
      source != nullptr ? *source : plain, target != nullptr ? *target : plain);
  const std::array<TensorType, 1> types = {type};
  const Attrs attrs;
  return internal::dnnl_prepare({types, types, attrs, {}}, described);
}

}  // namespace tessera
