// Reads the arrays that NumPy saved, for tests that compare with recorded values: .npy files of
// versions 1 to 3 in C order, and .npz archives of them.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tessera/tensor/tensor.h"

namespace tessera::testing {

/// Throws Error when the file is not there, is cut, or holds a dtype that Tessera has not.
Tensor read_npy(const std::filesystem::path& path);

/// Every array of an archive under its name, without ".npy".
std::map<std::string, Tensor> read_npz(const std::filesystem::path& path);

}  // namespace tessera::testing
