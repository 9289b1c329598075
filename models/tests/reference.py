#!/usr/bin/env python3
"""Holds letterbox and decoding against OpenCV, NumPy and onnxruntime on real pictures. Not part of `make test`.

    pip install onnxruntime==1.32.0 opencv-python-headless numpy
    cargo build -p models --example parity
    python models/tests/reference.py target/debug/examples/parity PICTURE_FOLDER...

25 pictures of each folder go through I420 as a decoder would leave them. Compared are: the input with
`cv2.resize` (INTER_LINEAR) of the same I420 as RGB in floats, clamped at last; the boxes with a NumPy decoding of
onnxruntime's output for the very same input, in pixels of the input. Exits 1 where they differ too much. Only
shown is how far OpenCV's own way lies, which rounds twice and clamps before it resizes.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import onnxruntime

MODEL = pathlib.Path(__file__).resolve().parent.parent / "city-nano" / "city_nano.onnx"
LABELS = ("person bicycle car motorcycle bus truck umbrella chair table bench bottle bag potted_plant "
          "garbage garbage_bin bin_overflow machinery traffic_cone").split()
# As in the manifest.
FAINTER = dict.fromkeys("person car bus truck motorcycle".split(), 0.2) | {"bin_overflow": 0.25}
SIDE, SCORE_MIN, IOU_MAX, AREA_MAX, EACH = 416, 0.4, 0.45, 0.9, 25
BOX_PX_MAX, SCORE_MAX, GREY_MAX = 1e-3, 1e-4, 0.01


def decode(output, width, height):
    """[cells, 23] -> rows of (class, score, x0, y0, x1, y1) in input pixels, best first."""
    cells = [np.stack(np.meshgrid(np.arange(SIDE // s), np.arange(SIDE // s)), -1).reshape(-1, 2) for s in (8, 16, 32)]
    strides = np.concatenate([np.full((len(c), 1), s) for c, s in zip(cells, (8, 16, 32))])
    output = output.astype(np.float64)
    centre = (output[:, :2] + np.concatenate(cells)) * strides
    size = np.exp(output[:, 2:4]) * strides
    label, score = output[:, 5:].argmax(1), output[:, 4] * output[:, 5:].max(1)
    raw = np.concatenate([centre - size / 2, centre + size / 2], 1)
    shown = np.clip(raw, 0, [width, height, width, height])
    area = (shown[:, 2] - shown[:, 0]) * (shown[:, 3] - shown[:, 1]) / (width * height)
    order = [i for i in np.argsort(-score, kind="stable") if score[i] >= FAINTER.get(LABELS[label[i]], SCORE_MIN) and 0 < area[i] <= AREA_MAX]
    kept = []
    for i in order:
        if all(label[i] != label[k] or iou(raw[i], raw[k]) <= IOU_MAX for k in kept):
            kept.append(i)
    return [(LABELS[label[i]], score[i], *shown[i]) for i in kept]


def iou(a, b):
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def rgb_of(i420, width, height):
    """I420 bytes, BT.601 limited -> [H, W, 3] BGR in floats, unclamped, the nearest colour sample for each pixel."""
    luma, chroma = i420[: width * height], i420[width * height:].reshape(2, height // 2, width // 2)
    y = (luma.reshape(height, width).astype(np.float32) - 16) * (255 / 219)
    u, v = (chroma.repeat(2, 1).repeat(2, 2).astype(np.float32) - 128) * (255 / 224)
    return np.stack([y + 1.772 * u, y - 0.344136 * u - 0.714136 * v, y + 1.402 * v], -1)


def letterboxed(bgr):
    """[h, w, 3] -> [416, 416, 3] f32, at the top left, the rest 114."""
    whole = np.full((SIDE, SIDE, 3), 114, np.float32)
    whole[: bgr.shape[0], : bgr.shape[1]] = bgr
    return whole


def pictures(folders):
    for folder in folders:
        files = sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".png"))
        yield from files[:: max(1, len(files) // EACH)][:EACH]


def main(binary, folders):
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    worst = {"box px": 0.0, "score": 0.0, "grey": 0.0}
    compared = boxes = differing = away = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for at, file in enumerate(pictures(folders)):
            bgr = cv2.imread(str(file))
            # OpenCV makes I420 of even sizes only; every third picture is enlarged to a camera's size.
            size = (1920, 1080) if at % 3 == 0 else (bgr.shape[1] & ~1, bgr.shape[0] & ~1)
            yuv = cv2.cvtColor(cv2.resize(bgr, size), cv2.COLOR_BGR2YUV_I420)
            yuv.tofile(folder / f"{at:03}_{size[0]}x{size[1]}.yuv")
        subprocess.run([binary, folder], check=True)
        for file in sorted(folder.glob("*.yuv")):
            width, height = map(int, file.stem.split("_")[1].split("x"))
            i420 = np.fromfile(file, np.uint8)
            ratio = min(SIDE / width, SIDE / height)
            fitted = (int(width * ratio + 1e-9), int(height * ratio + 1e-9))
            tensor = np.fromfile(file.with_suffix(".tensor"), np.float32).reshape(1, 3, SIDE, SIDE)
            written = tensor[0].transpose(1, 2, 0)
            exact = letterboxed(cv2.resize(rgb_of(i420, width, height), fitted).clip(0, 255))
            worst["grey"] = max(worst["grey"], float(np.abs(written - exact).max()))
            opencv = cv2.cvtColor(i420.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)
            opencv = letterboxed(cv2.resize(opencv, fitted))
            away += (np.abs(written - opencv) > 1).mean()
            prepared = opencv.transpose(2, 0, 1)[None]
            wanted = decode(session.run(None, {"images": tensor})[0][0], *fitted)
            plain = decode(session.run(None, {"images": prepared})[0][0], *fitted)
            differing += [w[0] for w in wanted] != [p[0] for p in plain]
            found = json.loads(file.with_suffix(".json").read_text())
            assert [f["class"] for f in found] == [w[0] for w in wanted], (file, found, wanted)
            for seen, (_, score, *box) in zip(found, wanted):
                scaled = np.array(seen["bounds"]) * [fitted[0], fitted[1], fitted[0], fitted[1]]
                worst["box px"] = max(worst["box px"], float(np.abs(scaled - box).max()))
                worst["score"] = max(worst["score"], float(abs(seen["score"] - score)))
            compared, boxes = compared + 1, boxes + len(found)
    print(f"{compared} pictures, {boxes} boxes; largest differences: {worst}")
    print(f"prepared by OpenCV in bytes: {away / max(1, compared):.2%} of the numbers over 1 grey level away, "
          f"{differing} pictures with another list of classes")
    limits = {"box px": BOX_PX_MAX, "score": SCORE_MAX, "grey": GREY_MAX}
    return not (compared and all(worst[key] <= limit for key, limit in limits.items()))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
