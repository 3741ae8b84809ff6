// What a call says when it fails.
#pragma once

#include <string>

#include "tessera/base/error.h"

namespace tessera::testing {

/// The words of the Error that `call` throws; empty where it throws none.
template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace tessera::testing
