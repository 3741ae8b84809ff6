// A kernel computes an op on a device. Kernels are prepared once per node, when formats and weights
// are known, and run many times.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/op_call.h"
#include "tessera/graph/precision.h"

namespace tessera {

class PreparedKernel;

/// A memory order that only the kernels of one library understand, such as oneDNN's blocked
/// layouts.
class MemoryFormat {
 public:
  virtual ~MemoryFormat() = default;
  virtual bool equals(const MemoryFormat& other) const = 0;
  virtual std::string to_string() const = 0;
  virtual int64_t byte_count() const = 0;  // with the padding that the format asks for
  /// A kernel that brings a row-major tensor into this format, for formats that constants alone
  /// have; null for others. It may be given a second operand, of one factor per element of dim 0,
  /// by which it multiplies.
  virtual std::unique_ptr<PreparedKernel> packer() const;
  /// Whether what the packer makes refers to the row-major tensor, which must live as long.
  virtual bool refers() const { return false; }
  /// Whether the packer takes a row-major tensor that begins at any byte, as in a mapped file.
  virtual bool packs_unaligned() const { return false; }
};
/// How a tensor lies in memory: null is plain, row-major.
using Format = std::shared_ptr<const MemoryFormat>;
bool same_format(const Format& a, const Format& b);
std::string to_string(const Format& format);  // "plain" for null

struct Formats {
  std::vector<Format> operands;
  std::vector<Format> results;
};

/// A kernel made ready for one call: shapes, formats, packed weights.
class PreparedKernel {
 public:
  virtual ~PreparedKernel() = default;
  /// The formats that run() expects and leaves. Operands offered in another format are reordered
  /// before (weights once, when the program is compiled).
  virtual const Formats& formats() const = 0;
  /// Operand whose memory result 0 takes over (a residual sum does), or -1. The program copies the
  /// operand first when something else still needs it.
  virtual int overwritten_operand() const { return -1; }
  /// Operand of result 0's type and format whose memory the result may take over where nothing else
  /// needs it, or -1: the kernel reads every element before it writes the one in its place.
  virtual int reusable_operand() const { return -1; }
  /// Whether result `result` may lie where operand `operand` lies: every element is read before the
  /// one in its place is written.
  virtual bool writes_in_place(size_t /*operand*/, size_t /*result*/) const { return false; }
  /// Asks the kernel to leave result 0 as some of the channels of an image of `channels` channels,
  /// channels last, that begins where the result is given. False, and nothing changed, where it
  /// cannot.
  virtual bool write_into(int64_t /*channels*/) { return false; }
  /// Where result 0 is an image channels last that holds operand `operand` as some of its channels:
  /// the first of them. The program may then let who computes the operand write it there, and
  /// run() without it. -1 elsewhere.
  virtual int64_t operand_channel(size_t /*operand*/) const { return -1; }
  /// One line of detail for explain(): the implementation chosen.
  virtual std::string detail() const { return {}; }
  /// Bytes that it holds between runs: packed weights, scratch memory.
  virtual int64_t kept_bytes() const { return 0; }
  /// Bytes that it allocates while it runs and frees again, roughly.
  virtual int64_t run_bytes() const { return 0; }
  /// Results are allocated. One run at a time per prepared kernel.
  virtual void run(std::span<const Tensor> operands, std::span<Tensor> results) = 0;
};

/// Yes, or no and why.
struct Support {
  bool ok = true;
  std::string reason;

  static Support yes() { return {}; }
  static Support no(std::string why) { return {false, std::move(why)}; }
};

struct Kernel {
  std::string_view name;  // "reference", "onednn"
  DeviceKind device = DeviceKind::kCpu;
  Support (*supports)(const OpCall&) = nullptr;
  /// Whether it is the right one for operands in these formats, where that matters; may be null.
  Support (*suits)(const OpCall&, const Formats& offered) = nullptr;
  /// `offered`: the formats in which the operands are at hand. Must not fail where supports() says
  /// yes.
  std::unique_ptr<PreparedKernel> (*prepare)(const OpCall&, const Formats& offered) = nullptr;
  /// The plain C++ function of a reference kernel; null for others.
  void (*function)(const OpCall&, std::span<const Tensor>, std::span<Tensor>) = nullptr;
  /// Every element of a result has the same bits whichever part of the result is computed with it,
  /// on however many threads, as long as no reduced factor is cut: what deterministic programs are
  /// made of.
  bool position_independent = false;
  /// Whether prepare() looks at the types of constants alone: their values are asked for in the
  /// formats of the prepared kernel.
  bool takes_constants_packed = false;
  /// A kernel of less than f32 is for programs that ask for it, and comes first there.
  Precision precision = Precision::kF32;
  /// A kernel that saves its preparation is for programs that run once, and comes first there.
  bool for_one_run = false;
};

/// A kernel that is a plain function over row-major tensors: the oracle of all others, and the last
/// in every op's list. The runtime wraps `function`.
Kernel reference(void (*function)(const OpCall&, std::span<const Tensor>, std::span<Tensor>));

/// A prepared reference kernel: runs `kernel.function` on plain tensors.
std::unique_ptr<PreparedKernel> prepare_reference(const Kernel& kernel, const OpCall& call);

}  // namespace tessera
