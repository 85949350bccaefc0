"""Makes untrained exports worth comparing. Untrained networks let activations fade to nothing layer by layer, so that their outputs
are constants and any error hides; here each convolution's weights are scaled until its outputs have unit
variance, and biases are
random (a head's, which start near -11, become -1), so that scores and boxes depend on the image.

usage: enliven.py OUT_FOLDER MODEL.onnx...
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import oracle

PASSES = 6


def convolutions(model):
    """(node, weight initializer, bias initializer or None) of every convolution with constant weights; each weight once."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    seen, found = set(), []
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose") or node.input[1] not in tensors or node.input[1] in seen:
            continue
        seen.add(node.input[1])
        found.append((node, tensors[node.input[1]], tensors.get(node.input[2]) if len(node.input) > 2 else None))
    return [entry for entry in found if not is_fixed(entry[1])]


def is_fixed(weight):
    """The expectation over 0..15 of distribution focal loss is a convolution whose weights are no matter of training."""
    return list(weight.dims) == [1, 16, 1, 1]


def magnitudes(model, names, inputs):
    """{name: standard deviation over the image} of intermediate values: without the channels' means, which biases make."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {output.name for output in probe.graph.output}
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = [name for name in names if name not in inputs]
    values = dict(zip(wanted, session.run(wanted, inputs)), **inputs)
    return {name: float(np.sqrt(np.var(values[name].astype(np.float64), axis=(-2, -1)).mean())) for name in names}


def enliven(model, inputs):
    generator = np.random.default_rng(0)
    found = convolutions(model)
    for _, _, bias in found:
        if bias is not None:
            values = numpy_helper.to_array(bias)
            fresh = np.where(values < -4, -1, 0) + 0.1 * generator.standard_normal(values.shape)
            bias.CopyFrom(numpy_helper.from_array(fresh.astype(values.dtype), bias.name))
    names = sorted({name for node, _, _ in found for name in (node.input[0], node.output[0])})
    for number in range(PASSES):
        size = magnitudes(model, names, inputs)
        for node, weight, _ in found:
            gain = size[node.output[0]] / max(size[node.input[0]], 1e-12)
            # While the layers before still fade, their sizes say nothing: SiLU of a unit normal is 0.6 wide. Later: unit outputs.
            target = 1 / 0.6 if number < PASSES // 2 else np.clip(1 / max(size[node.input[0]], 1e-3), 0.1, 5)
            values = numpy_helper.to_array(weight)
            scaled = values * (target / max(gain, 1e-9))
            weight.CopyFrom(numpy_helper.from_array(scaled.astype(values.dtype), weight.name))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in map(pathlib.Path, sys.argv[2:]):
        model = onnx.load(str(path))
        enliven(model, oracle.make_inputs(path.stem, oracle.input_shapes(model, 1, (320, 320))))
        onnx.save(model, str(folder / path.name))
        print(folder / path.name, flush=True)


main()
