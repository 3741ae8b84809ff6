#include <array>

#include "tessera/base/text.h"
#include "tessera/data/internal/cifar.h"

namespace tessera {
namespace {

const std::array<std::string, 100> kFineNames = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};
const std::array<std::string, 20> kCoarseNames = {"aquatic_mammals",
                                                  "fish",
                                                  "flowers",
                                                  "food_containers",
                                                  "fruit_and_vegetables",
                                                  "household_electrical_devices",
                                                  "household_furniture",
                                                  "insects",
                                                  "large_carnivores",
                                                  "large_man-made_outdoor_things",
                                                  "large_natural_outdoor_scenes",
                                                  "large_omnivores_and_herbivores",
                                                  "medium_mammals",
                                                  "non-insect_invertebrates",
                                                  "people",
                                                  "reptiles",
                                                  "small_mammals",
                                                  "trees",
                                                  "vehicles_1",
                                                  "vehicles_2"};

std::shared_ptr<const RowSource> open_cifar100(std::string_view place,
                                               const RowsOptions& /*options*/) {
  const std::string name = fmt::format("cifar100:{}", place);
  internal::CifarFormat format{.source = "cifar100",
                               .folder = "cifar-100-binary",
                               .test = "test.bin",
                               .train = "train.bin",
                               .label_bytes = 2,
                               .label_at = 1,
                               .class_names = kFineNames};
  const size_t comma = place.rfind(',');
  const std::string_view labels =
      comma == std::string_view::npos ? "fine" : trim(place.substr(comma + 1));
  if (labels == "coarse") {
    format.label_at = 0;
    format.class_names = kCoarseNames;
  }
  if (labels == "coarse" || labels == "fine") place = place.substr(0, comma);
  return internal::open_cifar(place, format, name);
}

}  // namespace

RowSourceDef source_cifar100() {
  return {.notation = "cifar100:DIR[/train|/test][,fine|,coarse]",
          .doc = "CIFAR-100's binary files; 100 fine classes, or the 20 coarse ones",
          .open = open_cifar100};
}

}  // namespace tessera
