// A training that is killed at any moment leaves whole checkpoints only, and going on from the last
// one gives the bits of a run that was not killed.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

#include "tests/support/run_program.h"
#include "tests/support/scratch_folder.h"

namespace tessera::testing {
namespace {

const std::string kRun =
    "\"$TESSERA_PROGRAM\" train lenet5 --data digits:train --limit 960 --epochs 2 --seed 2 "
    "--threads 1 --quiet --save-steps 1 --keep 3 ";

TEST(Killed, TrainingGoesOnAsIfItHadNotBeen) {
  const ScratchFolder folder("killed");
  const std::string at = folder.path().string();
  ASSERT_EQ(shell(kRun + "--save " + at + "/whole").status, 0);
  std::mt19937 random(std::random_device{}());
  int gone_on = 0;
  for (int trial = 0; trial < 4; ++trial) {
    const std::string cut = fmt::format("{}/cut{}", at, trial);
    const double seconds = 0.05 + 0.3 * std::uniform_real_distribution<>()(random);
    SCOPED_TRACE(fmt::format("killed after {} s", seconds));
    shell(fmt::format("timeout -s KILL {} {}--save {}", seconds, kRun, cut));
    const Outcome last = shell("ls " + cut + "/*.ckpt 2>/dev/null | sort -V | tail -1");
    const std::string file = last.out.substr(0, last.out.find('\n'));
    if (file.empty() || file.ends_with("-2_30.ckpt")) continue;  // before the first, after the last
    for (const std::string& command :
         {std::string("for f in ") + cut +
              "/*.ckpt; do \"$TESSERA_PROGRAM\" verify \"$f\" || exit 1; done",
          kRun + "--resume " + file + " --save " + cut + "/on",
          "\"$TESSERA_PROGRAM\" diff " + at + "/whole/lenet5-2_30.ckpt " + cut +
              "/on/lenet5-2_30.ckpt"}) {
      const Outcome outcome = shell(command);
      EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.out << outcome.err;
    }
    ++gone_on;
  }
  RecordProperty("gone_on", gone_on);
}

// A limit of file sizes stands for a full disk: the file has 480 KiB.
TEST(FullDisk, EndsATrainingOrIsSurvivedAndLeavesNoTornFile) {
  const ScratchFolder folder("full_disk");
  const std::string at = folder.path().string();
  const std::string full = "trap '' XFSZ; ulimit -f 200; " + kRun;
  for (const std::string more : {"", "--async-save "}) {
    const Outcome ended = shell(full + more + "--save " + at + "/ended");
    EXPECT_EQ(ended.status, 1) << ended.out;
    EXPECT_NE(ended.err.find("lenet5-1_1.ckpt"), std::string::npos) << ended.err;
    EXPECT_EQ(shell("ls -A " + at + "/ended").out, "") << more;
    const Outcome survived = shell(full + more + "--survive-save-errors --save " + at + "/on");
    EXPECT_EQ(survived.status, 0) << survived.err;
    EXPECT_NE(survived.err.find("lenet5-2_30.ckpt was not saved"), std::string::npos);
    EXPECT_EQ(shell("ls -A " + at + "/on").out, "") << more;
  }
}

}  // namespace
}  // namespace tessera::testing
