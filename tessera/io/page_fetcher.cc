#include "tessera/io/page_fetcher.h"

#include "tessera/base/processors.h"

namespace tessera {
namespace {

/// Reads a byte of every page. (The system's call for it, MADV_POPULATE_READ, keeps the process
/// from growing its heap meanwhile, and took longer.)
void fetch(const std::stop_token& stop, std::span<const std::byte> part) {
  constexpr size_t kPage = 4096;
  const volatile std::byte* bytes = part.data();
  for (size_t at = 0; at < part.size() && !stop.stop_requested(); at += kPage)
    static_cast<void>(bytes[at]);
}

}  // namespace

void PageFetcher::start(std::vector<std::span<const std::byte>> parts) {
  const int callers = current_processor();
  thread_ = std::jthread([parts = std::move(parts), callers](const std::stop_token& stop) {
    if (current_processor() == callers)
      step_aside([&](int processor) { return processor == callers; });
    for (const std::span<const std::byte> part : parts) fetch(stop, part);
  });
}

}  // namespace tessera
