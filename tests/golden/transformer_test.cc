// The transformer of the zoo against loops over doubles that are written here from the formulas.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>
#include <numbers>

#include "tessera/passes/pass.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"

namespace tessera::testing {
namespace {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;  // [s][d]: one row of the batch

/// A parameter by its name, as the model's checkpoint would hold it.
class Weights {
 public:
  void add(const std::string& name, const Tensor& tensor) {
    const auto elements = tensor.data<float>();
    all_[name] = Vector(elements.begin(), elements.end());
  }
  const Vector& at(const std::string& name) const { return all_.at(name); }

  Vector dense(const std::string& name, const Vector& x) const {
    const Vector& weight = at(name + ".weight");
    Vector y = at(name + ".bias");
    for (size_t o = 0; o < y.size(); ++o)
      for (size_t i = 0; i < x.size(); ++i) y[o] += x[i] * weight[o * x.size() + i];
    return y;
  }

  Vector layer_norm(const std::string& name, const Vector& x) const {
    const auto size = static_cast<double>(x.size());
    double mean = 0;
    for (const double e : x) mean += e / size;
    double variance = 0;
    for (const double e : x) variance += (e - mean) * (e - mean) / size;
    Vector y = x;
    for (size_t i = 0; i < x.size(); ++i)
      y[i] = (x[i] - mean) / std::sqrt(variance + 1e-7) * at(name + ".gamma")[i] +
             at(name + ".beta")[i];
    return y;
  }

  Rows attention(const std::string& name, const Rows& x, size_t heads) const {
    Rows query;
    Rows key;
    Rows value;
    for (const Vector& e : x) {
      query.push_back(dense(name + ".query", e));
      key.push_back(dense(name + ".key", e));
      value.push_back(dense(name + ".value", e));
    }
    const size_t width = x[0].size() / heads;
    Rows read(x.size(), Vector(x[0].size(), 0));
    for (size_t h = 0; h < heads; ++h) {
      for (size_t i = 0; i < x.size(); ++i) {
        Vector score(x.size(), 0);
        double sum = 0;
        for (size_t j = 0; j < x.size(); ++j) {
          for (size_t e = h * width; e < (h + 1) * width; ++e) score[j] += query[i][e] * key[j][e];
          score[j] = std::exp(score[j] / std::sqrt(static_cast<double>(width)));
          sum += score[j];
        }
        for (size_t j = 0; j < x.size(); ++j)
          for (size_t e = h * width; e < (h + 1) * width; ++e)
            read[i][e] += score[j] / sum * value[j][e];
      }
    }
    for (Vector& e : read) e = dense(name + ".out", e);
    return read;
  }

  Vector mlp(const std::string& name, const Vector& x) const {
    Vector inner = dense(name + ".fc1", x);
    for (double& e : inner) {
      const double cubic = e + 0.044715 * e * e * e;
      e = 0.5 * e * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * cubic));
    }
    return dense(name + ".fc2", inner);
  }

  Rows run(Rows x, int layers, size_t heads) const {
    for (int layer = 0; layer < layers; ++layer) {
      const std::string name = "blocks." + std::to_string(layer);
      Rows normed = x;
      for (Vector& e : normed) e = layer_norm(name + ".layernorm1", e);
      const Rows read = attention(name + ".attention", normed, heads);
      for (size_t i = 0; i < x.size(); ++i) {
        for (size_t e = 0; e < x[i].size(); ++e) x[i][e] += read[i][e];
        const Vector more = mlp(name + ".mlp", layer_norm(name + ".layernorm2", x[i]));
        for (size_t e = 0; e < x[i].size(); ++e) x[i][e] += more[e];
      }
    }
    for (Vector& e : x) e = layer_norm("layernorm", e);
    return x;
  }

 private:
  std::map<std::string, Vector> all_;
};

/// Values that repeat after a long while, from -0.4 to 0.4; gammas around 1.
Tensor filled(const Shape& shape, uint64_t seed, float around = 0) {
  Tensor tensor(DType::kF32, shape);
  for (float& e : tensor.mutable_data<float>()) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    e = around + 0.8F * (static_cast<float>(seed >> 40) * 0x1p-24F - 0.5F);
  }
  return tensor;
}

void expect_close(const Tensor& found, const Vector& wanted) {
  const auto elements = found.data<float>();
  ASSERT_EQ(elements.size(), wanted.size());
  double largest = 0;
  for (const double e : wanted) largest = std::max(largest, std::abs(e));
  for (size_t i = 0; i < wanted.size(); ++i)
    ASSERT_NEAR(elements[i], wanted[i], 1e-5 * largest) << "element " << i;
}

class Transformer : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Transformer, ::testing::Bool(),
                         [](const auto& p) { return p.param ? "reference" : "fast"; });

TEST_P(Transformer, ComputesTheFormulasOfItsBlocks) {
  const std::string options = "layers=3,heads=2,hidden=12,mlp=20,seq=5";
  for (const int classes : {0, 7}) {
    const ModelSpec spec =
        parse_model(fmt::format("transformer({},num_classes={})", options, classes));
    const Graph graph = run_passes(trace(spec, 2, {5, 12}), inference_passes());
    Weights weights;
    std::vector<Tensor> tensors;
    for (const ValueId id : graph.parameters) {
      const std::string& name = graph.values[static_cast<size_t>(id)].name;
      const Shape shape = graph.type(id).global;
      tensors.push_back(filled(shape, tensors.size() + 1, name.ends_with("gamma") ? 1 : 0));
      weights.add(name, tensors.back());
    }
    const Tensor input = filled({2, 5, 12}, 99);
    Vector wanted;
    for (size_t n = 0; n < 2; ++n) {
      Rows rows;
      for (size_t s = 0; s < 5; ++s) {
        const auto first = input.data<float>().begin() + static_cast<int64_t>((n * 5 + s) * 12);
        rows.emplace_back(first, first + 12);
      }
      rows = weights.run(rows, 3, 2);
      Vector mean(12, 0);
      for (const Vector& e : rows) {
        for (size_t i = 0; i < 12; ++i) mean[i] += e[i] / 5;
        if (classes == 0) wanted.insert(wanted.end(), e.begin(), e.end());
      }
      if (classes == 0) continue;
      const Vector logits = weights.dense("head", mean);
      wanted.insert(wanted.end(), logits.begin(), logits.end());
    }
    Program program =
        Program::compile(graph, tensors, {.threads = 2, .reference_only = GetParam()});
    expect_close(program.run({&input, 1})[0], wanted);
  }
}

double seconds_to_build(int layers) {
  const ModelSpec spec = parse_model(fmt::format("transformer(layers={})", layers));
  double best = 1e9;
  for (int run = 0; run < 3; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const Graph graph = trace(spec, 1, {16, 64});
    const size_t size = to_string(graph).size();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    EXPECT_GT(size, 1000U * static_cast<size_t>(layers));
    best = std::min(best, passed.count());
  }
  return best;
}

TEST(TransformerGraph, IsBuiltInATimeThatGrowsWithTheLayersAndNotWithTheirSquare) {
  const double small = seconds_to_build(50);
  const double large = seconds_to_build(400);
  RecordProperty("seconds_of_400_layers", std::to_string(large));
  EXPECT_LT(large, 8 * 4 * small) << small << " s for 50 layers, " << large << " s for 400";
}

TEST(TransformerGraph, RefusesHeadsThatDoNotDivideTheWidth) {
  try {
    (void)trace(parse_model("transformer(heads=5)"), 1, {16, 64});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("blocks.0.attention' cannot divide 64 into 5 heads"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace tessera::testing
