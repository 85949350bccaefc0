#!/usr/bin/env python3
"""Tenon's engines beside PyTorch on the GPU at hand: the same YOLOv8-shaped network, in turns, graph replays alone.

usage: cuda_peers.py TENON NETWORK.py JOB... [--modes eager,compile] [--rounds 4] [--iterations 60] [--precisions half,fp32,int8]
       [--effort 2] [--data DATA.yaml]

NETWORK.py defines YOLOv8 and SC (sizes), as the project's shared tools do. JOB is SIZE:BATCH ("n:1", "s:32"). The network has
random weights: time alone counts. Torch: FP16, channels last, cuDNN autotuned, captured in a CUDA graph (eager), or
torch.compile and then captured; for fp32 without TF32. Tenon: `tenon export` of the exported ONNX with the default effort, then
`tenon run --all-times`: the graph's own time. Both sides in turns; medians, 10% and 90% of all replays.
"""
import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time

import torch


def load(path):
    spec = importlib.util.spec_from_file_location("network", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Torch:
    """A captured graph of the network."""

    def __init__(self, model, x, mode):
        if mode == "compile":
            torch._dynamo.reset()
            model = torch.compile(model, mode="max-autotune-no-cudagraphs", dynamic=False)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(5):
                model(x)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.y = model(x)

    def times_ms(self, count):
        for _ in range(5):
            self.graph.replay()
        times = []
        for _ in range(count):
            begin, end = torch.cuda.Event(True), torch.cuda.Event(True)
            begin.record()
            self.graph.replay()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end))
        return times


class Tenon:
    def __init__(self, tenon, onnx, precision, data, effort):
        self.tenon, self.engine = tenon, onnx.replace(".onnx", f".{precision}.tenon")
        flags = ["--precision", precision, "--effort", str(effort)] + (["--data", data, "--fraction", "0.1", "--map-drop", "100"] if precision == "int8" else [])
        start = time.time()
        done = subprocess.run([tenon, "export", onnx, "-o", self.engine, "--device", "cuda", "--json", "--quiet", *flags],
                              capture_output=True, text=True)
        self.seconds = time.time() - start
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:] or done.stdout[-300:])
        self.warnings = json.loads(done.stdout)["warnings"]

    def times_ms(self, count):
        done = subprocess.run([self.tenon, "run", self.engine, "--device", "cuda", "--json", "--quiet", "--all-times", "--warmup-ms", "50",
                               "--duration-s", "0", "--iterations", str(count)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:])
        return json.loads(done.stdout)["times_ms"]


def contenders(args, network, size, batch, folder):
    result = {}
    torch.manual_seed(0)
    model = network.YOLOv8(*network.SC[size]).cuda().eval().to(memory_format=torch.channels_last)
    x = torch.rand(batch, 3, 640, 640, device="cuda").to(memory_format=torch.channels_last)
    path = os.path.join(folder, f"yolov8{size}_{batch}.onnx")
    torch.onnx.export(model, (x.contiguous(),), path, dynamo=False, opset_version=17, input_names=["images"], output_names=["output0"])
    for precision in args.precisions.split(","):
        try:
            result[f"tenon {precision}"] = Tenon(args.tenon, path, precision, args.data, args.effort)
            print(f"  tenon {precision}: exported in {result[f'tenon {precision}'].seconds:.1f} s", *result[f"tenon {precision}"].warnings[:3], sep="\n    ", flush=True)
        except Exception as error:
            print(f"  tenon {precision}: FAILED {error}", flush=True)
    if "fp32" in args.precisions:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        result["torch fp32"] = Torch(model.float(), x, "eager")
    half, pixels = model.half(), x.half()
    for mode in args.modes.split(","):
        result[f"torch {mode}"] = Torch(half, pixels, mode)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tenon")
    parser.add_argument("network")
    parser.add_argument("jobs", nargs="+")
    parser.add_argument("--modes", default="eager")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--precisions", default="half")
    parser.add_argument("--effort", type=int, default=2)
    parser.add_argument("--data", default="examples/forklift/data.yaml")
    args = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    network = load(args.network)
    print(torch.cuda.get_device_name(), "torch", torch.__version__, "cuDNN", torch.backends.cudnn.version())
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for job in args.jobs:
            size, batch = job.split(":")[0], int(job.split(":")[1])
            sides = contenders(args, network, size, batch, folder)
            times = {name: [] for name in sides}
            for _ in range(args.rounds):
                for name, side in sides.items():
                    times[name] += side.times_ms(args.iterations)
            for name, list_ms in times.items():
                list_ms.sort()
                at = lambda share: list_ms[int(share * (len(list_ms) - 1))]
                print(f"yolov8{size} batch {batch:3} {name:14} median {at(.5):7.3f} ms  10% {at(.1):7.3f}  90% {at(.9):7.3f}  "
                      f"{batch / at(.5) * 1000:8.0f} images/s  {len(list_ms)} replays", flush=True)
            del sides
            torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
