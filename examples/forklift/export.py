"""Writes a trained checkpoint as ONNX, with the metadata that Ultralytics puts there.

    python3 export.py forklift.pt forklift.onnx
"""
import argparse

import onnx
import torch

from model import STRIDES, Detector, grid
from parts import CLASSES

OPSET = 17


def export(state, path, size):
    """state: the network's weights; path: the file; size: the square input's side."""
    net = Detector(len(CLASSES))
    net.load_state_dict(state)
    net.eval()
    net.head.fixed_grid = grid([(size // s, size // s) for s in STRIDES], "cpu")
    torch.onnx.export(net, (torch.zeros(1, 3, size, size),), str(path), opset_version=OPSET, input_names=["images"],
                      output_names=["output0"], dynamo=False)
    graph = onnx.load(str(path))
    about = {"description": "Tenon's bundled example: a detector of rendered warehouse scenes", "author": "Tenon",
             "license": "Apache-2.0", "task": "detect", "stride": "32", "batch": "1", "imgsz": str([size, size]),
             "names": str(dict(enumerate(CLASSES)))}
    for key, value in about.items():
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("onnx")
    parser.add_argument("--imgsz", type=int, default=320)
    args = parser.parse_args()
    export(torch.load(args.checkpoint, map_location="cpu", weights_only=True), args.onnx, args.imgsz)


if __name__ == "__main__":
    main()
