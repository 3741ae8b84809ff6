#!/usr/bin/env python3
"""Makes the golden files of tests/golden/zoo with MindSpore: for each network the names and shapes of its
parameters in MindSpore's order, and the logits of weights that are made by a rule from the names.

    python3 tests/oracles/zoo_mindspore.py tests/golden/zoo [NETWORK ...]

The networks are written down here a second time, from what MindSpore's model zoo says about each (names, widths,
pads, epsilons), and share nothing with tessera/zoo. Needs mindspore (2.x, CPU) and numpy.
"""
import sys
from collections import OrderedDict
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops

CLASSES = 10


def uniform(key, count):
    """`count` numbers in [0,1): splitmix64 seeded with FNV-1a of the key, the upper 24 bits of each."""
    seed = 0xCBF29CE484222325
    for byte in key.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def made(name, shape):
    """A parameter's values; see tests/support/made_weights.h."""
    u = uniform(name, int(np.prod(shape)))
    t = np.float32(2) * u - np.float32(1)
    last = name.rsplit(".", 1)[-1]
    if last == "gamma":
        values = np.float32(1) + np.float32(0.1) * t
    elif last == "moving_variance":
        values = np.float32(1) + np.float32(0.5) * u
    elif last == "moving_mean" or len(shape) < 2:
        values = np.float32(0.1) * t
    else:
        values = t * np.float32(np.sqrt(6.0 / np.prod(shape[1:])))
    return values.reshape(shape).astype(np.float32)


def conv(i, o, k, stride=1, pad=None, group=1, bias=False, mode="same"):
    if pad is not None:
        return nn.Conv2d(i, o, k, stride, pad_mode="pad", padding=pad, group=group, has_bias=bias)
    return nn.Conv2d(i, o, k, stride, pad_mode=mode, group=group, has_bias=bias)


def mean_of_channels(x):
    return ops.ReduceMean(keep_dims=False)(x, (2, 3))


