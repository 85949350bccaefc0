"""Both sides of the comparison: inputs, ONNX Runtime in FP32, `tenon run`, and what a model's tolerance needs to know."""
import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime
import PIL.Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
TENON = os.environ.get("TENON", str(ROOT / "build" / "tenon"))
SHARED = pathlib.Path(os.environ.get("TENON_SHARED", ROOT.parent / "shared"))
TYPES = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.FLOAT16: np.float16, onnx.TensorProto.INT64: np.int64,
         onnx.TensorProto.INT32: np.int32, onnx.TensorProto.UINT8: np.uint8}


def input_shapes(model, batch=1, imgsz=(640, 640)):
    """{name: (shape, dtype)} of the inputs; dimensions that are left open become `batch` (the first) and `imgsz` (the last two)."""
    constants = {tensor.name for tensor in model.graph.initializer}
    shapes = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        open_dims = [batch, 3, *imgsz] if len(dims) == 4 else [batch] * len(dims)
        shapes[value.name] = ([d or o for d, o in zip(dims, open_dims)], TYPES[value.type.tensor_type.elem_type])
    return shapes


def has_open_dims(model):
    """Whether the first input leaves a dimension open (an export with dynamic=True)."""
    return any(d.dim_param or not d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)


def photo(shape, seed=0):
    """Values in 0..1: a photo stretched to the shape; another seed rolls it, so that the images of a batch differ."""
    path = SHARED / "fixtures" / "images" / "bus.jpg"
    path = path if path.exists() else ROOT / "examples" / "forklift" / "images" / "val" / "val00000.jpg"
    pixels = np.asarray(PIL.Image.open(path).convert("RGB").resize((shape[-1], shape[-2]), PIL.Image.Resampling.BILINEAR))
    image = np.moveaxis(pixels, 2, 0)[:shape[-3]]
    return np.stack([np.roll(image, 37 * (seed + i), axis=2) for i in range(shape[0])]).astype(np.float32) / 255


def preprocess(name, image):
    """What the detector called `name` was trained on, near enough: 0..1, but for the families that take other ranges."""
    if "yolox" in name:
        return image * 255
    return (image - 0.45) / 0.225 if "nanodet" in name else image


def make_inputs(model_name, shapes, seed=0):
    """{input: array}: photos for images, uniform noise for anything else."""
    return {name: (preprocess(model_name, photo(shape, seed)) if len(shape) == 4 and shape[1] <= 3
                   else np.random.default_rng(seed).random(shape)).astype(dtype) for name, (shape, dtype) in shapes.items()}


def run_oracle(path, inputs):
    """{output: array} of ONNX Runtime. Its basic optimisations alone: the extended ones approximate (GELU) and fuse."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def run_tenon(path, inputs, folder, *flags, iterations=1):
    """({output: array}, the run's JSON, its warnings). Raises RuntimeError with tenon's message where it refuses or fails."""
    arguments = [TENON, "run", str(path), "--json", "--save-outputs", str(folder), "--duration-s", "0", "--iterations", str(iterations),
                 "--warmup-ms", "0", *map(str, flags)]
    for name, values in inputs.items():
        file = pathlib.Path(folder) / f"input_{len(arguments)}.npy"
        np.save(file, values)
        arguments += ["--inputs", f"{name}={file}"]
    done = subprocess.run(arguments, capture_output=True, text=True, errors="replace", timeout=900, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"tenon run {path} {' '.join(map(str, flags))}: status {done.returncode}: {done.stderr[-2000:]}")
    report = json.loads(done.stdout)
    outputs = {output["name"]: np.load(output["file"]) for output in report["outputs"]}
    return outputs, report, [line for line in done.stderr.splitlines() if line.startswith("warning")]


def sum_of_k(model):
    """Terms of the reductions of all convolutions and products by a constant matrix; 64 (a head) for other matrix products."""
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            shapes.update({node.output[0]: list(a.t.dims) for a in node.attribute if a.name == "value"})
    total = 0
    for node in model.graph.node:
        weight = shapes.get(node.input[1], []) if len(node.input) > 1 else []
        if node.op_type in ("Conv", "ConvInteger", "ConvTranspose"):
            total += int(np.prod(weight[1:])) if weight else 64
        elif node.op_type in ("MatMul", "Gemm", "MatMulInteger", "Einsum"):
            total += max(weight) if weight else 64
    return total


def is_detection_list(array):
    """End-to-end heads: batch x (up to 300) detections x (box, score, class, ...)."""
    return array.ndim == 3 and array.shape[1] <= 300 and 6 <= array.shape[2] <= 60


def is_quantised(model):
    return any(node.op_type in ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv") for node in model.graph.node)
