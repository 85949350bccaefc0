#!/usr/bin/env python3
"""Whole-graph latency beside ONNX Runtime and OpenVINO, batch 1: rounds interleaved in one run, a process per runtime
(so that none of them shares threads or memory with another), medians and spread over all rounds, and ratios.

usage: bench/peers.py MODEL.onnx... [--threads 2] [--rounds 8] [--iterations 12] [--tenon build/tenon]
       bench/peers.py MODEL.onnx... --int8 --engines DIR --peers DIR ...: Tenon's INT8 and half beside the peers' INT8.
           DIR/MODEL.int8.tenon is made where it is missing, with --data DATA and --fraction; of the peers' folder,
           MODEL.*.xml (NNCF) runs in OpenVINO with the rest in FP32 and in BF16, MODEL.*.onnx (Q/DQ) in ONNX Runtime.
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

    def __init__(self, args, model, precision, folder):
        self.engine = os.path.join(folder, f"{stem(model)}.{precision}.tenon")
        self.command = [args.tenon, "run", self.engine, "--threads", str(args.threads)]
        if os.path.exists(self.engine):
            return
        flags = {"fp32": [], "half": ["--half"], "int8": ["--int8", "--data", args.data, "--fraction", str(args.fraction)]}
        subprocess.run([args.tenon, "export", model, "-o", self.engine, "--threads", str(args.threads), "--effort", str(args.effort),
                        "--quiet", "--json"] + flags[precision], check=True, stdout=subprocess.DEVNULL)

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
    if kind.startswith("onnxruntime"):
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        data = np.random.RandomState(0).rand(*[d if isinstance(d, int) else 1 for d in entry.shape]).astype(np.float32)
        return lambda: session.run(None, {entry.name: data})
    import openvino
    core = openvino.Core()
    precision = "bf16" if kind.endswith("bf16") else "f32"
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


def stem(model):
    return os.path.splitext(os.path.basename(model))[0]


def float_runners(args, model, folder):
    return {"tenon fp32": Tenon(args, model, "fp32", folder), "tenon half": Tenon(args, model, "half", folder),
            "onnxruntime fp32": Peer("onnxruntime", model, args.threads), "openvino fp32": Peer("openvino", model, args.threads),
            "openvino bf16": Peer("openvino_bf16", model, args.threads)}


def peer_models(args, model):
    """The peers' INT8 models of this one, each as (row, file, kind of Peer)."""
    for name in sorted(os.listdir(args.peers)):
        path, kind = os.path.join(args.peers, name), name.removeprefix(stem(model) + ".")
        if kind == name or args.kinds and os.path.splitext(kind)[0] not in args.kinds.split(","):
            continue
        if name.endswith(".xml"):
            yield f"openvino {kind[:-4]}", path, "openvino"
            yield f"openvino {kind[:-4]} bf16", path, "openvino_bf16"
        elif name.endswith(".onnx"):
            yield f"onnxruntime {kind[:-5]}", path, "onnxruntime"


def int8_runners(args, model, folder):
    runners = {"tenon int8": Tenon(args, model, "int8", folder), "tenon half": Tenon(args, model, "half", folder)}
    return runners | {row: Peer(kind, path, args.threads) for row, path, kind in peer_models(args, model)}


def describe_machine(args, engine):
    """The processor, and its peaks as they are now."""
    with open("/proc/cpuinfo") as lines:
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    out = subprocess.run([args.tenon, "profile", engine, "--iterations", "1", "--json", "--quiet", "--threads", str(args.threads)],
                         check=True, capture_output=True, text=True)
    peaks = json.loads(out.stdout)["peaks"]
    print(f"{name}, {args.threads} threads; peaks now: FP32 {peaks['fp32_gops']:.0f}, half {peaks['half_gops']:.0f}, INT8 {peaks['int8_gops']:.0f} G/s")


def ratios(median):
    best_of = lambda names: min(median[name] for name in names)
    if "tenon int8" in median:
        peers = [name for name in median if not name.startswith("tenon")]
        if peers:
            best = min(peers, key=median.get)
            yield f"int8 {median[best] / median['tenon int8']:.3f} (best peer, {best} / tenon int8)"
        yield f"int8 over half {median['tenon half'] / median['tenon int8']:.3f} (tenon half / tenon int8)"
    else:
        yield f"fp32 {best_of(['onnxruntime fp32', 'openvino fp32']) / median['tenon fp32']:.3f} (best peer / tenon)"
        yield f"half {median['openvino bf16'] / median['tenon half']:.3f} (openvino bf16 / tenon)"


def compare(args, model, folder):
    """Times and prints; all times of each row, milliseconds."""
    runners = (int8_runners if args.int8 else float_runners)(args, model, folder)
    describe_machine(args, runners["tenon half"].engine)
    times = {name: [] for name in runners}
    for _ in range(args.rounds):
        for name, runner in runners.items():
            times[name] += runner.round(args.iterations)
    for runner in runners.values():
        runner.close()
    print(f"{os.path.basename(model)}, batch 1, {args.rounds} rounds of {args.iterations}; load average {os.getloadavg()[0]:.1f}")
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        values.sort()
        print(f"  {name:<24} median {median[name]:8.2f} ms   10%..90% {values[len(values) // 10]:8.2f} ..{values[len(values) * 9 // 10]:8.2f}   min {values[0]:8.2f}")
    print("  ratio " + "   ".join(ratios(median)), flush=True)
    return times


def add_flags(parser):
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--effort", type=int, default=2)
    parser.add_argument("--tenon", default=os.path.join(os.path.dirname(__file__), "..", "build", "tenon"))
    parser.add_argument("--engines", help="folder where engines are kept and found again (default: a temporary one)")
    parser.add_argument("--peers", help="with --int8: folder of the peers' quantised models")
    parser.add_argument("--kinds", help="of the peers' models only these, such as nncf,ort_default")
    parser.add_argument("--data", help="with --int8: calibration data")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--int8", action="store_true", help="INT8 beside the peers' INT8")
    parser.add_argument("--fraction", type=float, default=1, help="with --int8: of the calibration images")
    add_flags(parser)
    args = parser.parse_args()
    for model in args.models:
        with tempfile.TemporaryDirectory() as temporary:
            compare(args, model, args.engines or temporary)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
