// What threads work in, used again and again: as many objects as threads have worked at a time.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace tessera::internal {

/// Thread-safe.
template <typename Workspace>
class Idle {
 public:
  /// One that nobody uses; a new one where there is none.
  std::unique_ptr<Workspace> take() {
    const std::scoped_lock lock(mutex_);
    if (idle_.empty()) return std::make_unique<Workspace>();
    std::unique_ptr<Workspace> work = std::move(idle_.back());
    idle_.pop_back();
    return work;
  }
  void give_back(std::unique_ptr<Workspace> work) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(work));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace tessera::internal
