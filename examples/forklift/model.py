"""The detector: a small one-stage network with cross-stage blocks, a two-way pyramid and a DFL head.

Its exported graph has the form that Ultralytics users have (SiLU convolutions, split and concat,
nearest upsampling, pooling pyramid, box distances as distributions), with half of YOLOv8n's weights.
The definition is Tenon's own.
"""
import math

import torch
from torch import nn

BINS = 16
STRIDES = (8, 16, 32)


class Unit(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, cin, cout, kernel=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(cout, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


class Pair(nn.Module):
    """Two 3x3 units, with the input added where asked."""

    def __init__(self, width, residual):
        super().__init__()
        self.first, self.second = Unit(width, width, 3), Unit(width, width, 3)
        self.residual = residual

    def forward(self, x):
        y = self.second(self.first(x))
        return x + y if self.residual else y


class Stage(nn.Module):
    """Half of the channels pass by, half go through pairs; every step's result is kept and mixed."""

    def __init__(self, cin, cout, depth, residual):
        super().__init__()
        self.half = cout // 2
        self.enter = Unit(cin, cout)
        self.pairs = nn.ModuleList(Pair(self.half, residual) for _ in range(depth))
        self.mix = Unit(self.half * (2 + depth), cout)

    def forward(self, x):
        x = self.enter(x)
        parts = list(x.split((self.half, self.half), 1))
        for pair in self.pairs:
            parts.append(pair(parts[-1]))
        return self.mix(torch.cat(parts, 1))


class PoolPyramid(nn.Module):
    """Max pools of growing reach side by side, made from one 5x5 pool applied three times."""

    def __init__(self, width):
        super().__init__()
        self.enter, self.mix = Unit(width, width // 2), Unit(width * 2, width)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.mix(torch.cat(parts, 1))


class Head(nn.Module):
    """Per level: box distances as distributions over BINS, and class scores."""

    def __init__(self, classes, widths, box_width, class_width):
        super().__init__()
        self.classes = classes
        # grid()'s answer for a fixed input size: export.py sets it, so that it becomes constants of the graph.
        self.fixed_grid = None
        self.box = nn.ModuleList(
            nn.Sequential(Unit(w, box_width, 3), Unit(box_width, box_width, 3), nn.Conv2d(box_width, 4 * BINS, 1))
            for w in widths)
        self.score = nn.ModuleList(
            nn.Sequential(Unit(w, class_width, 3), Unit(class_width, class_width, 3),
                          nn.Conv2d(class_width, classes, 1))
            for w in widths)
        # The distribution's mean, as a 1x1 convolution with the weights 0, 1, 2 ...
        self.mean = nn.Conv2d(BINS, 1, 1, bias=False)
        self.mean.weight.data[:] = torch.arange(BINS, dtype=torch.float32).view(1, BINS, 1, 1)
        self.mean.weight.requires_grad_(False)
        for box, score, stride in zip(self.box, self.score, STRIDES):
            box[-1].bias.data[:] = 1.0
            score[-1].bias.data[:] = math.log(8 / classes / (320 / stride) ** 2)

    def forward(self, levels):
        return [torch.cat([b(x), s(x)], 1) for b, s, x in zip(self.box, self.score, levels)]

    def decode(self, maps):
        """Boxes as x, y, w, h in pixels above class probabilities: [batch, 4 + classes, cells]."""
        batch = int(maps[0].shape[0])
        flat = torch.cat([m.view(batch, 4 * BINS + self.classes, -1) for m in maps], 2)
        distances, scores = flat.split((4 * BINS, self.classes), 1)
        distances = self.mean(distances.view(batch, 4, BINS, -1).transpose(2, 1).softmax(1)).view(batch, 4, -1)
        centres, strides = self.fixed_grid or grid([m.shape[2:] for m in maps], flat.device)
        centres, strides = centres.T[None], strides[None, None]
        before, after = distances.split((2, 2), 1)
        low, high = centres - before, centres + after
        boxes = torch.cat([(low + high) / 2, high - low], 1) * strides
        return torch.cat([boxes, scores.sigmoid()], 1)


def grid(shapes, device):
    """Cell centres [cells,2] in units of their stride, and strides [cells], of the three levels."""
    centres, strides = [], []
    for (h, w), stride in zip(shapes, STRIDES):
        y, x = torch.meshgrid(torch.arange(h, device=device) + 0.5, torch.arange(w, device=device) + 0.5, indexing="ij")
        centres.append(torch.stack([x, y], -1).view(-1, 2))
        strides.append(torch.full((h * w,), float(stride), device=device))
    return torch.cat(centres), torch.cat(strides)


class Detector(nn.Module):
    """The whole network. `raw=True` gives the head's maps, for training."""

    def __init__(self, classes, widths=(16, 32, 64, 96, 160), box_width=48, class_width=32):
        super().__init__()
        a, b, c, d, e = widths
        self.stem, self.down2, self.stage2 = Unit(3, a, 3, 2), Unit(a, b, 3, 2), Stage(b, b, 1, True)
        self.down3, self.stage3 = Unit(b, c, 3, 2), Stage(c, c, 2, True)
        self.down4, self.stage4 = Unit(c, d, 3, 2), Stage(d, d, 2, True)
        self.down5, self.stage5 = Unit(d, e, 3, 2), Stage(e, e, 1, True)
        self.pyramid = PoolPyramid(e)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.top4, self.top3 = Stage(d + e, d, 1, False), Stage(c + d, c, 1, False)
        self.back4, self.low4 = Unit(c, c, 3, 2), Stage(c + d, d, 1, False)
        self.back5, self.low5 = Unit(d, d, 3, 2), Stage(d + e, e, 1, False)
        self.head = Head(classes, (c, d, e), box_width, class_width)

    def forward(self, x, raw=False):
        p3 = self.stage3(self.down3(self.stage2(self.down2(self.stem(x)))))
        p4 = self.stage4(self.down4(p3))
        p5 = self.pyramid(self.stage5(self.down5(p4)))
        t4 = self.top4(torch.cat([self.up(p5), p4], 1))
        t3 = self.top3(torch.cat([self.up(t4), p3], 1))
        l4 = self.low4(torch.cat([self.back4(t3), t4], 1))
        l5 = self.low5(torch.cat([self.back5(l4), p5], 1))
        maps = self.head([t3, l4, l5])
        return maps if raw else self.head.decode(maps)
