#include "tessera/comm/internal/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace tessera::internal {
namespace {

constexpr std::array<std::string_view, kCallKindCount> kNames = {
    "all_reduce", "all_gather", "reduce_scatter", "all_to_all",
    "broadcast",  "send",       "receive",        "barrier"};

/// "f32 x 10", or "f32 x 10 in 3 parts".
std::string amount(DType dtype, std::span<const int64_t> counts) {
  const int64_t sum = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  const std::string text = fmt::format("{} x {}", tessera::to_string(dtype), sum);
  return counts.size() == 1 ? text : fmt::format("{} in {} parts", text, counts.size());
}

/// Two ranks' calls, by their places in the list.
struct Pair {
  size_t a;
  size_t b;
};

class Comparison {
 public:
  Comparison(std::span<const Call* const> calls, std::span<const Rank> ranks)
      : calls_(calls), ranks_(ranks) {}

  std::string run() const {
    for (size_t i = 1; i < calls_.size(); ++i) {
      const std::string_view what = unlike({0, i});
      if (!what.empty()) return whole_calls(what, {0, i});
    }
    for (size_t i = 0; i < calls_.size(); ++i)
      if (std::string text = parts({0, i}); !text.empty()) return text;
    return {};
  }

 private:
  /// What must be the same on all ranks, whatever the call.
  std::string_view unlike(Pair pair) const {
    const Call &a = *calls_[pair.a], &b = *calls_[pair.b];
    const bool handover = a.kind == CallKind::kSend && b.kind == CallKind::kReceive;
    if (a.kind != b.kind && !handover) return "call";
    if (a.dtype != b.dtype) return "dtype";
    if (a.op != b.op) return "operation";
    if (a.kind == CallKind::kBroadcast && a.root != b.root) return "root";
    if (handover) return a.sent != b.received ? "size" : "";
    const bool one_tensor = a.kind == CallKind::kAllReduce || a.kind == CallKind::kBroadcast;
    return one_tensor && a.sent != b.sent ? "size" : "";
  }

  /// Sizes of parts that one rank has and another one expects.
  std::string parts(Pair pair) const {
    const Call &a = *calls_[pair.a], &b = *calls_[pair.b];
    switch (a.kind) {
      case CallKind::kAllGather:
        for (size_t i = 0; i < calls_.size(); ++i) {
          if (b.received[i] == calls_[i]->sent[0]) continue;
          return fmt::format("{}: rank {} gives {}, rank {} expects {} from it",
                             title("size of a part", a), ranks_[i], calls_[i]->sent[0],
                             ranks_[pair.b], b.received[i]);
        }
        return {};
      case CallKind::kReduceScatter:
        for (size_t i = 0; i < calls_.size(); ++i) {
          if (a.sent[i] == b.sent[i]) continue;
          return fmt::format("{}: rank {} has {} for rank {}, rank {} has {}",
                             title("size of a part", a), ranks_[pair.a], a.sent[i], ranks_[i],
                             ranks_[pair.b], b.sent[i]);
        }
        return {};
      case CallKind::kAllToAll:
        for (size_t i = 0; i < calls_.size(); ++i) {
          const int64_t gives = b.sent[i], expects = calls_[i]->received[pair.b];
          if (gives == expects) continue;
          return fmt::format("{}: rank {} gives {} to rank {}, which expects {} from it",
                             title("size of a part", b), ranks_[pair.b], gives, ranks_[i], expects);
        }
        return {};
      default:
        return {};
    }
  }

  std::string whole_calls(std::string_view what, Pair pair) const {
    return fmt::format("the ranks disagree on the {}: rank {} calls {}, rank {} calls {}", what,
                       ranks_[pair.a], to_string(*calls_[pair.a]), ranks_[pair.b],
                       to_string(*calls_[pair.b]));
  }
  static std::string title(std::string_view what, const Call& call) {
    return fmt::format("the ranks disagree on the {} of {} in {}", what,
                       tessera::to_string(call.dtype), to_string(call.kind));
  }

  std::span<const Call* const> calls_;
  std::span<const Rank> ranks_;
};

}  // namespace

std::string_view to_string(CallKind kind) {
  const auto index = static_cast<size_t>(kind);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string to_string(const Call& call) {
  const std::string_view name = to_string(call.kind);
  switch (call.kind) {
    case CallKind::kBarrier:
      return fmt::format("{}()", name);
    case CallKind::kAllReduce:
    case CallKind::kReduceScatter:
      return fmt::format("{}({}, {})", name, amount(call.dtype, call.sent),
                         tessera::to_string(call.op));
    case CallKind::kBroadcast:
      return fmt::format("{}({}, root {})", name, amount(call.dtype, call.sent), call.root);
    case CallKind::kSend:
      return fmt::format("{}({}, to rank {})", name, amount(call.dtype, call.sent), call.root);
    case CallKind::kReceive:
      return fmt::format("{}({}, from rank {})", name, amount(call.dtype, call.received),
                         call.root);
    default:
      return fmt::format("{}({})", name, amount(call.dtype, call.sent));
  }
}

std::string find_disagreement(std::span<const Call* const> calls, std::span<const Rank> ranks) {
  return Comparison(calls, ranks).run();
}

std::string list_ranks(std::span<const Rank> ranks) {
  constexpr size_t kShown = 8;
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < std::min(ranks.size(), kShown); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", ranks[i]);
  if (ranks.size() > kShown) text += fmt::format(", … ({} ranks)", ranks.size());
  return text;
}

}  // namespace tessera::internal
