#!/usr/bin/env python3
"""Trains LeNet-5 with MindSpore on the digits that make_digits wrote, and saves what it learned.

    make_digits DIR
    python train_mindspore.py DIR OUT

OUT receives lenet5_digits.ckpt (the network alone: 247,012 bytes) and expected.json with what MindSpore's
Model.eval says of it on DIR/test. MindSpore 2.10 on CPU; the images are prepared as the model zoo prepares
MNIST. With --eval-only the checkpoint in OUT is evaluated and nothing is trained.
"""
import argparse
import hashlib
import json
import pathlib

import mindspore as ms
import mindspore.dataset as ds
from mindspore import nn
from mindspore.common.initializer import Normal
from mindspore.dataset import transforms, vision


class LeNet5(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, pad_mode="valid")
        self.conv2 = nn.Conv2d(6, 16, 5, pad_mode="valid")
        self.relu = nn.ReLU()
        self.max_pool2d = nn.MaxPool2d(kernel_size=2, stride=2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Dense(16 * 5 * 5, 120, weight_init=Normal(0.02))
        self.fc2 = nn.Dense(120, 84, weight_init=Normal(0.02))
        self.fc3 = nn.Dense(84, 10, weight_init=Normal(0.02))

    def construct(self, x):
        x = self.max_pool2d(self.relu(self.conv1(x)))
        x = self.max_pool2d(self.relu(self.conv2(x)))
        x = self.relu(self.fc1(self.flatten(x)))
        return self.fc3(self.relu(self.fc2(x)))


def rows(folder, batch, shuffle):
    data = ds.MnistDataset(str(folder), shuffle=shuffle, num_parallel_workers=1)
    steps = [
        vision.Resize((32, 32), vision.Inter.LINEAR),
        vision.Rescale(1 / 255, 0.0),
        vision.Rescale(1 / 0.3081, -0.1307 / 0.3081),
        vision.HWC2CHW(),
    ]
    data = data.map(steps, "image", num_parallel_workers=1)
    data = data.map(transforms.TypeCast(ms.int32), "label", num_parallel_workers=1)
    return data.batch(batch, drop_remainder=shuffle)


class CountCorrect(nn.Metric):
    def clear(self):
        self.correct = 0

    def update(self, *inputs):
        logits, labels = inputs[0].asnumpy(), inputs[1].asnumpy()
        self.correct += int((logits.argmax(1) == labels).sum())

    def eval(self):
        return self.correct


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("digits", type=pathlib.Path, help="the folder that make_digits wrote")
    parser.add_argument("out", type=pathlib.Path, help="where the checkpoint and expected.json go")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--eval-only", action="store_true")
    options = parser.parse_args()

    ms.set_seed(1)
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
    network = LeNet5()
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    checkpoint = options.out / "lenet5_digits.ckpt"
    train = rows(options.digits / "train", 32, shuffle=True)
    if options.eval_only:
        ms.load_param_into_net(network, ms.load_checkpoint(str(checkpoint)))
    else:
        rate = nn.cosine_decay_lr(0.0, 0.02, options.epochs * train.get_dataset_size(), train.get_dataset_size(), options.epochs)
        optimizer = nn.Momentum(network.trainable_params(), rate, 0.9)
        ms.Model(network, loss, optimizer).train(options.epochs, train, callbacks=[ms.LossMonitor(train.get_dataset_size())])
        ms.save_checkpoint(network, str(checkpoint))

    metrics = {"accuracy": nn.Accuracy(), "loss": nn.Loss(), "correct": CountCorrect()}
    test = rows(options.digits / "test", 32, shuffle=False)
    result = ms.Model(network, loss, metrics=metrics).eval(test)
    print(f"============== {result} ==============")
    expected = {
        "accuracy": float(result["accuracy"]),
        "correct": result["correct"],
        "rows": round(result["correct"] / result["accuracy"]),
        "loss": float(result["loss"]),
        "batch": 32,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
    }
    (options.out / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
