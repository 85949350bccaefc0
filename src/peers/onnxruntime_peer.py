"""Runs an ONNX model in ONNX Runtime for Tenon, over the socket that is file descriptor 0.

First line in: JSON {"model", "threads", "inputs": [{"name", "shape", "dtype"}]}. Then one byte for each wish:
  I  all inputs follow, raw, one after another           -> reply without content
  R  run once on the last inputs                         -> reply: a double, milliseconds of the run alone
  O  the outputs of the last run                         -> reply: all outputs raw, one after another
A reply is b"k" + uint32 size + content, or b"e" + uint32 size + what went wrong. The first reply comes unasked, once the
model is loaded and ran on zeros: JSON {"version", "outputs": [{"name", "shape", "dtype"}]}."""
import json
import os
import struct
import sys
import time

stream = os.fdopen(0, "rb", buffering=1 << 20)
out = os.fdopen(os.dup(0), "wb", buffering=0)


def reply(content, kind=b"k"):
    data = memoryview(kind + struct.pack("<I", len(content)) + content)
    while data:
        data = data[out.write(data):]


def describe(name, array):
    return {"name": name, "shape": list(array.shape), "dtype": array.dtype.name}


def main():
    config = json.loads(stream.readline())
    import numpy as np
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = config["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
#Threads that go on spinning after a run would take the cores from whoever is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(config["model"], options, providers=["CPUExecutionProvider"])
    feeds = {i["name"]: np.zeros(i["shape"], i["dtype"]) for i in config["inputs"]}
    names = [o.name for o in session.get_outputs()]
    outputs = session.run(names, feeds)
    shapes = [describe(n, a) for n, a in zip(names, outputs)]
    reply(json.dumps({"version": ort.__version__, "outputs": shapes}).encode())
    while wish := stream.read(1):
        if wish == b"I":
            for name, array in feeds.items():
                feeds[name] = np.frombuffer(stream.read(array.nbytes), array.dtype).reshape(array.shape)
            reply(b"")
        elif wish == b"R":
            start = time.perf_counter()
            outputs = session.run(names, feeds)
            reply(struct.pack("<d", (time.perf_counter() - start) * 1e3))
        elif wish == b"O":
            now = [describe(n, a) for n, a in zip(names, outputs)]
            if now != shapes:
                raise ValueError(f"outputs changed their shapes: {shapes} became {now}")
            reply(b"".join(np.ascontiguousarray(a).tobytes() for a in outputs))


try:
    main()
except Exception as error:  # pylint: disable=broad-except
    reply(f"{type(error).__name__}: {error}".encode()[:2000], b"e")
    sys.exit(1)
