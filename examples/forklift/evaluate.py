"""Measures the ONNX file on the val images with ONNX Runtime and pycocotools.

    pip install onnxruntime opencv-python-headless pycocotools
    python3 evaluate.py forklift.onnx --data . --split val
"""
import argparse
import ast
import contextlib
import io
from pathlib import Path

import numpy as np
import onnxruntime
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import data

CONFIDENCE, IOU, MOST = 0.001, 0.7, 300


def suppress(boxes, scores):
    """Greedy non-maximum suppression: the kept indices, best first. Boxes are corners."""
    order, kept = np.argsort(-scores, kind="stable"), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(order):
        i, order = order[0], order[1:]
        kept.append(i)
        side = np.minimum(boxes[i, 2:], boxes[order, 2:]) - np.maximum(boxes[i, :2], boxes[order, :2])
        common = side.clip(0).prod(1)
        order = order[common / (area[i] + area[order] - common + 1e-9) <= IOU]
    return np.array(kept, int)


def detect(session, image, size):
    """Detections of one image in its own pixels: rows of x0, y0, x1, y1, score, class."""
    boxed, scale, left, top = data.letterbox(image, size)
    feed = boxed.transpose(2, 0, 1)[None].astype(np.float32) / 255
    out = session.run(None, {session.get_inputs()[0].name: feed})[0][0]
    cell, cls = np.nonzero(out[4:].T > CONFIDENCE)
    score = out[4 + cls, cell]
    x, y, w, h = out[:4, cell]
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
    # Classes are moved far apart, so that one suppression serves all of them.
    kept = suppress(boxes + cls[:, None] * 7680.0, score)[:MOST]
    boxes = (boxes[kept] - (left, top, left, top)) / scale
    height, width = image.shape[:2]
    boxes = boxes.clip(0, (width, height, width, height))
    return np.concatenate([boxes, score[kept, None], cls[kept, None]], 1)


def average(precision):
    """Mean of COCOeval's precisions, without the places that it marks -1 (no object there)."""
    return float(precision[precision > -1].mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onnx")
    parser.add_argument("--data", type=Path, default=Path(__file__).parent)
    parser.add_argument("--split", default="val")
    args = parser.parse_args()
    session = onnxruntime.InferenceSession(args.onnx, providers=["CPUExecutionProvider"])
    names = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])
    size = session.get_inputs()[0].shape[2]

    images, truth, found = [], [], []
    for number, path in enumerate(sorted((args.data / "images" / args.split).glob("*.jpg")), 1):
        image = data.read_image(path)
        h, w = image.shape[:2]
        images.append({"id": number, "width": w, "height": h})
        for c, x, y, bw, bh in data.read_labels(data.label_path(path)).tolist():
            box = [(x - bw / 2) * w, (y - bh / 2) * h, bw * w, bh * h]
            truth.append({"id": len(truth) + 1, "image_id": number, "category_id": int(c), "bbox": box,
                          "area": box[2] * box[3], "iscrowd": 0})
        for x0, y0, x1, y1, score, c in detect(session, image, size).tolist():
            box = [x0, y0, x1 - x0, y1 - y0]
            found.append({"image_id": number, "category_id": int(c), "bbox": box, "score": score})

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        categories = [{"id": k, "name": n} for k, n in names.items()]
        coco.dataset = {"images": images, "annotations": truth, "categories": categories}
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(found), "bbox")
        judge.params.maxDets = [1, 100, MOST]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, -1]
    print("| class | objects | AP50-95 | AP50 |\n| --- | ---: | ---: | ---: |")
    print(f"| **all** ({len(images)} images) | {len(truth)} | {average(precision):.4f} | {average(precision[0]):.4f} |")
    for k, name in names.items():
        count = sum(t["category_id"] == k for t in truth)
        print(f"| {name} | {count} | {average(precision[:, :, k]):.4f} | {average(precision[0, :, k]):.4f} |")


if __name__ == "__main__":
    main()