class Vgg16(nn.Cell):
    def __init__(self, batch_norm, bias, side):
        super().__init__()
        layers, i = [], 3
        for widths in ([64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3):
            for o in widths:
                layers.append(conv(i, o, 3, bias=bias))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(o))
                layers.append(nn.ReLU())
                i = o
            layers.append(nn.MaxPool2d(2, 2))
        self.layers = nn.SequentialCell(layers)
        self.flatten = nn.Flatten()
        drop = lambda: nn.Dropout(p=0.5)
        self.classifier = nn.SequentialCell([
            nn.Dense(512 * (side // 32)**2, 4096), nn.ReLU(), drop(),
            nn.Dense(4096, 4096), nn.ReLU(), drop(), nn.Dense(4096, CLASSES)])

    def construct(self, x):
        return self.classifier(self.flatten(self.layers(x)))


class Style:
    """How a ResNet pads, and the epsilons of stem, blocks and shortcuts."""

    def __init__(self, symmetric, stem, block, shortcut):
        self.symmetric, self.stem, self.block, self.shortcut = symmetric, stem, block, shortcut

    def conv(self, i, o, k, stride=1):
        return conv(i, o, k, stride, pad=k // 2 if self.symmetric else None)

    def pool(self):
        if self.symmetric:
            return nn.MaxPool2d(3, 2, pad_mode="pad", padding=1)
        return nn.MaxPool2d(3, 2, pad_mode="same")


ZOO = Style(False, 1e-4, 1e-4, 1e-4)
RES_BASE = Style(True, 1e-5, 1e-4, 1e-5)
TORCHVISION = Style(True, 1e-5, 1e-5, 1e-5)


def bn(c, eps=1e-4):
    return nn.BatchNorm2d(c, eps=eps)


class Basic(nn.Cell):
    def __init__(self, i, o, stride, style, **_):
        super().__init__()
        self.conv1 = style.conv(i, o, 3, stride)
        self.bn1d = bn(o, style.block)
        self.conv2 = style.conv(o, o, 3)
        self.bn2d = bn(o, style.block)
        self.down = i != o or stride != 1
        if self.down:
            self.down_sample_layer = nn.SequentialCell([style.conv(i, o, 1, stride), bn(o, style.shortcut)])

    def construct(self, x):
        y = ops.relu(self.bn1d(self.conv1(x)))
        y = self.bn2d(self.conv2(y))
        return ops.relu(y + (self.down_sample_layer(x) if self.down else x))


class Bottleneck(nn.Cell):
    def __init__(self, i, o, stride, style, se_net=False, excite=False):
        super().__init__()
        self.excite = excite
        self.pooled = se_net and stride == 2
        c = o // 4
        self.conv1 = conv(i, c, 1)
        self.bn1 = bn(c, style.block)
        if self.pooled:
            self.e2 = nn.SequentialCell([conv(c, c, 3), bn(c, style.block), nn.ReLU(), nn.MaxPool2d(2, 2, pad_mode="same")])
        else:
            self.conv2 = style.conv(c, c, 3, stride)
            self.bn2 = bn(c, style.block)
        self.conv3 = conv(c, o, 1)
        self.bn3 = bn(o, style.block)
        if excite:
            self.se_dense_0 = nn.Dense(o, o // 4)
            self.se_dense_1 = nn.Dense(o // 4, o)
        self.down = i != o or stride != 1
        if self.pooled:
            self.down_sample_layer = nn.SequentialCell(
                [nn.MaxPool2d(2, 2, pad_mode="same"), conv(i, o, 1), bn(o, style.shortcut)])
        elif self.down:
            self.down_sample_layer = nn.SequentialCell([style.conv(i, o, 1, stride), bn(o, style.shortcut)])

    def construct(self, x):
        y = ops.relu(self.bn1(self.conv1(x)))
        y = self.e2(y) if self.pooled else ops.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.excite:
            s = ops.relu(self.se_dense_0(mean_of_channels(y)))
            s = ops.sigmoid(self.se_dense_1(s))
            y = y * ops.reshape(s, s.shape + (1, 1))
        return ops.relu(y + (self.down_sample_layer(x) if self.down else x))


class ResNet(nn.Cell):
    def __init__(self, block, depths, width, style=ZOO, se_net=False):
        super().__init__()
        self.se_net = se_net
        if se_net:
            self.conv1_0 = conv(3, 32, 3, 2)
            self.bn1_0 = bn(32)
            self.conv1_1 = conv(32, 32, 3)
            self.bn1_1 = bn(32)
            self.conv1_2 = conv(32, 64, 3)
        else:
            self.conv1 = style.conv(3, 64, 7, 2)
        self.bn1 = bn(64, style.stem)
        self.maxpool = style.pool()
        i = 64
        for stage, depth in enumerate(depths):
            o, blocks = width << stage, []
            for b in range(depth):
                blocks.append(block(i, o, 2 if stage > 0 and b == 0 else 1, style, se_net=se_net,
                                    excite=se_net and stage >= 2 and b == depth - 1))
                i = o
            setattr(self, f"layer{stage + 1}", nn.SequentialCell(blocks))
        self.end_point = nn.Dense(i, CLASSES)

    def construct(self, x):
        if self.se_net:
            x = ops.relu(self.bn1_0(self.conv1_0(x)))
            x = ops.relu(self.bn1_1(self.conv1_1(x)))
            x = self.conv1_2(x)
        else:
            x = self.conv1(x)
        x = self.maxpool(ops.relu(self.bn1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.end_point(mean_of_channels(x))


class GroupConv(nn.Cell):
    """A grouped convolution as one convolution per group: what the zoo trains on Ascend."""

    def __init__(self, c, stride, groups):
        super().__init__()
        self.groups = groups
        self.convs = nn.CellList([conv(c // groups, c // groups, 3, stride, pad=1) for _ in range(groups)])

    def construct(self, x):
        parts = ops.split(x, x.shape[1] // self.groups, axis=1)
        return ops.concat([c(p) for c, p in zip(self.convs, parts)], 1)


class DownSample(nn.Cell):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv = conv(i, o, 1, stride, pad=0)
        self.bn = nn.BatchNorm2d(o)

    def construct(self, x):
        return self.bn(self.conv(x))


class NextBlock(nn.Cell):
    def __init__(self, i, o, stride, split):
        super().__init__()
        c = o // 2
        self.conv1 = conv(i, c, 1, pad=0)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = GroupConv(c, stride, 32) if split else conv(c, c, 3, stride, pad=1, group=32)
        self.bn2 = nn.BatchNorm2d(c)
        self.conv3 = conv(c, o, 1, pad=0)
        self.bn3 = nn.BatchNorm2d(o)
        self.down = i != o or stride != 1
        if self.down:
            self.down_sample = DownSample(i, o, stride)

    def construct(self, x):
        y = ops.relu(self.bn1(self.conv1(x)))
        y = ops.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return ops.relu(y + (self.down_sample(x) if self.down else x))


class NextBackbone(nn.Cell):
    def __init__(self, split, style=ZOO):
        super().__init__()
        self.conv = conv(3, 64, 7, 2, pad=3)
        self.bn = nn.BatchNorm2d(64)
        self.maxpool = style.pool()
        i = 64
        for stage, depth in enumerate((3, 4, 6, 3)):
            o, blocks = 256 << stage, []
            for b in range(depth):
                blocks.append(NextBlock(i, o, 2 if stage > 0 and b == 0 else 1, split))
                i = o
            setattr(self, f"layer{stage + 1}", nn.SequentialCell(blocks))

    def construct(self, x):
        x = self.maxpool(ops.relu(self.bn(self.conv(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Head(nn.Cell):
    def __init__(self, i):
        super().__init__()
        self.fc = nn.Dense(i, CLASSES)

    def construct(self, x):
        return self.fc(mean_of_channels(x))


class BackboneAndHead(nn.Cell):
    def __init__(self, backbone, head):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def construct(self, x):
        return self.head(self.backbone(x))


class ConvNormRelu6(nn.Cell):
    def __init__(self, i, o, k, stride=1, group=1):
        super().__init__()
        self.features = nn.SequentialCell([conv(i, o, k, stride, pad=k // 2, group=group), nn.BatchNorm2d(o),
                                           nn.ReLU6()])

    def construct(self, x):
        return self.features(x)


class Inverted(nn.Cell):
    def __init__(self, i, o, stride, expand):
        super().__init__()
        c = i * expand
        self.residual = i == o and stride == 1
        layers = [ConvNormRelu6(i, c, 1)] if expand > 1 else []
        layers += [ConvNormRelu6(c, c, 3, stride, group=c), conv(c, o, 1), nn.BatchNorm2d(o)]
        self.conv = nn.SequentialCell(layers)

    def construct(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class Mean(nn.Cell):
    def construct(self, x):
        return mean_of_channels(x)


class MobileNetV2(nn.Cell):
    def __init__(self):
        super().__init__()
        layers, i = [ConvNormRelu6(3, 32, 3, 2)], 32
        for expand, o, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                         (6, 160, 3, 2), (6, 320, 1, 1)):
            for b in range(count):
                layers.append(Inverted(i, o, stride if b == 0 else 1, expand))
                i = o
        layers.append(ConvNormRelu6(i, 1280, 1))
        self.features = nn.SequentialCell(layers)
        self.head = nn.SequentialCell([Mean(), nn.Dense(1280, CLASSES)])

    def construct(self, x):
        return self.head(self.features(x))


class Fire(nn.Cell):
    def __init__(self, i, squeeze, expand):
        super().__init__()
        self.squeeze = conv(i, squeeze, 1, bias=True)
        self.expand1x1 = conv(squeeze, expand, 1, bias=True)
        self.expand3x3 = conv(squeeze, expand, 3, bias=True)

    def construct(self, x):
        x = ops.relu(self.squeeze(x))
        return ops.concat((ops.relu(self.expand1x1(x)), ops.relu(self.expand3x3(x))), 1)


FIRES = ((96, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128), (256, 48, 192), (384, 48, 192),
         (384, 64, 256), (512, 64, 256))


class SqueezeNet(nn.Cell):
    def __init__(self, ceil=False):
        super().__init__()
        fires = [Fire(*f) for f in FIRES]
        pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=ceil, pad_mode="pad" if ceil else "valid")
        self.features = nn.SequentialCell(
            [conv(3, 96, 7, 2, mode="valid", bias=True), nn.ReLU(), pool()] + fires[:3] + [pool()] + fires[3:7] +
            [pool()] + fires[7:])
        self.final_conv = conv(512, CLASSES, 1, bias=True)

    def construct(self, x):
        return mean_of_channels(ops.relu(self.final_conv(self.features(x))))


class SqueezeNetBypass(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = conv(3, 96, 7, 2, mode="valid", bias=True)
        for i, fire in enumerate(FIRES):
            setattr(self, f"fire{i + 2}", Fire(*fire))
        self.conv10 = conv(512, CLASSES, 1, bias=True)
        self.pool = nn.MaxPool2d(3, 2)

    def construct(self, x):
        x = self.fire2(self.pool(ops.relu(self.conv1(x))))
        x = self.pool(self.fire4(x + self.fire3(x)))
        x = self.fire6(x + self.fire5(x))
        x = self.pool(self.fire8(x + self.fire7(x)))
        x = x + self.fire9(x)
        return mean_of_channels(ops.relu(self.conv10(x)))


class DenseLayer(nn.Cell):
    def __init__(self, i):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(i)
        self.conv1 = conv(i, 128, 1, pad=0)
        self.norm2 = nn.BatchNorm2d(128)
        self.conv2 = conv(128, 32, 3, pad=1)

    def construct(self, x):
        return self.conv2(ops.relu(self.norm2(self.conv1(ops.relu(self.norm1(x))))))


class DenseBlock(nn.Cell):
    def __init__(self, i, count):
        super().__init__()
        self.cell_list = nn.CellList()
        for b in range(count):
            self.cell_list.append(DenseLayer(i + 32 * b))

    def construct(self, x):
        for layer in self.cell_list:
            x = ops.concat((x, layer(x)), 1)
        return x


class Transition(nn.Cell):
    def __init__(self, i, means):
        super().__init__()
        self.features = nn.SequentialCell(OrderedDict([
            ("norm", nn.BatchNorm2d(i)), ("relu", nn.ReLU()), ("conv", conv(i, i // 2, 1, pad=0)),
            ("pool", nn.AvgPool2d(2, 2) if means else nn.MaxPool2d(2, 2))]))

    def construct(self, x):
        return self.features(x)


class DenseBackbone(nn.Cell):
    def __init__(self, style=ZOO):
        super().__init__()
        layers = OrderedDict([("conv0", conv(3, 64, 7, 2, pad=3)), ("norm0", nn.BatchNorm2d(64)),
                              ("relu0", nn.ReLU()), ("pool0", style.pool())])
        i = 64
        for b, count in enumerate((6, 12, 24, 16), 1):
            layers[f"denseblock{b}"] = DenseBlock(i, count)
            i += 32 * count
            if b < 4:
                layers[f"transition{b}"] = Transition(i, means=style.symmetric)
                i //= 2
        layers["norm5"] = nn.BatchNorm2d(i)
        layers["relu5"] = nn.ReLU()
        self.features = nn.SequentialCell(layers)

    def construct(self, x):
        return self.features(x)


class CifarBlock(nn.Cell):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1 = conv(i, o, 3, stride, pad=1)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = conv(o, o, 3, pad=1)
        self.bn2 = nn.BatchNorm2d(o)
        self.more = (o - i) // 2
        self.stride = stride

    def construct(self, x):
        y = self.bn2(self.conv2(ops.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = x.asnumpy()[:, :, ::self.stride, ::self.stride]
            x = ms.Tensor(np.pad(x, ((0, 0), (self.more, self.more), (0, 0), (0, 0))))
        return ops.relu(y + x)


class CifarResNet(nn.Cell):
    def __init__(self, depth):
        super().__init__()
        self.conv1 = conv(3, 16, 3, pad=1)
        self.bn1 = nn.BatchNorm2d(16)
        i = 16
        for stage in range(3):
            o, blocks = 16 << stage, []
            for b in range((depth - 2) // 6):
                blocks.append(CifarBlock(i, o, 2 if stage > 0 and b == 0 else 1))
                i = o
            setattr(self, f"layer{stage + 1}", nn.SequentialCell(blocks))
        self.linear = nn.Dense(64, CLASSES)

    def construct(self, x):
        x = ops.relu(self.bn1(self.conv1(x)))
        return self.linear(mean_of_channels(self.layer3(self.layer2(self.layer1(x)))))


class Inception(nn.Cell):
    def __init__(self, i, widths):
        super().__init__()
        one, three_in, three, five_in, five, pooled = widths
        self.b1 = ConvNormRelu(i, one, 1)
        self.b2 = nn.SequentialCell([ConvNormRelu(i, three_in, 1), ConvNormRelu(three_in, three, 3)])
        self.b3 = nn.SequentialCell([ConvNormRelu(i, five_in, 1), ConvNormRelu(five_in, five, 3)])
        self.pool = nn.MaxPool2d(3, 1, pad_mode="same")
        self.b4 = ConvNormRelu(i, pooled, 1)

    def construct(self, x):
        return ops.concat((self.b1(x), self.b2(x), self.b3(x), self.b4(self.pool(x))), 1)


class ConvNormRelu(nn.Cell):
    def __init__(self, i, o, k, stride=1):
        super().__init__()
        self.conv = conv(i, o, k, stride, pad=k // 2)
        self.bn = bn(o, 1e-3)

    def construct(self, x):
        return ops.relu(self.bn(self.conv(x)))


class GoogLeNet(nn.Cell):
    """With torchvision's padding; MindSpore's logits of the zoo's own are in the shared data."""

    def __init__(self):
        super().__init__()
        self.conv1 = ConvNormRelu(3, 64, 7, 2)
        self.conv2 = ConvNormRelu(64, 64, 1)
        self.conv3 = ConvNormRelu(64, 192, 3)
        i = 192
        for name, widths in (("3a", (64, 96, 128, 16, 32, 32)), ("3b", (128, 128, 192, 32, 96, 64)),
                             ("4a", (192, 96, 208, 16, 48, 64)), ("4b", (160, 112, 224, 24, 64, 64)),
                             ("4c", (128, 128, 256, 24, 64, 64)), ("4d", (112, 144, 288, 32, 64, 64)),
                             ("4e", (256, 160, 320, 32, 128, 128)), ("5a", (256, 160, 320, 32, 128, 128)),
                             ("5b", (384, 192, 384, 48, 128, 128))):
            setattr(self, f"block{name}", Inception(i, widths))
            i = widths[0] + widths[2] + widths[4] + widths[5]
        self.classifier = nn.Dense(1024, CLASSES)
        self.pool3 = nn.MaxPool2d(3, 2, pad_mode="same")
        self.pool2 = nn.MaxPool2d(2, 2, pad_mode="same")

    def construct(self, x):
        x = self.pool3(self.conv3(self.conv2(self.pool3(self.conv1(x)))))
        x = self.pool3(self.block3b(self.block3a(x)))
        x = self.block4e(self.block4d(self.block4c(self.block4b(self.block4a(x)))))
        x = self.block5b(self.block5a(self.pool2(x)))
        return self.classifier(mean_of_channels(x))


# File name: the model in Tessera's notation, the side of the images, the network.
NETWORKS = {
    "vgg16": ("vgg16", 64, lambda: Vgg16(True, False, 64)),
    "vgg16_plain": ("vgg16(batch_norm=false,bias=true)", 32, lambda: Vgg16(False, True, 32)),
    "resnet18_res_base": ("resnet18(variant=res_base)", 64, lambda: ResNet(Basic, (2, 2, 2, 2), 64, RES_BASE)),
    "resnet50_torchvision": ("resnet50(variant=torchvision)", 64,
                             lambda: ResNet(Bottleneck, (3, 4, 6, 3), 256, TORCHVISION)),
    "resnext50_torchvision": ("resnext50(variant=torchvision)", 64,
                              lambda: BackboneAndHead(NextBackbone(False, TORCHVISION), Head(2048))),
    "squeezenet_torchvision": ("squeezenet(variant=torchvision)", 96, lambda: SqueezeNet(ceil=True)),
    "densenet121_torchvision": ("densenet121(variant=torchvision)", 64,
                                lambda: BackboneAndHead(DenseBackbone(TORCHVISION), Head(1024))),
    "googlenet_torchvision": ("googlenet(variant=torchvision)", 64, GoogLeNet),
    "resnet34": ("resnet34", 64, lambda: ResNet(Basic, (3, 4, 6, 3), 64)),
    "resnet101": ("resnet101", 64, lambda: ResNet(Bottleneck, (3, 4, 23, 3), 256)),
    "se_resnet50": ("se_resnet50", 64, lambda: ResNet(Bottleneck, (3, 4, 6, 3), 256, se_net=True)),
    "resnext50": ("resnext50", 64, lambda: BackboneAndHead(NextBackbone(False), Head(2048))),
    "resnext50_split": ("resnext50(split_groups=true)", 64, lambda: BackboneAndHead(NextBackbone(True), Head(2048))),
    "mobilenet_v2": ("mobilenet_v2", 64, MobileNetV2),
    "squeezenet": ("squeezenet", 96, SqueezeNet),
    "squeezenet_bypass": ("squeezenet(bypass=true)", 96, SqueezeNetBypass),
    "densenet121": ("densenet121", 64, lambda: BackboneAndHead(DenseBackbone(), Head(1024))),
    "resnet20": ("resnet20", 32, lambda: CifarResNet(20)),
    "resnet32": ("resnet32", 32, lambda: CifarResNet(32)),
    "resnet44": ("resnet44", 32, lambda: CifarResNet(44)),
    "resnet56": ("resnet56", 32, lambda: CifarResNet(56)),
}


def parameter_lines(parameters):
    """One line per parameter, but one for a run of parameters of one layer and one shape."""
    runs = []
    for name, shape in parameters:
        layer, last = name.rsplit(".", 1)
        if runs and runs[-1][0] == layer and runs[-1][2] == shape:
            runs[-1][1].append(last)
        else:
            runs.append((layer, [last], shape))
    return [f"{layer}.{','.join(names)} [{','.join(map(str, shape))}]" for layer, names, shape in runs]


def write(folder, tag):
    model, side, make = NETWORKS[tag]
    network = make()
    network.set_train(False)
    parameters = [(p.name, tuple(p.shape)) for _, p in network.parameters_and_names()]
    for _, p in network.parameters_and_names():
        p.set_data(ms.Tensor(made(p.name, tuple(p.shape))))
    shape = (2, 3, side, side)
    x = np.float32(2) * uniform("input", int(np.prod(shape))) - np.float32(1)
    logits = network(ms.Tensor(x.reshape(shape))).asnumpy()
    classes = f"num_classes={CLASSES}"
    model = model[:-1] + f",{classes})" if model.endswith(")") else f"{model}({classes})"
    elements = sum(int(np.prod(s)) for _, s in parameters)
    lines = [model, f"[{','.join(map(str, shape))}]", "----", f"{len(parameters)} parameters, {elements} elements"]
    lines += parameter_lines(parameters) + ["----"]
    lines += [" ".join(f"{v:.9g}" for v in row) for row in logits]
    (folder / f"{tag}.txt").write_text("\n".join(lines) + "\n")
    print(tag, len(parameters), elements, float(np.abs(logits).max()), float(logits.std(0).mean()))


def main():
    ms.set_context(mode=ms.PYNATIVE_MODE, device_target="CPU")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for tag in sys.argv[2:] or NETWORKS:
        write(folder, tag)


if __name__ == "__main__":
    main()
