// Carries out who reads what: in each round a rank reads its parts, all ranks exchange them, and
// each copies what it holds into its tensors.
#pragma once

#include <span>
#include <vector>

#include "tessera/comm/communicator.h"
#include "tessera/reshard/assign_readers.h"
#include "tessera/reshard/internal/stream.h"

namespace tessera::internal {

/// What all ranks know.
struct SharedPlan {
  const Source& source;
  const Destination& destination;
  const ReshardPlan& plan;
  const ReadPlan& reads;
};

class ReadRounds {
 public:
  ReadRounds(Communicator& world, const SharedPlan& shared, int threads);

  /// Collective. A tensor per holding of this rank, in their order. Throws kCorruptData on all
  /// ranks, naming the tensor, where replicas differ.
  std::vector<Tensor> run();

 private:
  /// A box that a rank takes of a read.
  struct Share {
    uint32_t read = 0;
    uint32_t slices = 0;  // index into Destination::slices
    uint32_t slice = 0;
    uint32_t nth = 0;  // of the rank's holdings of the record
    bool operator==(const Share&) const = default;
  };
  /// Bytes that are used again in every round.
  struct Space {
    std::shared_ptr<Buffer> buffer;
    Tensor part(uint64_t begin, uint64_t bytes);
    void make_room(uint64_t bytes);
  };

  const Record& record_of(const RankRead& read) const;
  const ReadPart& part_of(const RankRead& read) const;
  const Box& slice_of(const Share& share) const;
  Box common_of(const Share& share) const;
  uint64_t bytes_of(std::span<const Share> shares) const;
  void append_shares(uint32_t read, Rank rank, std::vector<Share>& to) const;

  void find_holders();
  void make_tensors();
  void run_round(uint32_t first, uint32_t last);
  void read_own(std::span<const uint32_t> own);
  void pack(std::span<const Share> shares, std::span<std::byte> to) const;
  void unpack(std::span<const Share> shares, std::span<const std::byte> from);
  void exchange(uint32_t first, uint32_t last);
  std::span<std::byte> memory_of(const Share& share);
  void compare_digests();
  [[noreturn]] void fail_differs(const RankRead& one, const RankRead& other) const;

  Communicator& world_;
  SharedPlan shared_;
  Stream stream_;
  int threads_;
  Rank rank_;
  std::vector<std::vector<std::pair<Rank, uint32_t>>> holders_;  // by route: rank, slices
  std::vector<Tensor> tensors_;
  std::vector<std::vector<uint32_t>> held_;  // by record: indices into tensors_
  std::vector<bool> is_compared_;            // by read
  std::vector<Digest> digests_;              // of this rank's reads that are compared, in order
  std::vector<Stream::Workspace> workspaces_;
  std::vector<std::span<const std::byte>> read_;  // by read of the round: what this rank has read
  uint32_t first_ = 0;                            // of the round
  Space send_, receive_;
};

}  // namespace tessera::internal
