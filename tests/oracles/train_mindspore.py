#!/usr/bin/env python3
"""Runs a recorded training once more in MindSpore and prints by how much of a loss it leaves the record.

  python train_mindspore.py DATA lenet_cosine            # DATA: the folder with mnist/ and mindspore/train
  DNNL_MAX_CPU_ISA=AVX2 python train_mindspore.py DATA lenet_cosine

MindSpore's sums follow the processor, so it leaves its own record where the last bit decides.
"""
import gzip
import json
import pathlib
import shutil
import sys
import tempfile

import mindspore as ms
import mindspore.dataset as ds
import mindspore.dataset.vision as vision
import numpy as np
from mindspore import Tensor, nn, ops

from zoo_mindspore import made, uniform

STEPS, ROWS = 30, 32


class LeNet5(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, pad_mode="valid")
        self.conv2 = nn.Conv2d(6, 16, 5, pad_mode="valid")
        self.pool, self.flatten = nn.MaxPool2d(2, 2), nn.Flatten()
        self.fc1, self.fc2, self.fc3 = nn.Dense(400, 120), nn.Dense(120, 84), nn.Dense(84, 10)

    def construct(self, x):
        x = self.pool(ops.relu(self.conv1(x)))
        x = self.flatten(self.pool(ops.relu(self.conv2(x))))
        return self.fc3(ops.relu(self.fc2(ops.relu(self.fc1(x)))))


class BnNet(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, 2, pad_mode="same"), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3, 2, pad_mode="same"), nn.BatchNorm2d(16)
        self.down, self.bn3 = nn.Conv2d(8, 16, 1, 2, pad_mode="same"), nn.BatchNorm2d(16)
        self.fc = nn.Dense(16, 10)

    def construct(self, x):
        x = ops.relu(self.bn1(self.conv1(x)))
        return self.fc(ops.relu(self.bn2(self.conv2(x)) + self.bn3(self.down(x))).mean((2, 3)))


def first(name, shape):
    """The weights that the README beside the record says."""
    if name.endswith("moving_mean"):
        return np.zeros(shape, np.float32)
    if name.endswith("moving_variance"):
        return np.ones(shape, np.float32)
    if len(shape) < 2:
        return made(name, shape)
    u = uniform(name, int(np.prod(shape))).reshape(shape)
    return (2 * u - 1) * np.float32(np.sqrt(3.0 / np.prod(shape[1:])))


RUNS = {
    "lenet_momentum": (LeNet5, lambda p: nn.Momentum(p, 0.01, 0.9)),
    "lenet_cosine": (LeNet5, lambda p: nn.Momentum(p, nn.cosine_decay_lr(1e-4, 0.05, 60, 10, 6), 0.9)),
    "lenet_adam": (LeNet5, lambda p: nn.Adam(p, 1e-3)),
    "lenet_adam_wd": (LeNet5, lambda p: nn.AdamWeightDecay(p, 1e-3, weight_decay=0.01)),
    "bn_momentum": (BnNet, lambda p: nn.Momentum(p, 0.05, 0.9)),
}


def batches(folder):
    with tempfile.TemporaryDirectory() as plain:
        for packed in pathlib.Path(folder).glob("train-*.gz"):
            with gzip.open(packed) as source, open(pathlib.Path(plain) / packed.stem, "wb") as target:
                shutil.copyfileobj(source, target)
        steps = [vision.Resize((32, 32), vision.Inter.LINEAR), vision.Rescale(1 / 255, 0.0),
                 vision.Rescale(1 / 0.3081, -0.1307 / 0.3081), vision.HWC2CHW()]
        rows = ds.MnistDataset(plain, num_samples=STEPS * ROWS, shuffle=False).map(steps, "image").batch(ROWS)
        yield from rows.create_tuple_iterator(num_epochs=1)


def main(data, name):
    data = pathlib.Path(data)
    losses = json.loads((data / "mindspore/train/train.json").read_text())["cases"][name]["losses"]
    ms.set_context(mode=ms.PYNATIVE_MODE, device_target="CPU")
    network, optimizer = RUNS[name][0](), RUNS[name][1]
    for parameter in network.get_parameters():
        parameter.set_data(Tensor(first(parameter.name, parameter.shape)))
    loss = nn.WithLossCell(network, nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean"))
    step = nn.TrainOneStepCell(loss, optimizer(network.trainable_params())).set_train()
    for i, (rows, labels) in enumerate(batches(data / "mnist")):
        found = float(step(rows, labels.astype(ms.int32)).asnumpy())
        print(f"step {i + 1:2}: {found:.7f}  {found / losses[i] - 1:+.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
