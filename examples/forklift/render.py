"""Renders the data set: images and YOLO labels of warehouse scenes, from a seed.

    python3 render.py --out /tmp/forklift --train 7500 --val 300

The same seed gives the same scenes on every device; pixels on an edge, and so a box's border, may
differ by rounding. An H200 makes 70 images a second (with 16 CPU cores that compose and write), two
CPU cores about one.
"""
import argparse
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch

import raster
import scene as scenes
import shade
from parts import CASTS, OBJECT

SUPERSAMPLE = 2
SHADOW_MAP = 1024
SHADOW_METRES = 22.0
QUALITY = 88
# What gets a label: so many visible pixels, a visible box so wide and high, and so large a share of the whole box.
LEAST_PIXELS, LEAST_SIDE, LEAST_SHARE = 140, 10, 0.35


def _build(job):
    return scenes.build(*job)


def label(owner, classes, image, full, width, height):
    """YOLO rows of the visible boxes, a list for each image.

    owner [B,H,W]: the number of the object seen at each pixel, -1: none; numbers run over the batch.
    classes, image [n]: of each object. full [n,4]: its box if nothing hid it. Boxes are in pixels at
    SUPERSAMPLE times the image's size.
    """
    n = len(classes)
    _, y, x = (owner >= 0).nonzero(as_tuple=True)
    o = owner[owner >= 0]
    count = torch.bincount(o, minlength=n)
    big = torch.full((n,), 1 << 30, device=o.device)
    low = torch.stack([big.scatter_reduce(0, o, x, "amin"), big.scatter_reduce(0, o, y, "amin")], 1)
    high = torch.stack([(-big).scatter_reduce(0, o, x, "amax"), (-big).scatter_reduce(0, o, y, "amax")], 1) + 1
    box = torch.cat([low, high], 1).double()
    limit = torch.tensor([width, height, width, height], device=o.device, dtype=torch.float64)
    whole = full.clamp_min(0).minimum(limit)
    area = (whole[:, 2:] - whole[:, :2]).prod(1)
    sides = box[:, 2:] - box[:, :2]
    # Slivers of hidden things and specks in the distance stay unlabelled, as a person would leave them.
    good = (count >= LEAST_PIXELS * SUPERSAMPLE**2) & (sides.amin(1) >= LEAST_SIDE * SUPERSAMPLE)
    good &= sides.prod(1) >= LEAST_SHARE * area
    out = [[] for _ in range(len(owner))]
    for k, cls, (a, b, c, d), fine in zip(image.tolist(), classes.tolist(), (box / limit).tolist(), good.tolist()):
        if fine:
            out[k].append((cls, (a + c) / 2, (b + d) / 2, c - a, d - b))
    return out


