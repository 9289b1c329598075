"""YOLOX, as a plain PyTorch module, and its way from and to folded ONNX weights.

In: pictures `[n, 3, H, W]` f32, BGR, 0..=255, H and W multiples of 32. Out: `[n, cells, 5 + classes]`, cells of strides
8, 16, 32 in that order, row-major; columns x, y (share of a cell, from it), w, h (logarithm of cells), objectness,
classes. Sigmoids are applied by `forward`, not by `logits`. Architecture: Ge et al., "YOLOX: Exceeding YOLO Series in
2021", arXiv:2107.08430; the light variants use depthwise convolutions.
"""
import copy
import math
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
BN_EPS = 1e-3


@dataclass(frozen=True)
class Size:
    """How deep and wide: repeats of a block are `depth * 3`, channels of the stem `width * 64`."""

    depth: float
    width: float
    depthwise: bool


SIZES = {
    "nano": Size(0.33, 0.25, True),
    "wide": Size(0.33, 0.5, True),
    "tiny": Size(0.33, 0.375, False),
    "small": Size(0.33, 0.5, False),
}


class Swish(nn.Module):
    """`x · sigmoid(steep · x)`: SiLU at 1, ReLU where `steep` is infinite."""

    def __init__(self):
        super().__init__()
        self.steep = 1.0

    def forward(self, x):
        if self.steep == 1.0:
            return F.silu(x)
        return F.relu(x) if math.isinf(self.steep) else x * torch.sigmoid(self.steep * x)


class Conv(nn.Module):
    """Convolution, batch normalisation, activation."""

    def __init__(self, c_in, c_out, kernel, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=BN_EPS, momentum=0.03)
        self.act = Swish()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Separable(nn.Module):
    """Depthwise, then pointwise."""

    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__()
        self.depthwise = Conv(c_in, c_in, kernel, stride, groups=c_in)
        self.pointwise = Conv(c_in, c_out, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class Bottleneck(nn.Module):
    def __init__(self, channels, shortcut, conv):
        super().__init__()
        self.narrow = Conv(channels, channels, 1)
        self.wide = conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x):
        y = self.wide(self.narrow(x))
        return y + x if self.shortcut else y


class CrossStage(nn.Module):
    """A stage of which half the channels pass by."""

    def __init__(self, c_in, c_out, repeats, conv, shortcut=True):
        super().__init__()
        half = c_out // 2
        self.through = Conv(c_in, half, 1)
        self.past = Conv(c_in, half, 1)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut, conv) for _ in range(repeats)))
        self.join = Conv(2 * half, c_out, 1)

    def forward(self, x):
        # In this order, which is that of the folded weights.
        through, past = self.through(x), self.past(x)
        return self.join(torch.cat([self.blocks(through), past], 1))


