#!/usr/bin/env python3
"""How far outputs move in half, and in FP32 with one convolution's weights times 1.05: docs/measurements/2026-11-23-proof.md.

usage: scaled_layers.py TENON MODEL.onnx IMAGE... [--layers 9] [--bgr] (--bgr: 0 to 255, not 0 to 1). Needs numpy, onnx, opencv-python-headless.
"""
import argparse
import os
import subprocess
import tempfile

import cv2
import numpy as np
import onnx
from onnx import numpy_helper

FACTOR = np.float32(1.05)


def letterbox(path, side, bgr):
    image = cv2.imread(path)
    scale = side / max(image.shape[:2])
    image = cv2.resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)))
    canvas = np.full((side, side, 3), 114, np.uint8)
    top, left = (side - image.shape[0]) // 2, (side - image.shape[1]) // 2
    canvas[top:top + image.shape[0], left:left + image.shape[1]] = image
    chw = canvas.transpose(2, 0, 1)[None].astype(np.float32)
    return chw if bgr else chw[:, ::-1] / 255


class Runner:
    def __init__(self, tenon, folder, inputs, name):
        self.tenon, self.folder, self.inputs, self.name = tenon, folder, inputs, name

    def outputs(self, model, *flags):
        """Channels x boxes of the first output, over all inputs."""
        rows = []
        for values in self.inputs:
            array = os.path.join(self.folder, "in.npy")
            np.save(array, values)
            subprocess.run([self.tenon, "run", model, "--effort", "0", "--inputs", f"{self.name}={array}", "--save-outputs", self.folder,
                            "--duration-s", "0", "--iterations", "1", "--warmup-ms", "0", "--quiet", *flags], check=True, stdout=subprocess.DEVNULL)
            output = np.load(os.path.join(self.folder, "output.npy" if os.path.exists(os.path.join(self.folder, "output.npy")) else "output0.npy"))
            rows.append(output[0].astype(np.float64).T if output.shape[1] > output.shape[2] else output[0].astype(np.float64))
        return np.concatenate(rows, 1)


def report(title, reference, other):
    spread = np.sqrt(((reference - reference.mean(1, keepdims=True)) ** 2).sum(1)).clip(1e-6)
    distance = np.sqrt(((other - reference) ** 2).sum(1)) / spread
    print(f"{title:<50} boxes {distance[:4].mean():.4f}  scores {distance[4:].mean():.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tenon")
    parser.add_argument("model")
    parser.add_argument("images", nargs="+")
    parser.add_argument("--layers", type=int, default=9)
    parser.add_argument("--bgr", action="store_true")
    options = parser.parse_args()
    model = onnx.load(options.model)
    first = model.graph.input[0]
    inputs = [letterbox(path, first.type.tensor_type.shape.dim[2].dim_value, options.bgr) for path in options.images]
    weights = {tensor.name for tensor in model.graph.initializer}
    convs = [node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in weights]
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(options.tenon, folder, inputs, first.name)
        reference = runner.outputs(options.model)
        report("half", reference, runner.outputs(options.model, "--half"))
        for index in sorted({round(i) for i in np.linspace(0, len(convs) - 1, options.layers)}):
            scaled = onnx.ModelProto()
            scaled.CopyFrom(model)
            for tensor in scaled.graph.initializer:
                if tensor.name == convs[index].input[1]:
                    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * FACTOR, tensor.name))
            path = os.path.join(folder, "scaled.onnx")
            onnx.save(scaled, path)
            report(f"x1.05 {convs[index].name}", reference, runner.outputs(path))


if __name__ == "__main__":
    main()
