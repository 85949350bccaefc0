#!/usr/bin/env python3
"""Makes tests/data/images: small files of every kind that vision/image.h reads, and expected.json with the size and the
CRC-32 of the pixels that cv2.imread gives for each, and letterbox.json with the CRC-32 of canvases. Run once, by hand, with pillow and opencv-python-headless 5.0.0:
    python3 tests/data/make_images.py
The results are committed, so that the tests need no Python."""
import json
import math
import pathlib
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).parent / "images"


def picture(height, width):
    """Smooth colours with a few hard edges: both matter to chroma upsampling."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // width, y * 255 // height, (x * 7 + y * 11) % 256], 2)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 30)
    rgb[height // 2 :, width // 2 : width // 2 + 3] = (10, 240, 200)
    return rgb.astype(np.uint8)


def exif_bytes(orientation):
    return b"Exif\0\0II*\0" + struct.pack("<IHHHII", 8, 1, 0x112, 3, 1, orientation) + bytes(4)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(width, height, depth, colour, interlace, rows, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows, 9)) +
            png_chunk(b"IEND", b""))


def adam7_rows(rgb):
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for y0, x0, dy, dx in passes:
        part = rgb[y0::dy, x0::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return rows


def make_jpegs(rgb):
    image = Image.fromarray(rgb)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        image.save(FOLDER / f"{name}.jpg", quality=80, subsampling=subsampling)
    image.save(FOLDER / "progressive.jpg", quality=80, progressive=True)
    image.convert("L").save(FOLDER / "gray.jpg", quality=80)
    image.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=80)
    small = Image.fromarray(picture(13, 21))
    for orientation in range(1, 9):
        small.save(FOLDER / f"exif{orientation}.jpg", quality=80, exif=exif_bytes(orientation))


def make_pngs(rgb):
    image = Image.fromarray(rgb)
    alpha = np.dstack([rgb, np.arange(rgb.shape[0] * rgb.shape[1]).reshape(rgb.shape[:2]) % 256]).astype(np.uint8)
    wide = rgb.astype(np.uint16) * 257 ^ 0x5A
    image.save(FOLDER / "rgb.png")
    Image.fromarray(alpha).save(FOLDER / "alpha.png")
    image.quantize(16).save(FOLDER / "palette.png")
    image.quantize(16).save(FOLDER / "palette_transparent.png", transparency=3)
    image.convert("L").save(FOLDER / "gray.png")
    image.convert("LA").save(FOLDER / "gray_alpha.png")
    image.convert("1").save(FOLDER / "bit.png")
    cv2.imwrite(str(FOLDER / "rgb16.png"), wide)
    cv2.imwrite(str(FOLDER / "gray16.png"), wide[..., 0])
    height, width = rgb.shape[:2]
    (FOLDER / "interlaced.png").write_bytes(png_file(width, height, 8, 2, 1, adam7_rows(rgb)))
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    turned = png_chunk(b"eXIf", exif_bytes(6)[6:])
    (FOLDER / "exif6.png").write_bytes(png_file(width, height, 8, 2, 0, rows, turned))
    keyed = png_chunk(b"tRNS", struct.pack(">HHH", *(int(v) for v in rgb[0, 0])))
    (FOLDER / "colour_key.png").write_bytes(png_file(width, height, 8, 2, 0, rows, keyed))
    gama = png_chunk(b"gAMA", struct.pack(">I", 100000))
    (FOLDER / "gamma.png").write_bytes(png_file(width, height, 8, 2, 0, rows, gama))


def make_others(rgb):
    image = Image.fromarray(rgb)
    alpha = Image.fromarray(np.dstack([rgb, rgb[..., :1] // 2 + 100]))
    image.save(FOLDER / "lossy.webp", quality=80)
    image.save(FOLDER / "lossless.webp", lossless=True)
    alpha.save(FOLDER / "alpha.webp", quality=80)
    image.save(FOLDER / "exif6.webp", quality=80, exif=exif_bytes(6)[6:])
    image.save(FOLDER / "rgb.bmp")
    alpha.save(FOLDER / "alpha.bmp")
    image.quantize(16).save(FOLDER / "palette.bmp")
    image.convert("L").save(FOLDER / "gray.bmp")
    image.convert("1").save(FOLDER / "bit.bmp")
    bottom_up = bytearray((FOLDER / "rgb.bmp").read_bytes())
    bottom_up[22:26] = struct.pack("<i", -rgb.shape[0])
    (FOLDER / "top_down.bmp").write_bytes(bottom_up)


def pad(image, height, width):
    """Gray borders around the image, the odd pixel right and below."""
    extra_y, extra_x = (height - image.shape[0]) / 2, (width - image.shape[1]) / 2
    return cv2.copyMakeBorder(image, round(extra_y - 0.1), round(extra_y + 0.1), round(extra_x - 0.1),
                              round(extra_x + 0.1), cv2.BORDER_CONSTANT, value=(114, 114, 114))


def fit(image, height, width, largest_ratio):
    ratio = min(height / image.shape[0], width / image.shape[1], largest_ratio)
    size = max(round(image.shape[1] * ratio), 1), max(round(image.shape[0] * ratio), 1)
    return image if size == image.shape[1::-1] else cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def letterbox(image, rule, height, width):
    """What Ultralytics' predict and val (rect=False) put on the canvas, and YOLOX's and stretching loaders."""
    h, w = image.shape[:2]
    if rule == "stretch":
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    if rule == "top_left":
        ratio = min(height / h, width / w)
        canvas = np.full((height, width, 3), 114, np.uint8)
        scaled = cv2.resize(image, (int(w * ratio), int(h * ratio)), interpolation=cv2.INTER_LINEAR)
        canvas[: scaled.shape[0], : scaled.shape[1]] = scaled
        return canvas
    if rule == "predict":
        return pad(fit(image, height, width, math.inf), height, width)
    side = max(height, width)
    ratio = side / max(h, w)
    if ratio != 1:
        size = min(math.ceil(w * ratio), side), min(math.ceil(h * ratio), side)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return pad(fit(image, height, width, 1.0), height, width)


def make_letterboxes():
    cases = []
    for name in ("rgb.png", "420.jpg", "exif6.jpg"):
        pixels = cv2.imread(str(FOLDER / name))
        for rule in ("predict", "val", "top_left", "stretch"):
            for height, width in ((640, 640), (32, 32), (43, 43), (96, 160), (33, 17)):
                canvas = letterbox(pixels, rule, height, width)
                assert canvas.shape == (height, width, 3), (name, rule, canvas.shape)
                cases.append({"image": name, "rule": rule, "height": height, "width": width,
                              "crc32": zlib.crc32(canvas.tobytes())})
    (FOLDER / "letterbox.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


def main():
    FOLDER.mkdir(exist_ok=True)
    rgb = picture(29, 43)
    make_jpegs(rgb)
    make_pngs(rgb)
    make_others(rgb)
    make_letterboxes()
    expected = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix == ".json":
            continue
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        expected[path.name] = {"height": pixels.shape[0], "width": pixels.shape[1], "crc32": zlib.crc32(pixels.tobytes())}
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