class PyramidPool(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.narrow = Conv(c_in, c_in // 2, 1)
        self.join = Conv(c_in * 2, c_out, 1)

    def forward(self, x):
        x = self.narrow(x)
        return self.join(torch.cat([x] + [F.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13)], 1))


def upsampled(x):
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Yolox(nn.Module):
    def __init__(self, classes, size):
        super().__init__()
        self.classes = classes
        conv = Separable if size.depthwise else Conv
        base, repeats = int(size.width * 64), max(round(size.depth * 3), 1)
        c2, c3, c4, c5 = base * 2, base * 4, base * 8, base * 16

        def stage(c_in, c_out, n, shortcut=True):
            return CrossStage(c_in, c_out, n, conv, shortcut)

        self.stem = Conv(12, base, 3)
        self.dark2 = nn.Sequential(conv(base, c2, 3, 2), stage(c2, c2, repeats))
        self.dark3 = nn.Sequential(conv(c2, c3, 3, 2), stage(c3, c3, repeats * 3))
        self.dark4 = nn.Sequential(conv(c3, c4, 3, 2), stage(c4, c4, repeats * 3))
        self.dark5 = nn.Sequential(conv(c4, c5, 3, 2), PyramidPool(c5, c5), stage(c5, c5, repeats, False))
        self.lateral5 = Conv(c5, c4, 1)
        self.down4 = stage(2 * c4, c4, repeats, False)
        self.lateral4 = Conv(c4, c3, 1)
        self.down3 = stage(2 * c3, c3, repeats, False)
        self.step3 = conv(c3, c3, 3, 2)
        self.up4 = stage(2 * c3, c4, repeats, False)
        self.step4 = conv(c4, c4, 3, 2)
        self.up5 = stage(2 * c4, c5, repeats, False)
        head = c3

        def towers():
            return nn.ModuleList(nn.Sequential(conv(head, head, 3), conv(head, head, 3)) for _ in STRIDES)

        self.head_stems = nn.ModuleList(Conv(c, head, 1) for c in (c3, c4, c5))
        self.class_towers, self.box_towers = towers(), towers()
        self.class_out = nn.ModuleList(nn.Conv2d(head, classes, 1) for _ in STRIDES)
        self.box_out = nn.ModuleList(nn.Conv2d(head, 4, 1) for _ in STRIDES)
        self.object_out = nn.ModuleList(nn.Conv2d(head, 1, 1) for _ in STRIDES)

    def low(self, x):
        """`[n, c2, H / 4, W / 4]`: the part that fine-tuning leaves as it is."""
        x = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
        return self.dark2(self.stem(x))

    def towers_of(self, low):
        """For each stride the features that classes and boxes are read from."""
        c3 = self.dark3(low)
        c4 = self.dark4(c3)
        c5 = self.dark5(c4)
        top = self.lateral5(c5)
        mid = self.lateral4(self.down4(torch.cat([upsampled(top), c4], 1)))
        p3 = self.down3(torch.cat([upsampled(mid), c3], 1))
        p4 = self.up4(torch.cat([self.step3(p3), mid], 1))
        p5 = self.up5(torch.cat([self.step4(p4), top], 1))
        for i, level in enumerate((p3, p4, p5)):
            stem = self.head_stems[i](level)
            yield self.class_towers[i](stem), self.box_towers[i](stem)

    def outputs(self, towers, activate):
        rows = []
        for i, (for_class, for_box) in enumerate(towers):
            classes, boxes, objects = self.class_out[i](for_class), self.box_out[i](for_box), self.object_out[i](for_box)
            if activate:
                classes, objects = classes.sigmoid(), objects.sigmoid()
            rows.append(torch.cat([boxes, objects, classes], 1).flatten(2))
        return torch.cat(rows, 2).transpose(1, 2)

    def logits_from(self, low, half):
        """Raw columns; the towers in bfloat16 where `half`, what is read from them always in f32."""
        with torch.autocast(low.device.type, dtype=torch.bfloat16, enabled=half):
            towers = list(self.towers_of(low))
        return self.outputs(((c.float(), b.float()) for c, b in towers), activate=False)

    def forward(self, x):
        return self.outputs(self.towers_of(self.low(x)), activate=True)


def steepen(network, steep):
    """Sets how near the activations are to ReLU, from 1 (SiLU) to infinity."""
    for m in network.modules():
        if isinstance(m, Swish):
            m.steep = steep


@torch.no_grad()
def widened(network, size, seed):
    """The same function in a network of twice the channels (Net2Net, arXiv:1511.05641): every channel stands twice, and
    what reads it shares its weight out between the two, unevenly, so that they part as they learn."""
    wide = Yolox(network.classes, size)
    random = torch.Generator().manual_seed(seed)
    for (name, new), (_, old) in zip(wide.named_modules(), network.named_modules()):
        if isinstance(new, nn.Conv2d):
            weight = old.weight
            if new.out_channels != old.out_channels:
                weight = weight.repeat_interleave(2, 0)
            if new.groups == 1 and new.in_channels != old.in_channels:
                first = weight * torch.empty(weight.shape).uniform_(0.3, 0.7, generator=random)
                weight = torch.stack([first, weight - first], 2).flatten(1, 2)
            new.weight.copy_(weight)
            if new.bias is not None:
                new.bias.copy_(old.bias)
        elif isinstance(new, nn.BatchNorm2d):
            for part in ("weight", "bias", "running_mean", "running_var"):
                getattr(new, part).copy_(getattr(old, part).repeat_interleave(2))
    return wide.eval()


class AsExported(nn.Module):
    """A folded network whose space-to-depth and 3x3 stem are one convolution of 6x6 at stride 2: the same numbers in less time."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        old = network.stem.conv
        self.stem = nn.Conv2d(3, old.out_channels, 6, 2, 2)
        weight = torch.zeros_like(self.stem.weight)
        for quarter, (down, right) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
            weight[:, :, down::2, right::2] = old.weight.data[:, 3 * quarter:3 * quarter + 3]
        self.stem.weight.data, self.stem.bias.data = weight, old.bias.data

    def forward(self, x):
        low = self.network.dark2(self.network.stem.act(self.stem(x)))
        return self.network.outputs(self.network.towers_of(low), activate=True)


def execution_order(network):
    """The convolutions in the order in which a picture meets them."""
    met = []
    hooks = [m.register_forward_hook(lambda m, *_: met.append(m)) for m in network.modules() if isinstance(m, nn.Conv2d)]
    network.eval()
    with torch.no_grad():
        towers = network.towers_of(network.low(torch.zeros(1, 3, 64, 64)))
        for i, (for_class, for_box) in enumerate(towers):
            network.class_out[i](for_class), network.box_out[i](for_box), network.object_out[i](for_box)
    for hook in hooks:
        hook.remove()
    return met


def by_graph_order(path):
    """Weights and biases of a YOLOX graph's convolutions, in the graph's order."""
    graph = onnx.load(path).graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    return [(values[node.input[1]], values[node.input[2]]) for node in convolutions]


def load_folded(path, classes, size):
    """A network with the weights of an ONNX export in which batch normalisation was folded away."""
    network = Yolox(classes, size)
    owners = {m.conv: m for m in network.modules() if isinstance(m, Conv)}
    folded, order = by_graph_order(path), head_as_exported(network)
    if len(folded) != len(order):
        raise SystemExit(f"{path}: {len(folded)} convolutions where this size of network has {len(order)}; name the size it is of")
    for conv, (weight, bias) in zip(order, folded):
        if tuple(conv.weight.shape) != weight.shape:
            raise SystemExit(f"{path}: a convolution of {weight.shape} where {tuple(conv.weight.shape)} belongs; name the size it is of")
        conv.weight.data.copy_(torch.tensor(weight))
        if conv in owners:
            bn = owners[conv].bn
            bn.running_mean.zero_()
            bn.running_var.fill_(1 - bn.eps)
            bn.weight.data.fill_(1)
            bn.bias.data.copy_(torch.tensor(bias))
        else:
            conv.bias.data.copy_(torch.tensor(bias))
    return network.eval()


def head_as_exported(network):
    """Execution order, but in the heads as YOLOX exports them: stem, class tower, class, box tower, box, object."""
    order = execution_order(network)
    head = [m for part in (network.head_stems, network.class_towers, network.box_towers, network.class_out, network.box_out, network.object_out)
            for m in part.modules() if isinstance(m, nn.Conv2d)]
    first = [m for m in order if m not in set(head)]
    last = []
    for i in range(len(STRIDES)):
        for part in (network.head_stems, network.class_towers, network.class_out, network.box_towers, network.box_out, network.object_out):
            last += [m for m in part[i].modules() if isinstance(m, nn.Conv2d)]
    return first + last


@torch.no_grad()
def restore_normalisation(network, batches):
    """Puts batch normalisation back into folded weights: measures each convolution's output on real pictures and
    writes mean, variance, scale and shift so that the network computes what it did, with filters of unit norm."""
    sums = {}

    def add(conv, _, out):
        total = sums.setdefault(conv, [0.0, 0.0, 0])
        total[0] += out.double().sum((0, 2, 3))
        total[1] += out.double().square().sum((0, 2, 3))
        total[2] += out.numel() // out.shape[1]

    normalised = [m for m in network.modules() if isinstance(m, Conv)]
    hooks = [m.conv.register_forward_hook(add) for m in normalised]
    network.eval()
    for batch in batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    for m in normalised:
        first, second, count = sums[m.conv]
        mean = first / count
        variance = (second / count - mean.square()).clamp(min=1e-8)
        norm = m.conv.weight.flatten(1).norm(dim=1).clamp(min=1e-6).double()
        shift = m.bn.bias.double() + mean
        m.conv.weight.data /= norm.float().view(-1, 1, 1, 1)
        m.bn.running_mean.copy_(mean / norm)
        m.bn.running_var.copy_(variance / norm.square())
        m.bn.weight.data.copy_(((variance / norm.square()) + m.bn.eps).sqrt() * norm)
        m.bn.bias.data.copy_(shift)
    return network


def folded(network):
    """A copy with batch normalisation folded into the convolutions."""
    network = copy.deepcopy(network).eval()
    for m in network.modules():
        if isinstance(m, Conv) and isinstance(m.bn, nn.BatchNorm2d):
            scale = m.bn.weight / (m.bn.running_var + m.bn.eps).sqrt()
            old = m.conv
            m.conv = nn.Conv2d(old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding, groups=old.groups)
            m.conv.weight.data = old.weight.data * scale.view(-1, 1, 1, 1)
            m.conv.bias.data = m.bn.bias.data - m.bn.running_mean * scale
            m.bn = nn.Identity()
    return network


def cells_of(height, width):
    """Corner and stride of every output row: `[cells, 2]` in cells, `[cells, 1]` in pixels."""
    corners, strides = [], []
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        corners.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((rows * columns, 1), stride))
    return torch.tensor(np.concatenate(corners)).float(), torch.tensor(np.concatenate(strides)).float()


def boxes_of(rows, corners, strides):
    """`x0, y0, x1, y1` in input pixels of raw rows."""
    centre = (rows[..., :2] + corners) * strides
    half = rows[..., 2:4].clamp(max=8).exp() * strides / 2
    return torch.cat([centre - half, centre + half], -1)
