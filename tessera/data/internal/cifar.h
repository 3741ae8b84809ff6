// The binary files of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3072 bytes of a
// 32×32 picture as red, green and blue planes, packed with gzip or not.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/data/row_source.h"

namespace tessera::internal {

/// How one of the two data sets is stored.
struct CifarFormat {
  std::string_view source;  // "cifar10"
  std::string_view folder;  // that the archive unpacks to: "cifar-10-batches-bin"
  std::string_view test;    // the file's name
  std::string_view train;   // with {} where a number from 1 on stands, or one file's name
  size_t label_bytes = 1;
  size_t label_at = 0;  // which of them is the label
  std::span<const std::string> class_names;
};

/// The rows u8[32,32,3] of `place`: DIR, DIR/test or DIR/train; without a part, test comes first.
/// The files lie in DIR, in the folder of the archive there, or in a folder of the part's name.
/// Throws kNotFound with the files looked for, kCorruptData where a file is cut or a label is none
/// of the classes.
std::shared_ptr<const RowSource> open_cifar(std::string_view place, const CifarFormat& format,
                                            std::string name);

}  // namespace tessera::internal
