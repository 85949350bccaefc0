"""Runs a Python program with OpenVINO in ONNX Runtime's place: a module `onnxruntime` of the few names that Tenon's peer process
(src/peers/onnxruntime_peer.py) asks for. So `tenon benchmark --onnxruntime` judges OpenVINO models with Tenon's own evaluator.

usage: OPENVINO_MODEL=MODEL.xml openvino_as_onnxruntime.py -B -c PROGRAM
Whatever model the program asks for, MODEL.xml runs: its outputs must be the same, in the same order.
"""
import os
import sys
import types

import openvino


class SessionOptions:
    intra_op_num_threads = 1

    def add_session_config_entry(self, key, value):
        pass


class InferenceSession:
    def __init__(self, _, options, providers):
        core = openvino.Core()
        self.compiled = core.compile_model(core.read_model(os.environ["OPENVINO_MODEL"]), "CPU", {
            "INFERENCE_NUM_THREADS": options.intra_op_num_threads, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32"})
        self.request = self.compiled.create_infer_request()

    def get_outputs(self):
        return [types.SimpleNamespace(name=output.any_name) for output in self.compiled.outputs]

    def run(self, names, feeds):
        results = self.request.infer(feeds)
        return [results[name].copy() for name in names]


def main():
    module = types.ModuleType("onnxruntime")
    module.SessionOptions, module.InferenceSession, module.__version__ = SessionOptions, InferenceSession, openvino.__version__
    sys.modules["onnxruntime"] = module
    exec(compile(sys.argv[-1], "program", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
