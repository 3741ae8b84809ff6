#include "tessera/comm/internal/deadline.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace tessera::internal {

Deadline::Deadline(std::string what, double seconds) {
  if (seconds <= 0) return;
  thread_ = std::jthread([this, what = std::move(what), seconds] {
    std::unique_lock lock(mutex_);
    const auto limit = std::chrono::duration<double>(seconds);
    if (done_.wait_for(lock, limit, [&] { return is_done_; })) return;
    const std::string text = fmt::format("{}, for {:.3g} s (the timeout)\n", what, seconds);
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
    _exit(1);
  });
}

Deadline::~Deadline() {
  const std::scoped_lock lock(mutex_);
  is_done_ = true;
  done_.notify_all();
}

}  // namespace tessera::internal
