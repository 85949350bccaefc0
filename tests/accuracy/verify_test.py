#!/usr/bin/env python3
"""`tenon verify` passes for half engines of the fixtures that `val` can judge, and of the bundled example (issue 4, point 1).
Prints a table; exit status 1 where one doesn't pass, 77 (skipped) on a CPU without half. Missing fixtures are named.

usage: verify_test.py TENON [MODEL...]    (default: the example and leyolo_nano; "all": every fixture)
"""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SHARED = os.environ.get("TENON_SHARED") or os.path.join(ROOT, "..", "shared")
FIXTURES = os.path.join(SHARED, "fixtures")
EXAMPLE = os.path.join(ROOT, "examples", "forklift")
# nanodet_m_320 has six outputs that val doesn't decode; yolov8n_dynamic_quantised is no half model.
ALL = ["forklift", "yolov8n", "yolo11n", "yolo26n", "yolov8n-seg", "yolov5n_coco", "leyolo_nano", "yolox_nano"]


def files(model):
    """ONNX file and data set."""
    if model == "forklift":
        return os.path.join(EXAMPLE, "forklift.onnx"), os.path.join(EXAMPLE, "data.yaml")
    return os.path.join(FIXTURES, "models", model + ".onnx"), os.path.join(FIXTURES, "coco.yaml")


def verify(tenon, model, engine):
    """The report of verify, None where this CPU has no half."""
    onnx, data = files(model)
    done = subprocess.run([tenon, "export", onnx, "--half", "--effort", "0", "--quiet", "-o", engine], capture_output=True, text=True)
    if done.returncode == 3:
        return None
    if done.returncode:
        raise SystemExit(done.stderr)
    done = subprocess.run([tenon, "verify", engine, "--source", onnx, "--data", data, "--precision", "half", "--duration-s", "1",
                           "--no-save", "--quiet", "--json"], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main():
    wanted = sys.argv[2:] or ["forklift", "leyolo_nano"]
    wanted = ALL if wanted == ["all"] else wanted
    broken = []
    print("| model | passed | images | map drop (95% interval) | top class drop | F1 drop | score shift | half FLOPs | weights | not judged |")
    with tempfile.TemporaryDirectory(prefix="tenon-verify-") as folder:
        for model in wanted:
            if not os.path.exists(files(model)[0]):
                print(f"skipped {model}: no fixture {files(model)[0]}")
                continue
            report = verify(sys.argv[1], model, os.path.join(folder, model + ".tenon"))
            if report is None:
                print("skipped: this CPU has no half")
                return 77
            checks = {check["name"]: check for check in report["checks"]}
            low, high = checks["map"]["interval"]
            scores = checks["confidence"]["mean_score"]
            print(f"| {model} | {'yes' if report['passed'] else 'NO'} | {report['images']} | {checks['map']['value']:.2f} ({low:.2f} .. {high:.2f}) "
                  f"| {checks['top_class_ap']['value']:.2f} ({checks['top_class_ap']['class']}) | {checks['confidence']['value']:.2f} "
                  f"| {scores['engine'] - scores['source']:+.4f} | {100 * checks['precision_as_asked']['value']:.1f}% | {checks['weights']['status']} "
                  f"| {', '.join(c['name'] for c in report['checks'] if c['status'] == 'not_judged')} |", flush=True)
            if not report["passed"]:
                broken.append(f"{model}: " + "; ".join(f"{c['name']}: {c['detail']}" for c in report["checks"] if c["status"] == "fail"))
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
