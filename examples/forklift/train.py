"""Trains the detector on a folder that render.py wrote.

    python3 train.py --data /tmp/forklift --out /tmp/forklift/run --minutes 6

The whole data set lies on the device as bytes and is augmented there. Training ends by the clock:
the learning rate follows the time that is gone, so that any budget ends with a finished model.
"""
import argparse
import copy
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import data
from export import export
from loss import detection_loss
from model import Detector
from parts import CLASSES


def load_split(folder, split, size, device):
    """All images [N,3,size,size] (bytes) and objects: classes [N,G] (-1: none), boxes [N,G,4]."""
    files = sorted((folder / "images" / split).glob("*.jpg"))
    images = torch.empty(len(files), 3, size, size, dtype=torch.uint8, device=device)
    rows = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for k, (image, objects) in enumerate(pool.map(lambda f: data.load(f, size), files)):
            images[k] = torch.from_numpy(image).permute(2, 0, 1).to(device)
            rows.append(objects)
    most = max(len(r) for r in rows)
    packed = np.full((len(rows), most, 5), -1, np.float32)
    for k, r in enumerate(rows):
        packed[k, :len(r)] = r
    packed = torch.from_numpy(packed).to(device)
    return images, packed[..., 0], packed[..., 1:]


def augment(images, classes, boxes):
    """Mirrors, scales, shifts and recolours a batch; objects that mostly leave the picture are dropped."""
    b, _, size, _ = images.shape

    def rand(lo, hi, *shape):
        """One random number (or a block of them) for each image."""
        return torch.empty(b, *shape, device=images.device).uniform_(lo, hi)

    x = images.float() / 255
    flip = (rand(0, 1) < 0.5).float() * -2 + 1
    scale = torch.exp(rand(math.log(0.75), math.log(1.4)))
    shift = rand(-0.12, 0.12, 2)
    theta = torch.zeros(b, 2, 3, device=x.device)
    theta[:, 0, 0], theta[:, 1, 1] = flip / scale, 1 / scale
    theta[:, 0, 2], theta[:, 1, 2] = -2 * shift[:, 0] * flip / scale, -2 * shift[:, 1] / scale
    grey = data.GREY / 255
    x = F.grid_sample(x - grey, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False) + grey
    gain = rand(0.7, 1.35, 1, 1, 1) * rand(0.92, 1.08, 3, 1, 1)
    mean = x.mean(1, keepdim=True)
    x = mean + (x - mean) * rand(0.6, 1.4, 1, 1, 1)
    x = ((x - 0.45) * rand(0.75, 1.25, 1, 1, 1) + 0.45) * gain
    x = (x + torch.randn_like(x) * rand(0, 0.02, 1, 1, 1)).clamp(0, 1)

    half = size / 2
    c = (boxes - half).view(b, -1, 2, 2)
    c = c * torch.stack([flip * scale, scale], 1)[:, None, None] + shift[:, None, None] * size + half
    low, high = c.amin(2), c.amax(2)
    before = (high - low).prod(-1)
    low, high = low.clamp(0, size), high.clamp(0, size)
    after = (high - low).prod(-1)
    present = (classes >= 0) & (after > 0.25 * before) & ((high - low).amin(-1) > 2)
    return x, torch.cat([low, high], -1), present


class Raw(torch.nn.Module):
    """The network with the head's maps as its output, a form that a CUDA graph can hold."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return tuple(self.net(x, raw=True))


class Average:
    """An exponential moving average of all weights and batch norm statistics."""

    def __init__(self, net, decay=0.9995):
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0
        self.mine = [t for t in self.net.state_dict().values() if t.is_floating_point()]
        self.theirs = [t for t in net.state_dict().values() if t.is_floating_point()]

    def update(self):
        self.steps += 1
        torch._foreach_lerp_(self.mine, self.theirs, 1 - self.decay * (1 - math.exp(-self.steps / 500)))


@torch.no_grad()
def validate(net, images, classes, boxes, batch):
    """Mean losses on the val images: box, score, distribution."""
    sums = []
    for k in range(0, len(images), batch):
        maps = net(images[k:k + batch].float() / 255, raw=True)
        c = classes[k:k + batch]
        sums.append(detection_loss(maps, c, boxes[k:k + batch], c >= 0, net.head)[1])
    return torch.stack(sums).mean(0).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--graph", action="store_true", help="replay the network as a CUDA graph (less CPU work)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    images, classes, boxes = load_split(args.data, "train", args.imgsz, args.device)
    val = load_split(args.data, "val", args.imgsz, args.device)
    print(f"{len(images)} training images, {int((classes >= 0).sum())} objects", flush=True)

    net = Detector(len(CLASSES)).to(args.device, memory_format=torch.channels_last)
    average = Average(net)
    decayed = [p for p in net.parameters() if p.requires_grad and p.dim() > 1]
    plain = [p for p in net.parameters() if p.requires_grad and p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}],
                                  lr=args.lr, betas=(0.9, 0.99), fused=args.device.startswith("cuda"))
    trained = Raw(net)
    kind = args.device.split(":")[0]
    if args.graph:
        torch.backends.cudnn.benchmark = True
        sample = torch.zeros(args.batch, 3, args.imgsz, args.imgsz, device=args.device)
        sample = sample.contiguous(memory_format=torch.channels_last)
        with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
            trained = torch.cuda.make_graphed_callables(trained, (sample,))
    start, budget, steps, seen, report = time.time(), args.minutes * 60, 0, 0, 0.0
    counts = (classes >= 0).sum(1).cpu()
    order = torch.randperm(len(images))
    while (spent := time.time() - start) < budget:
        if seen + args.batch > len(order):
            order, seen = torch.randperm(len(images)), 0
        pick = order[seen:seen + args.batch]
        seen += args.batch
        rate = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent / budget))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * rate * min(1.0, (steps + 1) / 300)
        most = int(counts[pick].max())
        pick = pick.to(args.device, non_blocking=True)
        c = classes[pick, :most]
        x, targets, present = augment(images[pick], c, boxes[pick, :most])
        with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
            maps = trained(x.contiguous(memory_format=torch.channels_last))
        total, parts = detection_loss(maps, c, targets, present, net.head)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        average.update()
        steps += 1
        if spent >= report:
            report += max(5.0, budget / 15)
            checked = validate(average.net, *val, args.batch)
            print(f"{spent:6.0f} s  {steps:6d} steps  train " + " ".join(f"{p:.3f}" for p in parts.tolist())
                  + "  val " + " ".join(f"{p:.3f}" for p in checked), flush=True)
            torch.save(average.net.state_dict(), args.out / "forklift.pt")
    print(f"{steps} steps, {steps * args.batch / len(images):.1f} epochs; val "
          + " ".join(f"{p:.3f}" for p in validate(average.net, *val, args.batch)), flush=True)
    state = {k: v.float().cpu().contiguous() for k, v in average.net.state_dict().items()}
    torch.save(state, args.out / "forklift.pt")
    export(state, args.out / "forklift.onnx", args.imgsz)


if __name__ == "__main__":
    main()
