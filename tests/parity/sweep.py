"""A row of a Markdown table per model: steps, fallbacks, and how far FP32 and half are from ONNX Runtime.

usage: sweep.py [--batch N] [--imgsz H,W] [--device NAME] MODEL.onnx...   (environment: TENON, the program)
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import onnx

import compare
import oracle


def steps_of(path, precision, flags, folder):
    """(number of steps, number on the slow reference family, copies) of the compiled model."""
    engine = pathlib.Path(folder) / "model.tenon"
    subprocess.run([oracle.TENON, "export", str(path), "-o", str(engine), "--effort", "0", "--quiet", *precision, *flags],
                   check=True, capture_output=True)
    done = subprocess.run([oracle.TENON, "inspect", str(engine), "--layers", "--json"], check=True, capture_output=True, text=True)
    layers = json.loads(done.stdout)["layers"]
    engine.unlink()
    slow = [layer for layer in layers if "reference" in json.dumps(layer)]
    return len(layers), len(slow), sum("Unary" in json.dumps(layer) for layer in layers)


def differences(got, expected, limit):
    """The worst Difference over all outputs; lists of detections as sets."""
    found = []
    for name, values in expected.items():
        if oracle.is_detection_list(values):
            found.append(compare.row_difference(name, got[name], values, limit))
        else:
            found.append(compare.difference(name, got[name], values))
    return max(found, key=lambda d: d.relative), min(d.cosine for d in found), max(d.rms for d in found)


def row(path, options):
    model = onnx.load(str(path))
    imgsz = [int(v) for v in options.imgsz.split(",")]
    shapes = oracle.input_shapes(model, options.batch, (imgsz[0], imgsz[-1]))
    flags = ["--imgsz", f"{imgsz[0]},{imgsz[-1]}", "--batch", str(options.batch)] if oracle.has_open_dims(model) else []
    inputs = oracle.make_inputs(path.stem, shapes)
    limit = compare.tolerance(oracle.sum_of_k(model))
    expected = oracle.run_oracle(path, inputs)
    cells = [path.stem, str(next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))),
             "x".join(map(str, next(iter(shapes.values()))[0]))]
    with tempfile.TemporaryDirectory() as folder:
        for precision in ([], ["--half"]):
            try:
                got, report, _ = oracle.run_tenon(path, inputs, folder, "--effort", 0, "--device", options.device, *flags, *precision)
                if not precision:
                    steps, slow, copies = steps_of(path, precision, flags, folder)
                    cells += [str(steps), str(slow), str(copies)]
                worst, cosine, rms = differences(got, expected, limit if not precision else 0.02)
                cells += [f"{worst.absolute:.1e}", f"{worst.relative:.1e}"]
                cells += [f"{limit:.0e}", "yes" if worst.relative <= limit else "NO"] if not precision else [f"{rms:.1e}", f"{cosine:.5f}"]
                cells += [f"{report['latency_ms']['median']:.0f}"]
            except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
                cells += [f"{type(error).__name__}: {str(error)[-300:]}".replace("\n", " ")]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--imgsz", default="640")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    header = ["model", "opset", "input", "steps", "reference steps", "unary steps", "FP32 max abs", "max rel", "tolerance", "within", "ms",
              "half max abs", "max rel", "rms rel", "cosine", "ms"]
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header), flush=True)
    for path in options.models:
        print(row(path, options), flush=True)


main()
