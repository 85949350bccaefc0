#!/usr/bin/env python3
"""Makes the INT8 models of other tools from a float ONNX detector and a folder of calibration images, letterboxed as Tenon's `val` does.

usage: bench/int8_peers_make.py MODEL.onnx --images DIR --out DIR [--kinds nncf,ort_default,...] [--limit N]

Written as OUT/MODEL.KIND.onnx, NNCF's OpenVINO models as .xml and .bin. Kinds:
  nncf           NNCF on the OpenVINO model, preset MIXED, no layer named by hand
  nncf_ignored   the same, without the tail behind the heads' last convolutions (what OpenVINO's YOLO tutorials do)
  nncf_onnx      NNCF on the ONNX model: Q/DQ ONNX
  ort_default    ONNX Runtime's quantize_static with its defaults (after its pre-processing, as its documentation asks)
  ort_best       quantize_static, U8 activations, S8 weights per channel, percentile ranges, convolutions alone
  ort_qoperator  as ort_default in QOperator form (QLinearConv, ...), U8 activations
  modelopt       as TensorRT's tools do it: S8 symmetric activations, S8 weights per channel, Q/DQ at convolutions and products
Needs: pip install nncf openvino onnx onnxruntime opencv-python-headless
"""
import argparse
import os
import tempfile
import time

import cv2
import numpy as np
import onnx

KINDS = ("nncf", "nncf_ignored", "nncf_onnx", "ort_default", "ort_best", "ort_qoperator", "modelopt")


def letterbox(path, height, width):
    """[1, 3, height, width] f32 in 0..1: Ultralytics' letterbox."""
    image = cv2.imread(path)
    h, w = image.shape[:2]
    ratio = min(height / h, width / w)
    new_w, new_h = round(w * ratio), round(h * ratio)
    if (new_w, new_h) != (w, h):
        image = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
    left, top = (width - new_w) / 2, (height - new_h) / 2
    image = cv2.copyMakeBorder(image, round(top - 0.1), round(top + 0.1), round(left - 0.1), round(left + 0.1),
                               cv2.BORDER_CONSTANT, value=(114, 114, 114))
    return np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1)[None], np.float32) / 255


class Images:
    """The calibration images, read anew each time: memory doesn't grow with their number."""

    def __init__(self, folder, model, limit):
        files = sorted(os.path.join(d, f) for d, _, fs in os.walk(folder) for f in fs if f.lower().endswith((".jpg", ".png")))
        self.files = [files[i * len(files) // limit] for i in range(limit)] if 0 < limit < len(files) else files
        entry = onnx.load(model, load_external_data=False).graph.input[0]
        self.name = entry.name
        self.size = [d.dim_value for d in entry.type.tensor_type.shape.dim][2:]

    def __iter__(self):
        return (letterbox(f, *self.size) for f in self.files)


def head_convolutions(model):
    """Names of the Convs behind which no other Conv comes."""
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    memo = {}

    def conv_behind(node):
        if id(node) not in memo:
            memo[id(node)] = any(r.op_type == "Conv" or conv_behind(r) for o in node.output for r in readers.get(o, []))
        return memo[id(node)]

    return [n.name for n in model.graph.node if n.op_type == "Conv" and not conv_behind(n)]


def tail_nodes(model):
    """Names of the nodes that come behind the last Convs."""
    heads = set(head_convolutions(model))
    behind, tail = set(), []
    for node in model.graph.node:
        if any(name in behind for name in node.input):
            tail.append(node.name)
            behind.update(node.output)
        elif node.name in heads:
            behind.update(node.output)
    return tail


def make_nncf(model, images, out, ignored):
    import nncf
    import openvino as ov
    options = {}
    if ignored:
        options["ignored_scope"] = nncf.IgnoredScope(names=tail_nodes(onnx.load(model)), validate=False)
    quantised = nncf.quantize(ov.Core().read_model(model), nncf.Dataset(images), subset_size=len(images.files),
                              preset=nncf.QuantizationPreset.MIXED, **options)
    ov.save_model(quantised, out, compress_to_fp16=False)


def make_nncf_onnx(model, images, out):
    import nncf
    feeds = nncf.Dataset(images, lambda image: {images.name: image})
    quantised = nncf.quantize(onnx.load(model), feeds, subset_size=len(images.files), preset=nncf.QuantizationPreset.MIXED)
    onnx.save(quantised, out)


class Reader:
    """ONNX Runtime's CalibrationDataReader."""

    def __init__(self, images):
        self.images, self.next = images, iter(images)

    def get_next(self):
        image = next(self.next, None)
        return None if image is None else {self.images.name: image}


class Part:
    """The next few images of a reader, so that the histogram calibrators don't keep all activations of all images."""

    def __init__(self, reader, size):
        self.reader, self.left, self.done = reader, size, False

    def get_next(self):
        if self.left == 0:
            return None
        self.left -= 1
        feed = self.reader.get_next()
        self.done = feed is None
        return feed


def collect_in_parts():
    from onnxruntime.quantization import calibrate
    whole = calibrate.HistogramCalibrater.collect_data

    def collect(self, reader):
        while True:
            part = Part(reader, 4)
            try:
                whole(self, part)
            except ValueError:  # "No data is collected": the part was empty
                if not part.done:
                    raise
            self.clear_collected_data()
            if part.done:
                return

    calibrate.HistogramCalibrater.collect_data = collect


def make_ort(model, images, out, folder, **options):
    from onnxruntime.quantization import quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    prepared = os.path.join(folder, "prepared.onnx")
    quant_pre_process(model, prepared, skip_symbolic_shape=True)
    collect_in_parts()
    quantize_static(prepared, out, Reader(images), **options)
    metadata = onnx.load(model).metadata_props
    made = onnx.load(out)
    if not made.metadata_props:
        made.metadata_props.extend(metadata)
        onnx.save(made, out)


def make(kind, model, images, out):
    if kind in ("nncf", "nncf_ignored"):
        return make_nncf(model, images, out, kind == "nncf_ignored")
    if kind == "nncf_onnx":
        return make_nncf_onnx(model, images, out)
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType
    options = {
        "ort_default": {},
        "ort_best": dict(per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                         calibrate_method=CalibrationMethod.Percentile, op_types_to_quantize=["Conv"]),
        "ort_qoperator": dict(quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8),
        "modelopt": dict(per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                         op_types_to_quantize=["Conv", "MatMul"],
                         extra_options=dict(ActivationSymmetric=True, WeightSymmetric=True, AddQDQPairToWeight=True, QuantizeBias=False,
                                            DedicatedQDQPair=True)),
    }[kind]
    with tempfile.TemporaryDirectory() as folder:
        make_ort(model, images, out, folder, **options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--limit", type=int, default=0, help="at most so many images, evenly spread (0: all)")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    images = Images(args.images, args.model, args.limit)
    stem = os.path.join(args.out, os.path.splitext(os.path.basename(args.model))[0])
    for kind in args.kinds.split(","):
        out = f"{stem}.{kind}." + ("xml" if kind in ("nncf", "nncf_ignored") else "onnx")
        start = time.time()
        make(kind, args.model, images, out)
        print(f"{out}: {len(images.files)} images, {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
