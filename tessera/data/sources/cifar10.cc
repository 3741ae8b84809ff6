#include <array>

#include "tessera/data/internal/cifar.h"

namespace tessera {
namespace {

const std::array<std::string, 10> kNames = {"airplane", "automobile", "bird",  "cat",  "deer",
                                            "dog",      "frog",       "horse", "ship", "truck"};

std::shared_ptr<const RowSource> open_cifar10(std::string_view place,
                                              const RowsOptions& /*options*/) {
  return internal::open_cifar(place,
                              {.source = "cifar10",
                               .folder = "cifar-10-batches-bin",
                               .test = "test_batch.bin",
                               .train = "data_batch_{}.bin",
                               .class_names = kNames},
                              fmt::format("cifar10:{}", place));
}

}  // namespace

RowSourceDef source_cifar10() {
  return {.notation = "cifar10:DIR[/train|/test]",
          .doc = "CIFAR-10's binary files, gz or not; test where DIR holds both and none is named",
          .open = open_cifar10};
}

}  // namespace tessera
