// What the zoo's networks do to the rows of data sets, on one picture of each kind.
#include <gtest/gtest.h>

#include <cmath>

#include "tessera/data/internal/row_chain.h"
#include "tessera/zoo/zoo.h"

namespace tessera {
namespace {

/// The pictures that a source gives; photographs of several sizes.
std::vector<Shape> pictures_of(std::string_view source) {
  if (source == "mnist" || source == "digits") return {{28, 28, 1}};
  if (source.starts_with("cifar")) return {{32, 32, 3}};
  return {{375, 500, 3}, {500, 333, 3}, {40, 30, 3}};
}

TEST(Recipes, OfEveryNetworkGiveTheRowsThatItReads) {
  for (const ModelDef& model : all_models())
    for (const auto& [source, recipe] : model.transforms)
      for (const Shape& shape : pictures_of(source)) {
        SCOPED_TRACE(fmt::format("{} {} {}: {}", model.name, source, to_string(shape), recipe));
        Tensor picture(DType::kU8, shape);
        uint8_t next = 1;
        for (uint8_t& pixel : picture.mutable_data<uint8_t>())
          pixel = next = static_cast<uint8_t>(next * 29 + 17);
        const internal::RowChain chain(parse_transforms(recipe), {DType::kU8, shape});
        // Some networks read rows of several sizes, and evaluate larger ones than they name.
        EXPECT_EQ(chain.result().dtype, DType::kF32);
        const Graph graph = trace(spec_of(model), 1, chain.result().shape);
        const Graph named = trace(spec_of(model), 1, model.row_shape(spec_of(model).options));
        EXPECT_EQ(graph.types(graph.parameters), named.types(named.parameters));
        Tensor row(DType::kF32, chain.result().shape);
        internal::RowChain::Scratch scratch;
        chain.run(picture.bytes(), row.mutable_bytes(), scratch);
        double sum = 0;
        for (const float value : row.data<float>()) sum += std::abs(value);
        EXPECT_GT(sum, 0.1 * static_cast<double>(row.size()));
        EXPECT_LT(sum, 300 * static_cast<double>(row.size()));
      }
}

TEST(Recipes, EveryNetworkForPicturesReadsFilesAndFolders) {
  for (const ModelDef& model : all_models()) {
    if (model.transforms.empty()) continue;
    const auto has = [&](std::string_view source) {
      return std::any_of(model.transforms.begin(), model.transforms.end(),
                         [&](const DefaultTransforms& one) { return one.source == source; });
    };
    EXPECT_TRUE(has("image")) << model.name;
  }
}

}  // namespace
}  // namespace tessera
