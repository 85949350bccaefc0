#!/usr/bin/env python3
"""Whole-graph latency beside ONNX Runtime and OpenVINO, batch 1: rounds interleaved in one run, a process per runtime
(so that none of them shares threads or memory with another), medians and spread over all rounds, and ratios.

usage: bench/peers.py MODEL.onnx... [--threads 2] [--rounds 8] [--iterations 12] [--tenon build/tenon]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile


class Tenon:
    """`tenon run` on an engine that was exported before; a fresh process each round."""

    def __init__(self, program, model, half, threads, folder, effort):
        self.command = [program, "run", os.path.join(folder, f"{os.path.basename(model)}.{half}.tenon"), "--threads", str(threads)]
        export = [program, "export", model, "-o", self.command[2], "--threads", str(threads), "--effort", str(effort), "--quiet", "--json"]
        subprocess.run(export + (["--half"] if half else []), check=True, stdout=subprocess.DEVNULL)

    def round(self, iterations):
        out = subprocess.run(self.command + ["--duration-s", "0", "--warmup-ms", "300", "--iterations", str(iterations), "--json", "--quiet", "--all-times"],
                             check=True, capture_output=True, text=True)
        return json.loads(out.stdout)["times_ms"]

    def close(self):
        pass


class Peer:
    """A runtime in a worker process of its own that sleeps while the others run."""

    def __init__(self, kind, model, threads):
        self.process = subprocess.Popen([sys.executable, __file__, "--worker", kind, model, str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{kind} can't run {model}")

    def round(self, iterations):
        self.process.stdin.write(f"{iterations}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def make_runner(kind, model, threads):
    """A function that runs the model once on a fixed random input."""
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    if kind == "onnxruntime":
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        data = np.random.RandomState(0).rand(*[d if isinstance(d, int) else 1 for d in entry.shape]).astype(np.float32)
        return lambda: session.run(None, {entry.name: data})
    import openvino
    core = openvino.Core()
    precision = {"openvino": "f32", "openvino_bf16": "bf16"}[kind]
    compiled = core.compile_model(core.read_model(model), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    data = np.random.RandomState(0).rand(*compiled.input(0).shape).astype(np.float32)
    return lambda: request.infer({0: data})


def worker(kind, model, threads):
    import time
    run = make_runner(kind, model, threads)
    for _ in range(5):
        run()
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(3):
            run()
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) * 1e3)
        print(json.dumps(times), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--effort", type=int, default=2)
    parser.add_argument("--tenon", default=os.path.join(os.path.dirname(__file__), "..", "build", "tenon"))
    args = parser.parse_args()
    for model in args.models:
        with tempfile.TemporaryDirectory() as folder:
            runners = {"tenon fp32": Tenon(args.tenon, model, False, args.threads, folder, args.effort),
                       "tenon half": Tenon(args.tenon, model, True, args.threads, folder, args.effort),
                       "onnxruntime fp32": Peer("onnxruntime", model, args.threads),
                       "openvino fp32": Peer("openvino", model, args.threads),
                       "openvino bf16": Peer("openvino_bf16", model, args.threads)}
            times = {name: [] for name in runners}
            for _ in range(args.rounds):
                for name, runner in runners.items():
                    times[name] += runner.round(args.iterations)
            for runner in runners.values():
                runner.close()
        print(f"{os.path.basename(model)}, {args.threads} threads, batch 1, {args.rounds} rounds of {args.iterations}; load average {os.getloadavg()[0]:.1f}")
        median = {name: statistics.median(values) for name, values in times.items()}
        for name, values in times.items():
            values.sort()
            print(f"  {name:<18} median {median[name]:8.2f} ms   10%..90% {values[len(values) // 10]:8.2f} ..{values[len(values) * 9 // 10]:8.2f}   min {values[0]:8.2f}")
        best = min(median["onnxruntime fp32"], median["openvino fp32"])
        print(f"  ratio fp32 {best / median['tenon fp32']:.3f} (best peer / tenon)   half {median['openvino bf16'] / median['tenon half']:.3f} (openvino bf16 / tenon)", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
