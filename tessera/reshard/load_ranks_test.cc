#include "tessera/reshard/load_ranks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <mutex>

#include "tests/support/layout_oracle.h"
#include "tests/support/memory_job.h"
#include "tests/support/rank_view.h"

namespace tessera {
namespace {

using testing::MemoryJob;
using testing::NamedTensors;
using testing::RankView;

/// A layout over some of `ranks` ranks, in any order.
Layout any_layout(MemoryJob& job, int ranks, size_t ndim) {
  std::vector<Rank> list;
  for (Rank rank = 0; rank < ranks; ++rank)
    list.insert(list.begin() + job.pick(0, static_cast<int>(list.size())), rank);
  std::vector<MeshAxis> axes;
  int count = 1;
  for (int a = 0; a < 3; ++a) {
    const int size = job.pick(1, ranks / count);
    axes.push_back({"a" + std::to_string(a), size});
    count *= size;
  }
  list.resize(static_cast<size_t>(count));
  Layout layout = replicated(make_mesh(axes, list), ndim);
  for (AxisId axis = 0; axis < 3; ++axis)
    if (const int dim = job.pick(-1, static_cast<int>(ndim) - 1); dim >= 0)
      layout.dims[static_cast<size_t>(dim)].push_back(axis);
  return layout;
}

/// The bytes that the rank has to hold, found element by element; "-": nothing, not even an empty
/// tensor.
std::string bytes_by_counting(const Tensor& whole, const Layout& layout, Rank rank) {
  const std::vector<Rank> ranks = testing::all_ranks(*layout.mesh);
  if (std::find(ranks.begin(), ranks.end(), rank) == ranks.end()) return "-";
  const auto width = static_cast<size_t>(byte_size(whole.dtype()));
  std::string bytes;
  for (const int64_t at : testing::elements_by_counting(layout, whole.shape(), rank))
    bytes.append(
        reinterpret_cast<const char*>(whole.bytes().data()) + static_cast<size_t>(at) * width,
        width);
  return bytes;
}

std::string bytes_of(const LoadedRank& loaded, const std::string& name) {
  const auto found = loaded.tensors.find(name);
  if (found == loaded.tensors.end()) return "-";
  const std::span<const std::byte> bytes = found->second.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A job of threads, each of which sees the files through a view of its own.
class LoadJob {
 public:
  LoadJob(MemoryFileSystem& files, int ranks) : ranks_(ranks) {
    for (int rank = 0; rank < ranks; ++rank) views.push_back(std::make_unique<RankView>(files));
  }

  void want(const NamedTensors& tensors, MemoryJob& job) {
    for (const auto& [name, tensor] : tensors)
      want(name, tensor, any_layout(job, ranks_, tensor.ndim()));
  }
  void want(const std::string& name, const Tensor& tensor, Layout layout) {
    wanted.push_back({{name, tensor.dtype(), tensor.shape()}, std::move(layout)});
  }

  std::vector<LoadedRank> load(std::span<const RankFile> files, const Strategy* train,
                               LoadRanksOptions options = {}) {
    std::vector<LoadedRank> loaded(static_cast<size_t>(ranks_));
    run_world({.ranks = ranks_, .timeout_seconds = 30}, [&](Communicator& world) {
      LoadRanksOptions own = options;
      own.open.files = views[static_cast<size_t>(world.rank())].get();
      loaded[static_cast<size_t>(world.rank())] = load_ranks(world, files, train, wanted, own);
    });
    return loaded;
  }
  /// What all ranks say; "" where they load.
  std::string refusal(std::span<const RankFile> files, const Strategy* train,
                      const LoadRanksOptions& options = {}) {
    try {
      load(files, train, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  uint64_t bytes_read() const {
    uint64_t bytes = 0;
    for (const auto& view : views) bytes += view->state().bytes_read;
    return bytes;
  }

  std::vector<std::unique_ptr<RankView>> views;
  std::vector<WantedParameter> wanted;

 private:
  int ranks_;
};

void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), text.npos) << word << "\n" << text;
}

void expect_equal(const std::vector<LoadedRank>& loaded, const LoadJob& job,
                  const NamedTensors& tensors, const std::string& where) {
  for (size_t i = 0; i < tensors.size(); ++i)
    for (size_t rank = 0; rank < loaded.size(); ++rank) {
      const auto& [name, tensor] = tensors[i];
      ASSERT_EQ(bytes_of(loaded[rank], name),
                bytes_by_counting(tensor, job.wanted[i].layout, static_cast<Rank>(rank)))
          << where << ", " << name << " " << describe(tensor) << " as "
          << to_string(job.wanted[i].layout) << " on rank " << rank;
    }
}

uint64_t byte_count(const NamedTensors& tensors) {
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += static_cast<uint64_t>(tensor.byte_count());
  return bytes;
}

Strategy rows_over(const NamedTensors& tensors, int ranks) {
  Strategy strategy;
  strategy.ranks_per_stage = ranks;
  for (const auto& [name, tensor] : tensors) {
    ParameterLayout& one = strategy.parameters.emplace_back();
    one.name = name;
    one.layout = replicated(make_mesh({{"tp", ranks}}), tensor.ndim());
    one.layout.dims[0] = {0};
  }
  index_parameters(strategy);
  return strategy;
}

TEST(LoadRanks, EveryRankGetsItsPartOfEveryTensorFromAnyFiles) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    MemoryJob from(seed);
    const NamedTensors tensors = from.tensors();
    const Strategy train = from.strategy(tensors);
    const std::vector<RankFile> files = from.cut(tensors, train);
    const int ranks = from.pick(1, 6);
    LoadJob job(from.files, ranks);
    job.want(tensors, from);
    // Each file is seen by one rank, all, or some.
    for (const RankFile& file : files) {
      const int keeper = from.pick(0, ranks - 1), hiding = from.pick(0, 100);
      for (int rank = 0; rank < ranks; ++rank)
        if (rank != keeper && from.pick(0, 99) < hiding)
          job.views[static_cast<size_t>(rank)]->hide(file.path.string());
    }
    LoadRanksOptions options;
    options.threads = from.pick(1, 2);
    options.replicas = static_cast<ReplicaCheck>(from.pick(0, 2));
    options.assign.sharing = static_cast<ReadSharing>(from.pick(0, 1));
    options.assign.round_bytes = from.pick(0, 1) == 0 ? 64 : uint64_t{32} << 20;
    expect_equal(job.load(files, &train, options), job, tensors, fmt::format("seed {}", seed));
  }
}

constexpr uint64_t kHeaderBytes = 32 << 10;  // of a rank: both ends of its files and headers

TEST(LoadRanks, AMergedFileIsReadOnceAndHandedToAllReplicas) {
  MemoryJob from(1);
  NamedTensors tensors{{"a", from.tensor(DType::kF32, {350, 500})},
                       {"b", from.tensor(DType::kBF16, {3})},
                       {"c", from.tensor(DType::kF16, {32, 9, 1000})}};
  const std::vector<RankFile> files = from.cut(tensors, Strategy{});
  constexpr int kRanks = 4;
  LoadJob job(from.files, kRanks);
  for (const auto& [name, tensor] : tensors)
    job.want(name, tensor, replicated(make_mesh({{"dp", kRanks}}), tensor.ndim()));
  const std::vector<LoadedRank> loaded = job.load(files, nullptr);
  expect_equal(loaded, job, tensors, "replicated");
  const uint64_t bytes = byte_count(tensors);
  EXPECT_EQ(total(loaded[0].ranks).read, bytes);
  EXPECT_EQ(total(loaded[0].ranks).held, kRanks * bytes);
  EXPECT_EQ(total(loaded[0].ranks).sent, (kRanks - 1) * bytes);
  EXPECT_GE(job.bytes_read(), bytes);
  EXPECT_LE(job.bytes_read(), bytes + kRanks * kHeaderBytes);
  for (const RankTraffic& rank : loaded[0].ranks) {
    EXPECT_GT(rank.read, bytes / kRanks / 2) << to_string(loaded[0]);
    EXPECT_LT(rank.read, bytes / kRanks * 2) << to_string(loaded[0]);
  }
}

TEST(LoadRanks, EachRankMaySeeNothingButItsOwnFile) {
  for (const auto& [before, after] : {std::pair(8, 6), std::pair(4, 3), std::pair(3, 8)}) {
    MemoryJob from(static_cast<uint32_t>(before));
    const NamedTensors tensors{{"a", from.tensor(DType::kF32, {101, 333})},
                               {"b", from.tensor(DType::kF32, {7})},
                               {"c", from.tensor(DType::kI8, {9, 11, 13})}};
    const Strategy train = rows_over(tensors, before);
    const std::vector<RankFile> files = from.cut(tensors, train);
    LoadJob job(from.files, after);
    const MeshPtr mesh = make_mesh({{"tp", after}});
    job.want("a", tensors[0].second, parse_layout("[-, tp]", mesh));
    job.want("b", tensors[1].second, parse_layout("[tp]", mesh));
    job.want("c", tensors[2].second, parse_layout("[tp, -, -]", mesh));
    for (const RankFile& file : files)
      for (int rank = 0; rank < after; ++rank)
        if (file.rank % after != rank)
          job.views[static_cast<size_t>(rank)]->hide(file.path.string());
    const std::vector<LoadedRank> loaded = job.load(files, &train);
    expect_equal(loaded, job, tensors, fmt::format("{} to {}", before, after));
    EXPECT_EQ(total(loaded[0].ranks).read, byte_count(tensors));
    EXPECT_EQ(total(loaded[0].ranks).held, byte_count(tensors)) << "nothing is a replica";
    EXPECT_LE(job.bytes_read(), byte_count(tensors) + 8 * kHeaderBytes);
  }
}

TEST(LoadRanks, AllFormatsAndSeveralFilesOfOneCheckpoint) {
  MemoryJob from(7);
  const NamedTensors tensors{{"a", from.tensor(DType::kF32, {33, 17})},
                             {"b", from.tensor(DType::kBF16, {12, 5})},
                             {"c", from.tensor(DType::kI32, {4})}};
  struct How {
    std::string suffix, key;
    CrcCheck crc = CrcCheck::kNo;
  };
  for (const How& how : {How{".ckpt", "", CrcCheck::kRequired}, How{".ckpt", "0123456789abcdef"},
                         How{".safetensors", ""}}) {
    std::vector<RankFile> files;
    for (const auto& [name, tensor] : tensors) {
      WriteOptions options;
      options.files = &from.files;
      options.key = how.key;
      options.crc = how.crc != CrcCheck::kNo;
      files.push_back({0, "parts/" + name + how.key + how.suffix});
      CheckpointWriter writer(files.back().path, options);
      writer.add(name, tensor);
      writer.finish();
    }
    LoadJob job(from.files, 3);
    job.want(tensors, from);
    job.views[0]->hide(files[1].path.string());
    job.views[1]->hide(files[2].path.string());
    job.views[2]->hide(files[0].path.string());
    LoadRanksOptions options;
    options.open.key = how.key;
    options.open.crc = how.crc;
    expect_equal(job.load(files, nullptr, options), job, tensors, how.suffix + how.key);
    if (how.key.empty()) continue;
    options.open.key = "another key, wha";
    EXPECT_NE(job.refusal(files, nullptr, options), "");
    for (const int rank : {0, 1})
      job.views[static_cast<size_t>(rank)]->hide(files[0].path.string());
    options.open.key = how.key;
    expect_words(job.refusal(files, nullptr, options), {"none of the 3 ranks", "parts/a"});
  }
}

TEST(LoadRanks, StoredTensorsAreRenamedAndConvertedAsMatchingSays) {
  MemoryJob from(8);
  Tensor stored(DType::kF32, {6, 4, 1});
  for (float& value : stored.mutable_data<float>()) value = static_cast<float>(from.pick(-9, 9));
  const std::vector<RankFile> files = from.cut({{"net.fc.w", stored}}, Strategy{});
  LoadJob job(from.files, 3);
  const Tensor wanted = stored.cast(DType::kF16).reshape({6, 4});
  job.want("w", wanted, parse_layout("{tp=3} [-, tp]"));
  expect_words(job.refusal(files, nullptr), {"no 'w'"});
  LoadRanksOptions options;
  options.match.prefix = "net.";
  options.match.renaming.rules = {{"*.fc.*", "*.*"}};
  expect_words(job.refusal(files, nullptr, options), {"'w'", "f32[6,4,1]", "--lenient"});
  options.match.lenient = true;
  expect_equal(job.load(files, nullptr, options), job, {{"w", wanted}}, "lenient");
}

TEST(LoadRanks, FilesAreFoundByRanksThatSeeOnlySomeOfThem) {
  MemoryJob from(4);
  const NamedTensors tensors{{"w", from.tensor(DType::kF32, {9, 4})}};
  const Strategy train = rows_over(tensors, 3);
  const std::vector<RankFile> files = from.cut(tensors, train);
  std::vector<std::string> listed;
  for (const RankFile& file : files) listed.push_back(file.path.string());
  for (const std::vector<std::string>& sources : {listed, std::vector<std::string>{"job"}}) {
    LoadJob job(from.files, 2);
    job.want(tensors, from);
    MemoryFileSystem own[2];
    for (const RankFile& file : files)
      own[file.rank % 2].put(file.path, from.files.content(file.path));
    std::vector<LoadedRank> loaded(2);
    run_world({.ranks = 2, .timeout_seconds = 30}, [&](Communicator& world) {
      LoadRanksOptions options;
      options.open.files = &own[world.rank()];
      const FindOptions find{.files = options.open.files, .may_be_absent = true};
      loaded[static_cast<size_t>(world.rank())] =
          load_ranks(world, find_rank_files(sources, find), &train, job.wanted, options);
    });
    expect_equal(loaded, job, tensors, sources[0]);
  }
}

TEST(LoadRanks, ARankThatHoldsNothingOfATensorGetsNothing) {
  MemoryJob from(2);
  const NamedTensors tensors{{"first", from.tensor(DType::kF32, {6})},
                             {"last", from.tensor(DType::kF32, {6})}};
  const std::vector<RankFile> files = from.cut(tensors, Strategy{});
  LoadJob job(from.files, 4);
  job.want("first", tensors[0].second, parse_layout("{tp=2} [tp]"));
  job.want("last", tensors[1].second, parse_layout("{tp=2 @ 2-3} [tp]"));
  const std::vector<LoadedRank> loaded = job.load(files, nullptr);
  EXPECT_EQ(loaded[0].tensors.size(), 1U);
  EXPECT_EQ(loaded[0].tensors.count("first"), 1U);
  EXPECT_EQ(loaded[3].tensors.count("last"), 1U);
  EXPECT_EQ(loaded[3].tensors.size(), 1U);
  expect_equal(loaded, job, tensors, "stages");
}

/// Four ranks, rows of two tensors over as many files.
class LoadFaults : public ::testing::Test {
 protected:
  LoadFaults()
      : from_(3),
        tensors_{{"w", from_.tensor(DType::kF32, {40, 6})}, {"v", from_.tensor(DType::kF32, {8})}},
        train_(rows_over(tensors_, 4)),
        files_(from_.cut(tensors_, train_)),
        job_(from_.files, 4) {
    const MeshPtr mesh = make_mesh({{"tp", 4}});
    job_.want("w", tensors_[0].second, parse_layout("[-, tp]", mesh));
    job_.want("v", tensors_[1].second, parse_layout("[-]", mesh));
  }
  std::string refusal(const LoadRanksOptions& options = {}) {
    return job_.refusal(files_, &train_, options);
  }
  void hide_from_all(Rank file) {
    for (const auto& view : job_.views) view->hide(files_[static_cast<size_t>(file)].path.string());
  }

