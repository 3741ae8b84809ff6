// Learning rates against MindSpore 2.10's functions of the same names; the numbers are what those
// gave for these arguments.
#include "tessera/train/schedule.h"

#include <gtest/gtest.h>

#include "tessera/base/error.h"
#include "tessera/train/optimizer.h"

namespace tessera {
namespace {

void expect_rates(std::string_view text, const std::vector<double>& wanted) {
  const Schedule schedule = parse_schedule(text);
  for (size_t step = 0; step < wanted.size(); ++step)
    EXPECT_NEAR(schedule.rate(static_cast<int64_t>(step)), wanted[step], 1e-12)
        << text << " at step " << step;
}

TEST(Schedule, GivesMindSporesRates) {
  expect_rates("exponential_decay(learning_rate=0.1,decay_rate=0.9,decay_epoch=2,step_per_epoch=2)",
               {0.1, 0.1, 0.09486832980505139, 0.09486832980505139, 0.09000000000000001,
                0.09000000000000001, 0.08538149682454625});
  expect_rates(
      "exponential_decay(learning_rate=0.1,decay_rate=0.9,decay_epoch=2,step_per_epoch=2,is_stair="
      "true)",
      {0.1, 0.1, 0.1, 0.1, 0.09000000000000001, 0.09000000000000001, 0.09000000000000001});
  expect_rates(
      "natural_exp_decay(learning_rate=0.1,decay_rate=0.3,decay_epoch=2,step_per_epoch=2,is_stair="
      "true)",
      {0.1, 0.1, 0.1, 0.1, 0.05488116360940265, 0.05488116360940265, 0.05488116360940265});
  expect_rates("natural_exp_decay(learning_rate=0.1,decay_rate=0.3,decay_epoch=2,step_per_epoch=2)",
               {0.1, 0.1, 0.0740818220681718, 0.0740818220681718, 0.05488116360940265,
                0.05488116360940265, 0.04065696597405992});
  expect_rates("inverse_decay(learning_rate=0.1,decay_rate=0.5,decay_epoch=2,step_per_epoch=1)",
               {0.1, 0.08, 0.06666666666666667, 0.05714285714285715, 0.05, 0.044444444444444446});
  expect_rates(
      "inverse_decay(learning_rate=0.1,decay_rate=0.5,decay_epoch=2,step_per_epoch=1,is_stair="
      "true)",
      {0.1, 0.1, 0.06666666666666667, 0.06666666666666667, 0.05, 0.05});
  expect_rates(
      "cosine_decay(min_lr=0.01,max_lr=0.1,step_per_epoch=2,decay_epoch=3)",
      {0.1, 0.1, 0.0775, 0.0775, 0.032500000000000015, 0.032500000000000015, 0.01, 0.01, 0.01});
  expect_rates(
      "polynomial_decay(learning_rate=0.1,end_learning_rate=0.01,step_per_epoch=2,decay_epoch=2,"
      "power=0.5)",
      {0.1, 0.1, 0.07363961030678928, 0.07363961030678928, 0.01, 0.01, 0.01, 0.01});
  expect_rates(
      "polynomial_decay(learning_rate=0.1,end_learning_rate=0.01,step_per_epoch=1,decay_epoch=2,"
      "power=2,update_decay_epoch=true)",
      {0.1, 0.0325, 0.01, 0.015625});
  expect_rates("warmup(learning_rate=0.1,warmup_epoch=2,step_per_epoch=2)",
               {0.0, 0.0, 0.05, 0.05, 0.1, 0.1, 0.1});
  expect_rates("piecewise_constant(milestone=[2,5],rates=\"0.1 0.05\")",
               {0.1, 0.1, 0.05, 0.05, 0.05});
}

TEST(Schedule, PartsFollowEachOther) {
  expect_rates("0.5 for 2 then warmup(learning_rate=0.1,warmup_epoch=2)", {0.5, 0.5, 0, 0.05, 0.1});
  EXPECT_TRUE(parse_schedule("0.1").is_constant());
  EXPECT_FALSE(parse_schedule("0.1 for 3 then 0.2").is_constant());
}

TEST(Schedule, WhatMeansNothingIsRefused) {
  for (const char* text : {"", "-1", "nan", "cosine", "cosine_decay(max_lr=0)", "0.1 for 3",
                           "0.1 then 0.2", "0.1 for x then 1", "cosine_decay(min_lr=1,max_lr=0.5)",
                           "piecewise_constant(milestone=[3,2],rates=\"0.1 0.2\")",
                           "exponential_decay(decay_epoch=0)", "warmup(epochs=3)"})
    EXPECT_THROW((void)parse_schedule(text), Error) << text;
}

TEST(Optimizer, TextsReadBack) {
  for (const std::string text :
       {"momentum", "adam(beta1=0.8)", "sgd(learning_rate=0.5,momentum=0.9)", "lamb",
        "rms_prop(centered=true)", "adagrad(learning_rate=cosine_decay(max_lr=0.2,decay_epoch=9))"})
    EXPECT_EQ(to_string(parse_optimizer(text)), text);
  EXPECT_EQ(parse_optimizer("Momentum").definition->name, "momentum") << "MindSpore's name";
}

}  // namespace
}  // namespace tessera
