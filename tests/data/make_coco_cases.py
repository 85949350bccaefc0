#!/usr/bin/env python3
"""Makes tests/data/coco_cases.json: small random sets of truths and detections (crowds, equal scores, empty images,
absent classes, areas about the borders) with the figures that pycocotools 2.0.11 gives for them. Run once, by hand:
    python3 tests/data/make_coco_cases.py"""
import contextlib
import io
import json
import pathlib
import random

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CLASSES = 4


def random_box(rng):
    width, height = rng.choice([6, 20, 32, 50, 96, 140]), rng.choice([6, 20, 32, 50, 96, 140])
    return [rng.randint(0, 200), rng.randint(0, 200), width, height]


def near(rng, box):
    slack = rng.choice([0, 0.02, 0.1, 0.3])
    return [round(v + rng.uniform(-slack, slack) * box[2 + i % 2], 2) for i, v in enumerate(box)]


def make_case(seed, images, crowds, detections_per_truth):
    rng = random.Random(seed)
    truths, detections = [], []
    for image in range(images):
        for _ in range(rng.randint(0, 6)):
            box = random_box(rng)
            crowd = rng.random() < crowds
            area = box[2] * box[3] * rng.choice([1, 0.6])
            class_id = rng.randrange(CLASSES - 1)  # the last class has detections only
            truths.append([image, class_id, box, area, int(crowd)])
            for _ in range(rng.randint(0, detections_per_truth)):
                score = rng.randint(1, 20) / 20
                detections.append([image, rng.choice([class_id, class_id, rng.randrange(CLASSES)]), near(rng, box), score])
        for _ in range(rng.randint(0, 3)):
            detections.append([image, rng.randrange(CLASSES), random_box(rng), rng.randint(1, 20) / 20])
    return {"images": images, "truths": truths, "detections": detections}


def evaluate(case):
    truth = COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(case["images"])],
        "categories": [{"id": c} for c in range(CLASSES)],
        "annotations": [{"id": n + 1, "image_id": t[0], "category_id": t[1], "bbox": t[2], "area": t[3], "iscrowd": t[4]}
                        for n, t in enumerate(case["truths"])],
    }
    truth.createIndex()
    found = truth.loadRes([{"image_id": d[0], "category_id": d[1], "bbox": d[2], "score": d[3]}
                           for d in case["detections"]])
    evaluation = COCOeval(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    per_class = [float(np.mean(p[p > -1])) if (p > -1).any() else -1 for p in np.moveaxis(precision, 2, 0)]
    return [float(v) for v in evaluation.stats], per_class


def main():
    cases = [make_case(1, 8, 0, 2), make_case(2, 8, 0.4, 3), make_case(3, 2, 0, 1), make_case(4, 12, 0.1, 5),
             make_case(5, 3, 1, 2), make_case(6, 2, 0.2, 60)]
    for case in cases:
        with contextlib.redirect_stdout(io.StringIO()):
            case["figures"], case["class_ap"] = evaluate(case)
    path = pathlib.Path(__file__).parent / "coco_cases.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
