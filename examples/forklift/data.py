"""Reads a YOLO data set: letterboxed images and their labels."""
from pathlib import Path

import cv2
import numpy as np

GREY = 114


def letterbox(image, size):
    """Fits an image into a square as Ultralytics does. Returns it, the scale, and the left and top pad."""
    h, w = image.shape[:2]
    scale = min(size / h, size / w)
    nw, nh = round(w * scale), round(h * scale)
    if (nw, nh) != (w, h):
        image = cv2.resize(image, (nw, nh), interpolation=cv2.INTER_LINEAR)
    left, top = round((size - nw) / 2 - 0.1), round((size - nh) / 2 - 0.1)
    out = np.full((size, size, 3), GREY, np.uint8)
    out[top:top + nh, left:left + nw] = image
    return out, scale, left, top


def read_image(path):
    """The image as RGB."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"error: not an image ({path})")
    return image[..., ::-1]


def read_labels(path):
    """Rows of class, centre x, centre y, width, height (fractions of the image): [n,5]."""
    text = Path(path).read_text().split()
    return np.array(text, np.float32).reshape(-1, 5)


def label_path(image_path):
    """Where the labels of an image are: labels/... beside images/..."""
    split = image_path.parent
    return split.parent.parent / "labels" / split.name / (image_path.stem + ".txt")


def load(image_path, size):
    """One letterboxed image [size,size,3] and its rows of class, x0, y0, x1, y1 in its pixels."""
    image = read_image(image_path)
    h, w = image.shape[:2]
    out, scale, left, top = letterbox(image, size)
    rows = read_labels(label_path(image_path))
    cx, cy, bw, bh = rows[:, 1] * w, rows[:, 2] * h, rows[:, 3] * w, rows[:, 4] * h
    box = np.stack([cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2], 1) * scale
    box += np.array([left, top, left, top], np.float32)
    return out, np.concatenate([rows[:, :1], box], 1).astype(np.float32)
