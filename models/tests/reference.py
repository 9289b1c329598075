#!/usr/bin/env python3
"""Holds letterbox and decoding against OpenCV, NumPy and onnxruntime on real pictures. Not part of `make test`.

    pip install onnxruntime==1.32.0 opencv-python-headless numpy
    cargo build -p models --example parity
    python models/tests/reference.py target/debug/examples/parity MODEL_FOLDER[,...] PICTURE_FOLDER...

25 pictures of each folder go through I420 as a decoder would leave them, and through every model. Compared are:
the input with `cv2.resize` (INTER_LINEAR) of the RGB bytes that OpenCV makes of the same I420, in grey levels; the
boxes with a NumPy decoding of onnxruntime's outputs for the very same input, in pixels of the input. Exits 1 where
they differ too much.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import cv2
import numpy as np
import onnxruntime

EACH = 25
BOX_PX_MAX, SCORE_MAX, GREY_MAX = 1e-3, 1e-4, 1.0
DTYPES = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}
COLUMNS_BEFORE_LABELS = {"yolox_grid": 5, "yolov5": 5, "yolov8": 4}


class Model:
    """A manifest with what is needed to prepare its input and to decode its outputs."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.manifest = tomllib.loads((self.folder / "manifest.toml").read_text())
        self.input, self.output = self.manifest["input"], self.manifest["output"]
        self.family, self.labels = self.manifest["family"], self.manifest["labels"]
        self.size = self.input["size"]  # Of the tensor; `fit` makes it a trimmed one's.
        self.session = onnxruntime.InferenceSession(
            self.folder / self.manifest["weights"], providers=["CPUExecutionProvider"])

    def fit(self, width, height):
        """Where a picture lies in the input: left, top, width, height. What follows is of a tensor for it."""
        across, down = self.input["size"]
        if self.input["letterbox"] == "stretch":
            return 0, 0, across, down
        if width * down >= height * across:
            fitted = across, max(1, height * across // width)
        else:
            fitted = max(1, width * down // height), down
        if step := self.input.get("trim"):
            across, down = (-(-side // step) * step for side in fitted)
            self.size = [across, down]
        if self.input["letterbox"] == "corner":
            return 0, 0, *fitted
        return (across - fitted[0]) // 2, (down - fitted[1]) // 2, *fitted

    def numbers(self, grey):
        """[H, W, 3] grey levels in the model's channel order -> the input, [1, ...], not yet in its own type."""
        scale, mean, std = (self.input.get(key, default) for key, default in
                            (("scale", 1.0), ("mean", [0.0] * 3), ("std", [1.0] * 3)))
        value = (grey * scale - np.array(mean)) / np.array(std)
        return (value.transpose(2, 0, 1) if self.input["layout"] == "nchw" else value)[None]

    def greys(self, tensor):
        """The input, [1, ...] -> [H, W, 3] grey levels."""
        scale, mean, std = (self.input.get(key, default) for key, default in
                            (("scale", 1.0), ("mean", [0.0] * 3), ("std", [1.0] * 3)))
        value = tensor[0].astype(np.float64)
        value = value.transpose(1, 2, 0) if self.input["layout"] == "nchw" else value
        return (value * np.array(std) + np.array(mean)) / scale

    def tensor(self, raw):
        shape = (1, 3, self.size[1], self.size[0])
        if self.input["layout"] == "nhwc":
            shape = (1, self.size[1], self.size[0], 3)
        return np.frombuffer(raw, DTYPES[self.input["dtype"]]).reshape(shape)

    def prepared(self, bgr, fit):
        """[h, w, 3] bytes of a fitted picture -> [H, W, 3] grey levels with the padding."""
        left, top, width, height = fit
        whole = np.full((self.size[1], self.size[0], 3), self.input.get("pad", 114), np.float64)
        whole[top: top + height, left: left + width] = bgr[..., ::-1] if self.input["colour"] == "rgb" else bgr
        return whole

    def run(self, tensor):
        """The outputs that the manifest reads, of the one picture, by role."""
        feeds = {self.input["name"]: tensor}
        if "sizes" in self.input:
            feeds[self.input["sizes"]] = np.array([self.size], np.int64)
        roles = {key: self.output[key] for key in ("name", "boxes", "scores", "labels", "count") if key in self.output}
        return {role: value[0].astype(np.float64)
                for role, value in zip(roles, self.session.run(list(roles.values()), feeds))}

    def rows(self, outputs):
        """Every box of the outputs: [rows, 4] x0 y0 x1 y1 in pixels of the input, label (or -1), score."""
        if self.family == "end_to_end":
            rows = outputs["name"]
            rows = rows[rows[:, 4] > 0]
            return rows[:, :4], rows[:, 5].round().astype(int), rows[:, 4]
        if self.family in COLUMNS_BEFORE_LABELS:
            rows = outputs["name"].T if self.family == "yolov8" else outputs["name"]
            before = COLUMNS_BEFORE_LABELS[self.family]
            centre, size = rows[:, :2], rows[:, 2:4]
            if self.family == "yolox_grid":
                cells = [np.stack(np.meshgrid(np.arange(self.size[0] // s), np.arange(self.size[1] // s)), -1)
                         .reshape(-1, 2) for s in self.output["strides"]]
                strides = np.concatenate([np.full((len(c), 1), s) for c, s in zip(cells, self.output["strides"])])
                centre, size = (centre + np.concatenate(cells)) * strides, np.exp(size) * strides
            sure = rows[:, before:]
            score = sure.max(1) * (rows[:, 4] if before == 5 else 1)
            return np.concatenate([centre - size / 2, centre + size / 2], 1), sure.argmax(1), score
        boxes = outputs["boxes"].reshape(-1, 4)
        if self.output["corners"] == "yxyx":
            boxes = boxes[:, [1, 0, 3, 2]]
        if self.output["corners"] == "cxcywh":
            boxes = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
        if self.output.get("units") == "normalised":
            boxes = boxes * np.array(self.size * 2)
        if "labels" in self.output:
            rows = int(outputs["count"].reshape(-1)[0]) if "count" in outputs else len(boxes)
            labels = outputs["labels"].round().astype(int) - self.output.get("label_first", 0)
            return boxes[:rows], labels[:rows], outputs["scores"][:rows]
        scores = outputs["scores"][:, 1 if self.output.get("background") == "first" else 0:]
        return boxes, scores.argmax(1), scores.max(1)

    def decode(self, outputs, fit):
        """Rows of (class, score, x0, y0, x1, y1) in pixels of the fitted picture, best first."""
        raw, label, score = self.rows(outputs)
        left, top, width, height = fit
        raw = raw - [left, top, left, top]
        shown = np.clip(raw, 0, [width, height, width, height])
        area = (shown[:, 2] - shown[:, 0]).clip(0) * (shown[:, 3] - shown[:, 1]).clip(0) / (width * height)
        classes, least = self.manifest["classes"], self.manifest["score_min"]

        def kept(row):
            if not 0 <= label[row] < len(self.labels) or self.labels[label[row]] not in classes:
                return False
            name = classes[self.labels[label[row]]]
            return score[row] >= np.float32(least.get(name, least["default"])) \
                and 0 < area[row] <= self.manifest.get("area_max", 1.0)

        of = lambda row: classes[self.labels[label[row]]]
        order = [row for row in np.argsort(-score, kind="stable") if kept(row)]
        in_heaps = self.family in COLUMNS_BEFORE_LABELS or (self.family == "ssd" and "labels" not in self.output)
        iou_max = self.manifest.get("nms_iou", 0.45 if in_heaps else None)
        found = []
        for row in order:
            if iou_max is None or all(of(row) != of(k) or iou(raw[row], raw[k]) <= iou_max for k in found):
                found.append(row)
        return [(of(row), float(score[row]), *map(float, shown[row])) for row in found]


def iou(a, b):
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def pictures(folders):
    for folder in folders:
        files = sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".png"))
        yield from files[:: max(1, len(files) // EACH)][:EACH]


def compare(model, folder):
    """What the example left in `folder` for one model against OpenCV and NumPy."""
    worst = {"box px": 0.0, "score": 0.0, "grey": 0.0}
    compared = boxes = over = numbers = 0
    for file in sorted(folder.glob("*.yuv")):
        width, height = map(int, file.stem.split("_")[1].split("x"))
        i420 = np.fromfile(file, np.uint8).reshape(height * 3 // 2, width)
        fit = model.fit(width, height)
        tensor = model.tensor(file.with_suffix(".tensor").read_bytes())
        opencv = cv2.resize(cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420), fit[2:])
        away = np.abs(model.greys(tensor) - model.prepared(opencv, fit))
        worst["grey"] = max(worst["grey"], float(away.max()))
        over, numbers = over + int((away > GREY_MAX).sum()), numbers + away.size
        wanted = model.decode(model.run(tensor), fit)
        found = json.loads(file.with_suffix(".json").read_text())
        assert [f["class"] for f in found] == [w[0] for w in wanted], (file, found, wanted)
        for seen, (_, score, *box) in zip(found, wanted):
            scaled = np.array(seen["bounds"]) * [fit[2], fit[3], fit[2], fit[3]]
            worst["box px"] = max(worst["box px"], float(np.abs(scaled - box).max()))
            worst["score"] = max(worst["score"], float(abs(seen["score"] - score)))
        compared, boxes = compared + 1, boxes + len(found)
    # The last digits go when greys are taken back out of scaled numbers.
    limits = {"box px": BOX_PX_MAX, "score": SCORE_MAX, "grey": GREY_MAX + 1e-3}
    right = compared and boxes and all(worst[key] <= limit for key, limit in limits.items())
    print(f"{model.manifest['name']:20} {compared} pictures, {boxes} boxes; "
          + ", ".join(f"{key} {value:.6f}" for key, value in worst.items())
          + f"; {over} of {numbers} numbers over {GREY_MAX} grey level" + ("" if right else "  TOO MUCH"))
    return right


def main(binary, models, folders):
    right = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for at, file in enumerate(pictures(folders)):
            bgr = cv2.imread(str(file))
            # OpenCV makes I420 of even sizes only; every third picture is enlarged to a camera's size.
            size = (1920, 1080) if at % 3 == 0 else (bgr.shape[1] & ~1, bgr.shape[0] & ~1)
            yuv = cv2.cvtColor(cv2.resize(bgr, size), cv2.COLOR_BGR2YUV_I420)
            yuv.tofile(folder / f"{at:03}_{size[0]}x{size[1]}.yuv")
        for model in models:
            subprocess.run([binary, model, folder], check=True)
            right = compare(Model(model), folder) and right
    return not right


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2].split(","), sys.argv[3:]))
