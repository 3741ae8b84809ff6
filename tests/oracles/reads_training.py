"""What a training by Tessera leaves, read by MindSpore itself.

usage: reads_training.py whole FILE        a checkpoint of lenet5: into the network, and into MindSpore's training cell
       reads_training.py slices DIR WHOLE  rank_<i>_ckpt folders and strategy.ckpt: transformed to one rank, compared
"""
import pathlib
import shutil
import sys
import tempfile

import mindspore as ms
import numpy as np
from mindspore import nn

NUMBERS = ["epoch_num", "step_num", "batches_in_epoch"]  # that are no tensors of the training cell


class LeNet5(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, pad_mode="valid")
        self.conv2 = nn.Conv2d(6, 16, 5, pad_mode="valid")
        self.fc1 = nn.Dense(400, 120)
        self.fc2 = nn.Dense(120, 84)
        self.fc3 = nn.Dense(84, 10)


def whole(path):
    stored = ms.load_checkpoint(path)
    net = LeNet5()
    missing, _ = ms.load_param_into_net(net, stored, strict_load=True)
    assert not missing, missing
    optimizer = nn.Momentum(net.trainable_params(), 0.01, 0.9)
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    cell = nn.TrainOneStepCell(nn.WithLossCell(net, loss), optimizer)
    missing, unused = ms.load_param_into_net(cell, stored, strict_load=True)
    assert not missing and unused == NUMBERS, (missing, unused)
    names = [name for name in stored if name not in unused]
    assert names == [p.name for p in cell.get_parameters()], names


def slices(folder, whole_file):
    folder = pathlib.Path(folder)
    with tempfile.TemporaryDirectory() as made:
        made = pathlib.Path(made)
        for rank in sorted(folder.glob("rank_*_ckpt")):
            number = rank.name.split("_")[1]
            shutil.copytree(rank, made / "from" / f"rank_{number}")
        ms.transform_checkpoints(str(made / "from"), str(made / "to"), "whole", str(folder / "strategy.ckpt"), None)
        (found,) = (made / "to").glob("rank_0/*.ckpt")
        found = ms.load_checkpoint(str(found))
    wanted = ms.load_checkpoint(whole_file)
    for name, values in wanted.items():
        if name not in NUMBERS:
            assert np.array_equal(found[name].asnumpy(), values.asnumpy()), name


{"whole": whole, "slices": slices}[sys.argv[1]](*sys.argv[2:])
print("equal")
