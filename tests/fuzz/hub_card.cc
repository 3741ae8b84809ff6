// Cards of hubs: any bytes make a card; a digest that it gives is one, a link that it gives may be
// fetched or says why not.
#include "tessera/hub/card.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "tessera/base/text.h"
#include "tessera/hub/uid.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const tessera::hub::Card card = tessera::hub::read_card("fuzz/card", text);
  if (!card.is_read && card.problems.empty()) std::abort();
  for (const tessera::hub::Asset& asset : card.assets) {
    if (!asset.sha256.empty() && asset.sha256.size() != 64) std::abort();
    if (asset.sha256.empty() == asset.hash_reason.empty()) std::abort();
    if (asset.link_reason.empty() && tessera::hub::why_no_link(asset.link)) std::abort();
  }
  for (const auto& [key, value] : card.fields)
    if (!tessera::is_utf8(key) || !tessera::is_utf8(value)) std::abort();
  return 0;
}