  MemoryJob from_;
  NamedTensors tensors_;
  Strategy train_;
  std::vector<RankFile> files_;
  LoadJob job_;
};

TEST_F(LoadFaults, AFileThatNoRankSeesIsNamed) {
  EXPECT_EQ(refusal(), "");
  hide_from_all(2);
  expect_words(refusal(), {"the file of rank 2", "job/rank_2", "none of the 4 ranks"});
}

TEST_F(LoadFaults, ASliceThatNoFileHoldsIsNamed) {
  files_.erase(files_.begin() + 1);
  expect_words(refusal(), {"parts of 2 tensors are lost", "'w'", "of rank 1", "no file of rank 1"});
}

TEST_F(LoadFaults, TwoRanksThatSeeDifferentFilesOfOneRankAreNamed) {
  MemoryFileSystem other;
  std::string content = from_.files.content(files_[1].path);
  content.back() ^= 1;
  other.put(files_[1].path, content);
  for (const RankFile& file : files_)
    if (file.rank != 1) other.put(file.path, from_.files.content(file.path));
  job_.views[2] = std::make_unique<RankView>(other);
  expect_words(refusal(), {"rank 0 and rank 2 see different files of rank 1", "job/rank_1"});
  other.put(files_[1].path, content + "more");
  expect_words(refusal(), {"rank 0 and rank 2 see different files of rank 1", "bytes"});
}

TEST_F(LoadFaults, ATruncatedFileEndsTheLoad) {
  const std::string content = from_.files.content(files_[3].path);
  from_.files.put(files_[3].path, content.substr(0, content.size() - 5));
  expect_words(refusal(), {"the file of rank 3"});
  from_.files.put(files_[3].path, content.substr(0, 20));
  expect_words(refusal(), {"the file of rank 3"});
  from_.files.put(files_[3].path, "");
  expect_words(refusal(), {"the file of rank 3", "empty"});
}

TEST_F(LoadFaults, AReadThatFailsEndsTheLoadOfAllRanks) {
  for (uint64_t read = 0; read < 40; ++read) {
    job_.views[1] = std::make_unique<RankView>(from_.files, Faults{.failing_read = read});
    const std::string error = refusal();
    if (error.empty()) {
      EXPECT_GT(read, 8U);
      return;
    }
    expect_words(error, {"bad sector"});
  }
  FAIL() << "it never gets through";
}

TEST_F(LoadFaults, AMissingParameterIsAnErrorUnlessItIsAllowed) {
  job_.want("missing", tensors_[1].second, parse_layout("{tp=4} [tp]"));
  expect_words(refusal(), {"no 'missing' (f32[8])"});
  LoadRanksOptions options;
  options.match.allow = {"missing"};
  const std::vector<LoadedRank> loaded = job_.load(files_, &train_, options);
  EXPECT_EQ(loaded[2].match.not_loaded, std::vector<std::string>{"missing"});
  EXPECT_EQ(loaded[2].tensors.count("missing"), 0U);
  EXPECT_EQ(loaded[2].tensors.count("w"), 1U);
}

TEST_F(LoadFaults, AShapeThatDoesNotFitIsAnError) {
  job_.wanted[0].parameter.shape = {40, 7};
  expect_words(refusal(), {"'w'", "f32[40,6]", "f32[40,7]"});
}

TEST_F(LoadFaults, AMeshLargerThanTheJobIsAnError) {
  job_.wanted[0].layout = parse_layout("{tp=5} [-, tp]");
  expect_words(refusal(), {"'w'", "rank 4", "4 ranks"});
}

TEST_F(LoadFaults, ReplicasThatDifferAreAnErrorWhoeverReadsThem) {
  // `v` whole in every file, and another one in the last.
  train_.parameters.pop_back();
  index_parameters(train_);
  for (const bool is_apart : {false, true}) {
    NamedTensors own = tensors_;
    from_.cut(own, train_);
    EXPECT_EQ(refusal(), "");
    own[1].second = tensors_[1].second.clone();
    own[1].second.mutable_bytes()[5] ^= std::byte{1};
    MemoryJob other(9);
    other.cut(own, train_);
    from_.files.put(files_[3].path, other.files.content(files_[3].path));
    for (Rank rank = 0; rank < 4; ++rank)
      for (const RankFile& file : files_)
        if (is_apart && file.rank != rank)
          job_.views[static_cast<size_t>(rank)]->hide(file.path.string());
    expect_words(refusal(), {"'v' f32[8] differs", "job/rank_3", "no strategy names it"});
    LoadRanksOptions options;
    options.replicas = ReplicaCheck::kNone;
    EXPECT_EQ(refusal(options), "");
  }
}

TEST_F(LoadFaults, RanksThatWantDifferentThingsAreToldSo) {
  const auto differ = [&](Communicator& world) {
    LoadRanksOptions own;
    own.open.files = job_.views[static_cast<size_t>(world.rank())].get();
    own.match.prefix = world.rank() == 3 ? "net." : "";
    load_ranks(world, files_, &train_, job_.wanted, own);
  };
  try {
    run_world({.ranks = 4, .timeout_seconds = 30}, differ);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kComm);
    expect_words(error.what(), {"arguments of loading", "net.", "rank 3"});
  }
}

}  // namespace
}  // namespace tessera
