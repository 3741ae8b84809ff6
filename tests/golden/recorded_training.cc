#include "tests/golden/recorded_training.h"

#include "tessera/io/file.h"
#include "tests/support/made_weights.h"
#include "tests/support/shared_data.h"
#include "tests/training/digits_run.h"

namespace tessera::testing {

const Json& recorded_runs() {
  static const Json json = parse_json(read_text(shared_data() / "mindspore/train/train.json"));
  return json.at("cases");
}

Model recorded_lenet(const RunOptions& options) {
  Model model = Model::open({.model = "lenet5"}, options);
  for (const NetworkParameter& parameter : model.parameters())
    model.set_weight(parameter.name, made_parameter(parameter.name, parameter.shape, 3));
  return model;
}

Pipeline mnist_batches(const Model& model, int64_t rows) {
  return Pipeline(open_rows("mnist:" + (shared_data() / "mnist/train").string()))
      .map(model.spec().model->transforms[0].transforms)
      .batch(rows, true);
}

std::vector<double> losses_of(Trainer& trainer, const Pipeline& rows) {
  Losses losses;
  const std::vector<Callback*> callbacks = {&losses};
  trainer.train(1, rows, callbacks);
  return losses.all;
}

void PrintTo(const RecordedRun& run, std::ostream* out) {
  *out << run.name;
}

std::vector<RecordedRun> recorded_lenet_runs() {
  const auto rate = [](double value) { return std::optional(Schedule(value)); };
  // MindSpore's CPU kernel takes use_nesterov and computes without.
  return {
      {"lenet_momentum", {.optimizer = "momentum(learning_rate=0.01,momentum=0.9)"}},
      {"lenet_momentum_wd_nesterov",
       {.optimizer = "momentum(learning_rate=0.02,momentum=0.9,weight_decay=5e-4)"}},
      {"lenet_sgd",
       {.optimizer = "sgd(learning_rate=0.05,momentum=0.8,dampening=0.1,weight_decay=1e-4)"}},
      {"lenet_adam", {.optimizer = "adam(learning_rate=1e-3)"}},
      {"lenet_adam_wd", {.optimizer = "adam_weight_decay(learning_rate=1e-3,weight_decay=0.01)"}},
      {"lenet_rmsprop", {.optimizer = "rms_prop(learning_rate=1e-3)"}},
      {"lenet_adagrad", {.optimizer = "adagrad(learning_rate=0.01)"}},
      {"lenet_cosine",
       {.optimizer = "momentum(learning_rate=cosine_decay(min_lr=1e-4,max_lr=0.05,"
                     "step_per_epoch=10,decay_epoch=6),momentum=0.9)"}},
      {"lenet_two_groups",
       {.optimizer = "momentum(learning_rate=0.02,momentum=0.9,weight_decay=1e-3)",
        .groups = {{"*.bias", rate(0.01), 0.0}}}}};
}

std::vector<double> losses_of(const RecordedRun& run, const RunOptions& options) {
  Model model = recorded_lenet(options);
  Trainer trainer(model, run.options);
  const int64_t batch = recorded_runs().at(run.name).at("batch").as_int();
  return losses_of(trainer, mnist_batches(model, batch).limit(30 * batch));
}

}  // namespace tessera::testing
