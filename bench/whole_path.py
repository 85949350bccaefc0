#!/usr/bin/env python3
"""Images per second from image files to boxes, nothing drawn, beside Ultralytics' own `predict` with OpenVINO on the same files:
rounds interleaved in one run, medians and spread over all rounds, and ratios. Tenon's rows are whole processes
(`tenon predict --no-save --json`), start and loading included; Ultralytics' is its loop alone, imported, loaded and warm.

usage: bench/whole_path.py MODEL.onnx IMAGES [--threads 2] [--rounds 5] [--precisions half,int8] [--tenon build/tenon]
           [--engines DIR --data DATA] [--peer-int8 MODEL.xml]
       with pip's ultralytics, openvino and onnx. OpenVINO gets the model as `yolo export format=openvino` writes it and
       chooses its own precision, as it does for Ultralytics' users. --peer-int8: a quantised model of it as another row.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from peers import Tenon, add_flags, describe_machine, stem


class TenonPredict(Tenon):
    """`tenon predict` on an engine that was exported before; a fresh process each round."""

    def round(self, args):
        start = time.perf_counter()
        out = subprocess.run([args.tenon, "predict", self.engine, args.images, "--no-save", "--json", "--quiet", "--threads", str(args.threads)],
                             check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        images = json.loads(out.stdout)["images"]
        return len(images) / seconds, sum(len(image["detections"]) for image in images)


class UltralyticsPredict:
    """A process of its own that sleeps while the others run."""

    def __init__(self, args, model):
        self.process = subprocess.Popen([sys.executable, __file__, "--worker", model, args.images, str(args.threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.process.stdout.readline().strip()
        if not self.about.startswith("ready"):
            raise RuntimeError(f"Ultralytics can't run {model}")

    def round(self, args):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def write_openvino(model, network, folder):
    """The folder that `yolo export format=openvino` makes of a model, with this network in it; returns its path."""
    import onnx
    import openvino
    target = os.path.join(folder, stem(network) + "_openvino_model")
    os.makedirs(target)
    openvino.save_model(openvino.Core().read_model(network), os.path.join(target, stem(model) + ".xml"), compress_to_fp16=False)
    with open(os.path.join(target, "metadata.yaml"), "w") as out:
        for entry in onnx.load(model).metadata_props:
            out.write(f"{entry.key}: {entry.value}\n")
    return target


def worker(model, images, threads):
    """Reports go to stdout alone: Ultralytics prints there too."""
    reports, sys.stdout = sys.stdout, sys.stderr
    import torch
    import ultralytics
    torch.set_num_threads(threads)
    yolo = ultralytics.YOLO(model, task="detect")

    def run():
        start, count, boxes, speed = time.perf_counter(), 0, 0, {}
        for result in yolo.predict(images, stream=True, save=False, verbose=False, device="cpu"):
            count, boxes = count + 1, boxes + len(result.boxes)
            speed = {key: speed.get(key, 0) + value for key, value in result.speed.items()}
        return count / (time.perf_counter() - start), boxes, {key: value / count for key, value in speed.items()}

    speed = run()[2]
    compiled = yolo.predictor.model.backend.ov_compiled_model
    about = f"ultralytics {ultralytics.__version__}, OpenVINO's precision {compiled.get_property('INFERENCE_PRECISION_HINT')}, " \
            f"threads {compiled.get_property('INFERENCE_NUM_THREADS')}; its own times, ms: {', '.join(f'{k} {v:.1f}' for k, v in speed.items())}"
    print(f"ready {about}", file=reports, flush=True)
    for _ in sys.stdin:
        print(json.dumps(run()[:2]), file=reports, flush=True)


def compare(args, folder):
    tenons = {f"tenon {precision}": TenonPredict(args, args.model, precision, args.engines or folder) for precision in args.precisions.split(",")}
    peers = {"ultralytics openvino": UltralyticsPredict(args, write_openvino(args.model, args.model, folder))}
    if args.peer_int8:
        peers["ultralytics openvino int8"] = UltralyticsPredict(args, write_openvino(args.model, args.peer_int8, folder))
    describe_machine(args, next(iter(tenons.values())).engine)
    for name, peer in peers.items():
        print(f"{name}: {peer.about.removeprefix('ready ')}")
    rates, boxes, loads = {name: [] for name in [*tenons, *peers]}, {}, []
    for _ in range(args.rounds):
        for name, runner in {**tenons, **peers}.items():
            rate, boxes[name] = runner.round(args)
            rates[name].append(rate)
            loads.append(os.getloadavg()[0])
    for runner in peers.values():
        runner.close()
    print(f"{os.path.basename(args.model)}, {args.images}, {args.rounds} rounds; load average {min(loads):.1f} to {max(loads):.1f}")
    median = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(f"  {name:<26} median {median[name]:7.2f} images/s   {min(values):7.2f} ..{max(values):7.2f}   {boxes[name]} boxes")
    for name in tenons:
        print(f"  {name}: " + ", ".join(f"{median[name] / median[peer]:.2f} times {peer}" for peer in peers), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("images")
    parser.add_argument("--precisions", default="half,int8")
    parser.add_argument("--peer-int8")
    parser.add_argument("--fraction", type=float, default=1, help="of the calibration images")
    add_flags(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        compare(args, temporary)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
