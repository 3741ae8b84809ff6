// Brings parts of a mapped file into memory before they are read, from a thread of its own: who
// reads a page that is not there yet waits for the system, and the pages of a checkpoint are many.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace tessera {

class PageFetcher {
 public:
  /// `mapping`: what keeps the memory mapped; this keeps it too.
  explicit PageFetcher(std::shared_ptr<const void> mapping) : mapping_(std::move(mapping)) {}
  PageFetcher(const PageFetcher&) = delete;
  PageFetcher& operator=(const PageFetcher&) = delete;

  /// Fetches parts of the mapping, one after the other, while the caller goes on; once. What cannot
  /// be fetched, because the system has no call for it or the file was cut, is left to who reads
  /// it.
  void start(std::vector<std::span<const std::byte>> parts);

 private:
  std::shared_ptr<const void> mapping_;
  std::jthread thread_;  // stops and ends before the memory goes
};

}  // namespace tessera
