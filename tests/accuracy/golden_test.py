#!/usr/bin/env python3
"""`tenon val` on the fixtures against the golden results of the original tools (issue 3, points 1 and 3):
FP32 mAP50-95 and mAP50 within 0.1 points of the golden file, each class's AP within 0.5 points; half within 0.3 points
of FP32. Prints a table; exit status 1 where a bound is broken, 77 (skipped) without fixtures.

usage: golden_test.py TENON [MODEL...]    (default: yolov8n leyolo_nano)
"""
import json
import os
import subprocess
import sys

SHARED = os.environ.get("TENON_SHARED") or os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared")
FIXTURES = os.path.join(SHARED, "fixtures")


def val(tenon, model, *flags):
    command = [tenon, "val", os.path.join(FIXTURES, "models", model + ".onnx"), "--data", os.path.join(FIXTURES, "coco.yaml"),
               "--json", "--quiet", "--effort", "0", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def check(tenon, model):
    """Broken bounds, as sentences."""
    with open(os.path.join(FIXTURES, "golden", model + ".json")) as file:
        golden = json.load(file)
    code, fp32 = val(tenon, model)
    if code:
        return [f"{model}: {fp32['error']['message']}"]
    metrics = fp32["metrics"]
    expected = {row["class"]: row["ap50_95"] for row in golden["classes"]}
    got = {row["id"]: row["ap50_95"] for row in fp32["classes"]}
    worst = max((abs(got.get(c, -1) - ap), c) for c, ap in expected.items())
    broken = []
    print(f"{model:<14} fp32 mAP50-95 {100 * metrics['map50_95']:.2f} (golden {100 * golden['map']:.2f})  mAP50 {100 * metrics['map50']:.2f} "
          f"(golden {100 * golden['map50']:.2f})  worst class {worst[1]}: {100 * worst[0]:.3f} points", flush=True)
    for name, value, bound in (("mAP50-95", abs(metrics["map50_95"] - golden["map"]), 0.001),
                               ("mAP50", abs(metrics["map50"] - golden["map50"]), 0.001), ("a class's AP", worst[0], 0.005)):
        if not value <= bound:
            broken.append(f"{model} fp32: {name} off by {100 * value:.3f} points, at most {100 * bound} allowed")
    code, half = val(tenon, model, "--half")
    if code == 3:
        print(f"{model:<14} half: this CPU has none")
        return broken
    drop = abs(half["metrics"]["map50_95"] - metrics["map50_95"])
    print(f"{model:<14} half mAP50-95 {100 * half['metrics']['map50_95']:.2f}  mAP50 {100 * half['metrics']['map50']:.2f}", flush=True)
    if not drop <= 0.003:
        broken.append(f"{model} half: mAP50-95 off by {100 * drop:.3f} points from fp32, at most 0.3 allowed")
    return broken


def main():
    if not os.path.isdir(os.path.join(FIXTURES, "golden")):
        print(f"skipped: no fixtures in {FIXTURES}")
        return 77
    broken = [line for model in sys.argv[2:] or ["yolov8n", "leyolo_nano"] for line in check(sys.argv[1], model)]
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
