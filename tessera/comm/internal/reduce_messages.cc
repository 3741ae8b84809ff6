// Sums by messages: rank i combines everybody's part i, block by block, in the order of the ranks,
// while the next block is under way. An all_reduce then hands the combined blocks to all.
#include <algorithm>
#include <array>

#include "tessera/comm/combine.h"
#include "tessera/comm/internal/messages.h"

namespace tessera::internal {
namespace {

constexpr int64_t kBlockBytes = 512 << 10;

class Reduction {
 public:
  Reduction(MessageCommunicator& group, const Request& request);
  void run();

 private:
  struct Part {
    const std::byte* from = nullptr;
    std::byte* to = nullptr;  // where its result goes on this rank, if it does
    int64_t bytes = 0;

    int64_t length(int64_t begin) const {
      return std::clamp<int64_t>(bytes - begin, 0, kBlockBytes);
    }
  };
  struct Block {
    std::vector<std::byte> received;
    std::unique_ptr<Messages> messages;
  };
  void start(Block& block, int64_t begin);
  void combine_block(const Block& block, int64_t begin);
  void share(int64_t begin, Messages& messages);

  MessageCommunicator& group_;
  const Call& call_;
  const size_t me_;
  std::vector<Part> parts_;  // per rank
};

Reduction::Reduction(MessageCommunicator& group, const Request& request)
    : group_(group), call_(request.call), me_(static_cast<size_t>(group.rank())) {
  const int64_t width = byte_size(call_.dtype);
  for (int i = 0; i < group.size(); ++i) {
    if (call_.kind == CallKind::kAllReduce) {
      const int64_t begin = segment_begin(call_.sent[0], i, group.size());
      const int64_t end = segment_begin(call_.sent[0], i + 1, group.size());
      parts_.push_back({request.input(0) + begin * width, request.output(0) + begin * width,
                        (end - begin) * width});
    } else {
      const auto part = static_cast<size_t>(i);
      parts_.push_back({request.input(part), part == me_ ? request.output(0) : nullptr,
                        call_.sent[part] * width});
    }
  }
}

void Reduction::run() {
  int64_t longest = 0;
  for (const Part& part : parts_) longest = std::max(longest, part.bytes);
  std::array<Block, 2> blocks{Block{{}, group_.open_messages()}, Block{{}, group_.open_messages()}};
  const auto shared = group_.open_messages();
  start(blocks[0], 0);
  for (int64_t begin = 0; begin < longest; begin += kBlockBytes) {
    const auto turn = static_cast<size_t>(begin / kBlockBytes % 2);
    start(blocks[1 - turn], begin + kBlockBytes);
    blocks[turn].messages->wait(call_);
    combine_block(blocks[turn], begin);
    if (call_.kind == CallKind::kAllReduce) share(begin, *shared);
  }
  shared->wait(call_);
}

/// Parts of everybody come, those for the others go.
void Reduction::start(Block& block, int64_t begin) {
  const int64_t own = parts_[me_].length(begin);
  block.received.resize(std::max(block.received.size(), static_cast<size_t>(own) * parts_.size()));
  group_.for_others([&](Rank other) {
    const auto i = static_cast<size_t>(other);
    block.messages->receive(block.received.data() + other * own, own, other, MessageTag::kData);
    const int64_t length = parts_[i].length(begin);
    if (length > 0) block.messages->send(parts_[i].from + begin, length, other, MessageTag::kData);
  });
}

void Reduction::combine_block(const Block& block, int64_t begin) {
  const Part& mine = parts_[me_];
  const int64_t own = mine.length(begin);
  if (own == 0) return;
  std::vector<const std::byte*> sources;
  for (size_t i = 0; i < parts_.size(); ++i)
    sources.push_back(i == me_ ? mine.from + begin
                               : block.received.data() + static_cast<int64_t>(i) * own);
  std::byte* const result = mine.to + begin;
  combine(call_.dtype, call_.op, sources, {&result, 1}, own / byte_size(call_.dtype));
}

/// A combined block goes to all, theirs come. The memory they come to was sent from, and that send
/// is done: its block has been waited for.
void Reduction::share(int64_t begin, Messages& messages) {
  const int64_t own = parts_[me_].length(begin);
  group_.for_others([&](Rank other) {
    const Part& part = parts_[static_cast<size_t>(other)];
    const int64_t length = part.length(begin);
    if (length > 0) messages.receive(part.to + begin, length, other, MessageTag::kResult);
    if (own > 0) messages.send(parts_[me_].to + begin, own, other, MessageTag::kResult);
  });
}

}  // namespace

void reduce_by_messages(MessageCommunicator& group, const Request& request) {
  Reduction(group, request).run();
}

}  // namespace tessera::internal
