"""Makes the small nets of corpus/onnx_reader: every kernel family of the CPU gets a step. usage: make_seeds.py (needs onnx, numpy)

Their engines, which scripts/fuzz.sh exports, are the seeds of engine_reader.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "corpus" / "onnx_reader"
random = np.random.default_rng(1)


class Net:
    def __init__(self, shape):
        self.nodes, self.constants, self.count, self.shape = [], [], 0, shape

    def const(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, *shape):
        return self.const((random.integers(-8, 9, shape) / 8).astype(np.float32))

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{self.count + i}" for i in range(outputs)]
        self.count += outputs
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x, ic, oc, k=3, op="Conv", act=True, **attributes):
        group = attributes.get("group", 1)
        shape = (ic, oc // group, k, k) if op == "ConvTranspose" else (oc, ic // group, k, k)
        attributes.setdefault("pads", [k // 2] * 4 if op == "Conv" else [0] * 4)
        y = self.add(op, x, self.weights(*shape), self.weights(oc), **attributes)
        return self.add("Mul", y, self.add("Sigmoid", y)) if act else y

    def save(self, name, *outputs):
        value = lambda n, shape: helper.make_tensor_value_info(n, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "g", [value("x", self.shape)], [value(o, None) for o in outputs], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())


def i64(*values):
    return np.array(values, np.int64)


def backbone():
    net = Net([1, 3, 8, 8])
    a = net.conv("x", 3, 8, strides=[2, 2])
    b = net.conv(a, 8, 8)
    c = net.add("Add", a, b)  # residual
    left, right = net.add("Split", c, net.const(i64(4, 4)), outputs=2, axis=1)
    d = net.add("Concat", net.conv(left, 4, 4), right, net.conv(right, 4, 4, k=1), axis=1)
    e = net.add("MaxPool", d, kernel_shape=[3, 3], pads=[1] * 4)
    up = net.add("Resize", e, "", net.const(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
                 coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    net.save("net_backbone", net.conv(up, 12, 3, k=1, act=False), d)


def mobile():
    net = Net([1, 4, 6, 6])
    a = net.conv("x", 4, 16, k=1)
    b = net.add("Clip", net.conv(a, 16, 16, group=16, act=False), net.const(np.float32(0)), net.const(np.float32(6)))
    pooled = net.add("GlobalAveragePool", b)
    gate = net.add("HardSigmoid", net.conv(pooled, 16, 16, k=1, act=False))
    c = net.conv(net.add("Mul", b, gate), 16, 6, k=1, group=2)
    d = net.conv(c, 6, 4, k=2, op="ConvTranspose", strides=[2, 2])
    e = net.add("AveragePool", d, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=1)
    flat = net.add("Flatten", e)
    net.save("net_mobile", net.add("Gemm", flat, net.weights(144, 5), net.weights(5)))


def transformer():
    net = Net([1, 8, 4, 4])
    tokens = net.add("Transpose", net.add("Reshape", "x", net.const(i64(1, 8, 16))), perm=[0, 2, 1])
    a = net.add("LayerNormalization", tokens, net.weights(8), net.weights(8))
    heads = lambda w, perm: net.add("Transpose", net.add("Reshape", net.add("MatMul", a, w), net.const(i64(1, 16, 2, 4))), perm=perm)
    q, k, v = heads(net.weights(8, 8), [0, 2, 1, 3]), heads(net.weights(8, 8), [0, 2, 3, 1]), heads(net.weights(8, 8), [0, 2, 1, 3])
    scores = net.add("Mul", net.add("MatMul", q, k), net.const(np.float32(0.5)))
    mixed = net.add("MatMul", net.add("Softmax", scores, axis=-1), v)
    b = net.add("Add", tokens, net.add("Reshape", net.add("Transpose", mixed, perm=[0, 2, 1, 3]), net.const(i64(1, 16, 8))))
    net.save("net_transformer", net.add("Erf", b), net.add("ReduceMean", b, axes=[1]))


def tail():
    net = Net([1, 20, 10])
    box, score = net.add("Split", "x", net.const(i64(16, 4)), outputs=2, axis=1)
    bins = net.add("Softmax", net.add("Transpose", net.add("Reshape", box, net.const(i64(1, 4, 4, 10))), perm=[0, 2, 1, 3]), axis=1)
    dist = net.add("Reshape", net.add("Conv", bins, net.const(np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1))), net.const(i64(1, 4, 10)))
    lt, rb = net.add("Slice", dist, net.const(i64(0)), net.const(i64(2)), net.const(i64(1))), net.add("Slice", dist, net.const(i64(2)), net.const(i64(4)), net.const(i64(1)))
    anchors = net.weights(1, 2, 10)
    corners = net.add("Concat", net.add("Sub", anchors, lt), net.add("Add", anchors, rb), axis=1)
    out = net.add("Concat", corners, net.add("Sigmoid", score), axis=1)
    best = net.add("ReduceMax", out, axes=[1], keepdims=0)
    values, index = net.add("TopK", best, net.const(i64(3)), outputs=2)
    rows = net.add("Transpose", out, perm=[0, 2, 1])
    gathered = net.add("Gather", rows, net.const(i64(1, 0, 7)), axis=1)
    picked = net.add("GatherElements", best, index, axis=1)
    resized = net.add("Resize", net.add("Unsqueeze", out, net.const(i64(0))), "", net.const(np.array([1, 1, 1.5, 2], np.float32)), mode="linear")
    net.save("net_tail", gathered, picked, values, net.add("CumSum", resized, net.const(np.array(3, np.int32))), net.add("ArgMax", out, axis=2))


def quantized():
    net = Net([1, 4, 5, 5])
    scale, zero = net.const(np.float32(0.05)), net.const(np.uint8(128))
    q = net.add("DequantizeLinear", net.add("QuantizeLinear", "x", scale, zero), scale, zero)
    w = net.add("DequantizeLinear", net.const(random.integers(-127, 128, (8, 4, 3, 3)).astype(np.int8)),
                net.const((random.random(8) / 50).astype(np.float32)), net.const(np.zeros(8, np.int8)), axis=0)
    y = net.add("Relu", net.add("Conv", q, w, net.weights(8), pads=[1] * 4))
    net.save("net_quantized", net.add("DequantizeLinear", net.add("QuantizeLinear", y, scale, zero), scale, zero))


for make in (backbone, mobile, transformer, tail, quantized):
    make()