def render(batch, indices, seed, device, chunk):
    """Renders scenes of one size. Returns uint8 RGB images [B,H,W,3] and a list of label rows each."""
    n = len(batch)
    width, height = (SUPERSAMPLE * s for s in batch[0]["size"])
    image = torch.from_numpy(np.repeat(np.arange(n), [len(s["rows"]) for s in batch])).to(device)
    rows = torch.from_numpy(np.concatenate([s["rows"] for s in batch])).to(device)
    keys = [k for k in batch[0] if k not in ("rows", "classes", "size")]
    sc = {k: torch.tensor(np.array([s[k] for s in batch]), dtype=torch.float32, device=device) for k in keys}

    tris = raster.expand(rows, image)
    of = tris["image"]
    cam = torch.einsum("tij,tvj->tvi", sc["view"][of], tris["pos"] - sc["eye"][of][:, None])
    focal = width / 2 / torch.tan(sc["fov"] / 2)
    setup = raster.perspective(cam, focal[of], width, height)
    number, key = raster.zbuffer(*setup, of, n, width, height, chunk)

    side = torch.linalg.cross(sc["sun"], torch.tensor([[0.0, 1.0, 0.0]], device=device).expand(n, 3))
    side = torch.nn.functional.normalize(side, dim=1)
    frame = torch.stack([side, torch.linalg.cross(sc["sun"], side), sc["sun"]], 1)
    ahead = sc["view"][:, 2] * torch.tensor([1.0, 1.0, 0.0], device=device)
    centre = sc["eye"] * torch.tensor([1.0, 1.0, 0.0], device=device) + 8 * torch.nn.functional.normalize(ahead, dim=1)
    scale = SHADOW_MAP / SHADOW_METRES
    casting = rows[tris["row"], CASTS] > 0
    lit = torch.einsum("tij,tvj->tvi", frame[of], tris["pos"] - centre[of][:, None])
    lit = torch.cat([lit[..., :2] * scale + SHADOW_MAP / 2, lit[..., 2:]], -1)
    edges, depth, lo, hi, keep = raster.orthographic(lit, SHADOW_MAP)
    _, shadow = raster.zbuffer(edges, depth, lo, hi, keep & casting, of, n, SHADOW_MAP, SHADOW_MAP, chunk)

    light = {"frame": frame, "centre": centre, "scale": scale, "map": shadow, "soft": sc["soft"]}
    linear = shade.radiance(tris, rows, number, key, setup[0], sc, light)
    seeds = torch.tensor([seed * 1_000_003 + i for i in indices], device=device)
    pictures = shade.develop(linear, sc, seeds)

    counts = np.array([len(s["classes"]) for s in batch])
    first = torch.from_numpy(np.cumsum(counts) - counts).to(device)
    own = rows[:, OBJECT].long()
    own = torch.where(own >= 0, own + first[image], -1)[tris["row"]]
    owner = torch.where(number >= 0, own[number.clamp_min(0)], -1)
    mine = own >= 0
    which = own[mine, None].expand(-1, 2)
    corner = torch.full((int(counts.sum()), 2), 1e9, device=device)
    full = torch.cat([corner.scatter_reduce(0, which, setup[2][mine], "amin"),
                      (-corner).scatter_reduce(0, which, setup[3][mine], "amax")], 1)
    classes = np.concatenate([s["classes"] for s in batch])
    labels = label(owner, classes, np.repeat(np.arange(n), counts), full, width, height)
    return pictures.cpu().numpy(), labels


def write(folder, split, index, picture, rows):
    """One image as JPEG and its label file."""
    name = f"{split}{index:05d}"
    path = folder / "images" / split / f"{name}.jpg"
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
    text = "".join(f"{c} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for c, x, y, w, h in rows)
    (folder / "labels" / split / f"{name}.txt").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", type=int, default=7500)
    parser.add_argument("--val", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, help="images rendered at once (default: 16 on a GPU, 1 on a CPU)")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    args = parser.parse_args()
    gpu = args.device.startswith("cuda")
    batch = args.batch or (16 if gpu else 1)
    chunk = 400_000 if gpu else 20_000

    writers = ThreadPoolExecutor(args.workers)
    start, done = time.time(), 0
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        # The two splits are different series: no scene is in both.
        for split, count, seed in (("val", args.val, args.seed * 2 + 1), ("train", args.train, args.seed * 2)):
            for kind in ("images", "labels"):
                (args.out / kind / split).mkdir(parents=True, exist_ok=True)
            sizes = len(scenes.SIZES)
            order = sorted(range(count), key=lambda i: (i // (sizes * batch), i % sizes, i))
            jobs = pool.imap(_build, [(seed, i) for i in order], chunksize=8)
            group, numbers, pending = [], [], []
            for position, (index, built) in enumerate(zip(order, jobs)):
                group.append(built)
                numbers.append(index)
                following = order[position + 1] if position + 1 < count else None
                if following is None or len(group) == batch or following % sizes != index % sizes:
                    pictures, labels = render(group, numbers, seed, args.device, chunk)
                    pending += [writers.submit(write, args.out, split, *one) for one in zip(numbers, pictures, labels)]
                    done += len(group)
                    group, numbers = [], []
                    if done % 1000 < batch:
                        print(f"rendered {done} in {time.time() - start:.0f} s", flush=True)
            for p in pending:
                p.result()
    print(f"rendered {done} images in {time.time() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
