#!/usr/bin/env python3
"""INT8 of NNCF (in OpenVINO) and of ONNX Runtime beside Tenon's: mAP with Tenon's evaluator on the same images, and time in turns.

usage: bench/int8_peers.py accuracy MODEL.onnx... --data DATA --engines DIR --peers DIR --results FILE.json [--kinds nncf,ort_default,...]
       bench/int8_peers.py time     MODEL.onnx... (the same; on an idle machine)
       bench/int8_peers.py table --results FILE.json

DIR/MODEL.int8.tenon and DIR/MODEL.half.tenon are made where they are missing, with default flags; the peers' models are those of
bench/int8_peers_make.py. FILE.json collects what both runs find, `table` prints it. With Tenon's `export --format onnx` file as
PEERS/MODEL.tenon_qdq.onnx, that is a row too. Run it with a Python that has onnxruntime, openvino and numpy.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import peers

SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "openvino_as_onnxruntime.py")
ONCE = ["--effort", "0", "--warmup-ms", "0", "--duration-s", "0", "--iterations", "1"]


def tenon(args, *command):
    done = subprocess.run([args.tenon, *command, "--json", "--quiet"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def benchmark(args, model, python, env=None):
    """mAP of the rows of `tenon benchmark`: {"tenon half": ..., "onnxruntime fp32": ...}; what a row failed with where it did."""
    os.environ.update(env or {})
    result = tenon(args, "benchmark", model, "--data", args.data, "--precisions", "half", "--onnxruntime", python, *ONCE)
    return {f"{row['format']} {row['precision']}": row.get("error") or 100 * row["map50_95"] for row in result["rows"]}


def openvino_interpreter(folder):
    """A file that `tenon benchmark` takes for a Python interpreter with ONNX Runtime, and that runs OpenVINO."""
    path = os.path.join(folder, "python")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec "{sys.executable}" "{SHIM}" "$@"\n')
    os.chmod(path, 0o755)
    return path


def accuracy(args, model, folder, rows):
    """Fills rows[NAME]["map"]; of Q/DQ models that Tenon runs too, also rows[NAME]["map_in_tenon"]."""
    engines = {name: peers.Tenon(args, model, name, args.engines).engine for name in ("int8", "half")}
    found = {f"tenon {name}": 100 * tenon(args, "val", engine, "--data", args.data)["metrics"]["map50_95"]
             for name, engine in engines.items()}
    found["onnxruntime fp32"] = benchmark(args, model, sys.executable)["onnxruntime fp32"]
    interpreter = openvino_interpreter(folder)
    for name, path, runtime in peers.peer_models(args, model):
        if runtime == "openvino_bf16":
            continue  # timed alone: the rest in FP32 is what accuracy is judged by
        if runtime == "openvino":
            found[name] = benchmark(args, model, interpreter, {"OPENVINO_MODEL": path})["onnxruntime fp32"]
        else:
            both = benchmark(args, path, sys.executable)
            found[name] = both["onnxruntime fp32"]
            rows.setdefault(name, {})["map_in_tenon"] = both["tenon half"]
    for name, value in found.items():
        rows.setdefault(name, {})["map"] = value
        print(f"  {name:<32} mAP50-95 {value if isinstance(value, str) else format(value, '.2f')}", flush=True)


def time(args, model, rows):
    """Fills the times, milliseconds."""
    for name, values in peers.compare(args, model, args.engines).items():
        values = sorted(values)
        rows.setdefault(name, {})["ms"] = {"median": values[len(values) // 2], "p10": values[len(values) // 10],
                                           "p90": values[len(values) * 9 // 10], "min": values[0]}


def table(results):
    def number(row, key):
        value = row.get(key)
        return "failed" if isinstance(value, str) else "" if value is None else f"{value:.2f}"
    print("| model | INT8 by | mAP50-95 | drop | median ms | 10% .. 90% | min |\n| --- | --- | ---: | ---: | ---: | --- | ---: |")
    for model, rows in results.items():
        source = rows.get("onnxruntime fp32", {}).get("map")
        for name, row in sorted(rows.items(), key=lambda entry: (not entry[0].startswith("tenon"), entry[0])):
            value, ms = row.get("map"), row.get("ms")
            drop = f"{source - value:.2f}" if isinstance(value, float) and isinstance(source, float) else ""
            times = f"{ms['median']:.2f} | {ms['p10']:.2f} .. {ms['p90']:.2f} | {ms['min']:.2f}" if ms else " | | "
            inside = f" (in Tenon: {number(row, 'map_in_tenon')})" if "map_in_tenon" in row else ""
            print(f"| {model} | {name} | {number(row, 'map')}{inside} | {drop} | {times} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("accuracy", "time", "table"))
    parser.add_argument("models", nargs="*")
    parser.add_argument("--results", required=True)
    peers.add_flags(parser)
    args = parser.parse_args()
    args.int8, args.fraction = True, 1
    results = {}
    if os.path.exists(args.results):
        with open(args.results, encoding="utf-8") as file:
            results = json.load(file)
    for model in args.models:
        rows = results.setdefault(peers.stem(model), {})
        print(peers.stem(model), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            accuracy(args, model, folder, rows) if args.what == "accuracy" else time(args, model, rows)
        with open(args.results, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    if args.what == "table":
        table(results)


if __name__ == "__main__":
    main()
