#!/usr/bin/env python3
"""How much INT8's mAP hangs on which images it was calibrated on: draws of the training images at random, an export each, and `val`.

usage: bench/int8_draws.py MODEL.onnx... --data DATA.yaml --train DIR [--sizes 64,200] [--draws 3] [--flags="--effort 0"] [--jobs heavy]

DIR and its folders hold the images to draw from; the rest of DATA.yaml stays. A line for each draw, the worst of each size at the end.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

import yaml


def data_set(args, folder, size, draw):
    """A data.yaml with that draw as its training images."""
    images = sorted(os.path.join(root, name) for root, _, names in os.walk(os.path.abspath(args.train)) for name in names
                    if name.lower().endswith((".jpg", ".png")))
    drawn = random.Random(1000 * size + draw).sample(images, size)
    with open(os.path.join(folder, "train.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{path}\n" for path in drawn)
    with open(args.data, encoding="utf-8") as file:
        data = yaml.safe_load(file)
    root = os.path.join(os.path.dirname(os.path.abspath(args.data)), str(data.get("path", "")))
    data |= {"path": folder, "train": "train.txt", "val": os.path.normpath(os.path.join(root, data["val"]))}
    path = os.path.join(folder, "data.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(data, file)
    return path


def tenon(args, *command):
    done = subprocess.run([*args.jobs.split(), args.tenon, *command, "--json", "--quiet"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def val(args, model, *flags):
    return 100 * tenon(args, "val", model, "--data", args.data, *flags)["metrics"]["map50_95"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--sizes", default="64,200")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--flags", default="--effort 0", help="of the exports")
    parser.add_argument("--jobs", default="", help="a command in front of each of Tenon's")
    parser.add_argument("--tenon", default=os.path.join(os.path.dirname(__file__), "..", "build", "tenon"))
    args = parser.parse_args()
    for model in args.models:
        source = val(args, model, "--effort", "0")
        for size in map(int, args.sizes.split(",")):
            drops = []
            for draw in range(args.draws):
                with tempfile.TemporaryDirectory() as folder:
                    engine = os.path.join(folder, "int8.tenon")
                    made = tenon(args, "export", model, "--int8", "--data", data_set(args, folder, size, draw), "-o", engine, *args.flags.split())
                    drops.append(source - val(args, engine))
                print(f"{os.path.basename(model)} {size} images, draw {draw}: mAP50-95 {source - drops[-1]:.2f} of {source:.2f}, drop {drops[-1]:.2f}, "
                      f"{100 * made['flops_share']['int8']:.1f}% of the FLOPs in INT8, {made['seconds']:.0f} s", flush=True)
            print(f"{os.path.basename(model)} {size} images: worst drop {max(drops):.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
