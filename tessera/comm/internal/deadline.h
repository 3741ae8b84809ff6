// Ends this process when something that only blocks takes too long.
//
//   const Deadline deadline("rank 0 waits for the others to start", 600);
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace tessera::internal {

class Deadline {
 public:
  /// After `seconds` of its life, if those are more than 0, prints `what` and exits with status 1
  /// at once: nothing is destroyed.
  Deadline(std::string what, double seconds);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  bool is_done_ = false;
  std::jthread thread_;  // the last member: it uses the others
};

}  // namespace tessera::internal
