#!/usr/bin/env python3
"""Makes small classifiers of each kind, with their manifests and what they must say. Not part of `make test`.

    pip install onnx onnxruntime==1.32.0 opencv-python-headless numpy
    python models/tests/second.py

Writes second/NAME/{model.onnx, manifest.toml, expected.json, LICENCE.txt} beside this file, the same each time.
The networks judge the mean colour of the quarters of their input: red is "overflowing", green "closed", blue
"no_bin"; a seeded convolution, which an even colour leaves without a say, makes them feel every pixel's place.
expected.json holds, for boxes of the picture of families.py, the window that is cut out and the probabilities that
NumPy and onnxruntime make of it (the letterbox is that of reference.py); src/classifier_tests.rs draws that picture.
"""
import hashlib
import json
import math
import pathlib

import cv2
import numpy as np
import onnx
from onnx import helper

from families import Graph, KINDS, PICTURE, picture, resized
from reference import Model

HERE = pathlib.Path(__file__).resolve().parent / "second"
LABELS = ["overflowing", "closed", "no_bin", "unsure"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
MARGIN, GRAINS = 0.1, 4
# Shares of the picture; none ends on a whole pixel, where a last digit would decide.
BOXES = [[0.11, 0.13, 0.52, 0.71], [0.401, 0.303, 0.903, 0.607], [0.003, 0.004, 0.997, 0.996], [0.71, 0.52, 1.0, 1.0]]
# name: kind, layout, dtype, inside, letterbox, colour, size, batch.
CLASSIFIERS = {
    "softmax": ("softmax", "nchw", "f32", "f32", "stretch", "rgb", (48, 64), "dynamic"),
    "logits-u8": ("logits", "nhwc", "u8", "f32", "centred", "bgr", (64, 64), "static"),
    "sigmoid-f16": ("sigmoid", "nchw", "f16", "f16", "corner", "rgb", (32, 48), "dynamic"),
}

MANIFEST = """# A small network that judges mean colours, made by ../../second.py: for tests, not for streets.
name = "small-{name}"
family = "classifier"
weights = "model.onnx"
sha256 = "{sha256}"
batch = "{batch}"
labels = {labels}
on = ["garbage_bin", "bin_overflow"]
margin = {margin}
side_px_min = 16
score_min = 0.6

[licence]
spdx = "Apache-2.0"
file = "LICENCE.txt"
source = "models/tests/second.py"

[input]
name = "crops"
size = [{width}, {height}]
layout = "{layout}"
colour = "{colour}"
dtype = "{dtype}"
letterbox = "{letterbox}"
{more}
[output]
name = "output"
kind = "{kind}"

[becomes]
overflowing = "bin_overflow"
closed = "garbage_bin"
no_bin = "drop"
"""


def network(seed, kind, layout, dtype, inside, colour, size, batch):
    graph, (width, height) = Graph(seed, inside), size
    x = "crops"
    if dtype != inside:
        x = graph("Cast", x, to=KINDS[inside])
    if layout == "nhwc":
        x = graph("Transpose", x, perm=[0, 3, 1, 2])
    if dtype == "u8":
        x = graph("Mul", x, graph.constant(1 / 255))
    else:
        # What the manifest has normalised, as grey levels of 0 to 1.
        std, mean = (np.reshape(values, (1, 3, 1, 1)) for values in (STD, MEAN))
        x = graph("Add", graph("Mul", x, graph.constant(std)), graph.constant(mean))
    quarters = graph("AveragePool", x, kernel_shape=[height // 2, width // 2], strides=[height // 2, width // 2])
    grain = graph("Tanh", graph.convolve(graph("Sub", x, graph.constant(0.5)), 3, GRAINS, 8, 40.0))
    # Positions count: the left and upper cells more.
    rows, columns = height // 8, width // 8
    lean = np.linspace(1, -1, columns)[None, :] + np.linspace(1, -1, rows)[:, None]
    grain = graph("GlobalAveragePool", graph("Mul", grain, graph.constant(lean[None, None])))
    flat = graph("Concat", graph("Flatten", quarters, axis=1), graph("Flatten", grain, axis=1), axis=1)
    weights = graph.random.normal(0, 0.5, (3, 4, len(LABELS)))
    order = [0, 1, 2] if colour == "rgb" else [2, 1, 0]
    for label, channel in enumerate(order):
        weights[channel, :, label] += 2.5
        weights[channel, :, [at for at in range(3) if at != label]] -= 1.25
    bias = np.array([0, 0, 0, 0.5]) - (1.0 if kind == "sigmoid" else 0.0)
    last = "output" if kind == "logits" else None
    weights = np.concatenate([weights.reshape(12, -1), graph.random.normal(0, 8.0, (GRAINS, len(LABELS)))])
    logits = graph("Gemm", flat, graph.constant(weights), graph.constant(bias), out=last)
    if kind == "softmax":
        graph("Softmax", logits, axis=1, out="output")
    if kind == "sigmoid":
        graph("Sigmoid", logits, out="output")
    first = "n" if batch == "dynamic" else 1
    sides = [first, 3, height, width] if layout == "nchw" else [first, height, width, 3]
    inputs = [helper.make_tensor_value_info("crops", KINDS[dtype], sides)]
    outputs = [helper.make_tensor_value_info("output", KINDS[inside], [first, len(LABELS)])]
    model = helper.make_model(helper.make_graph(graph.nodes, "small", inputs, outputs, graph.constants),
                              opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def window(box):
    """Column, row, width and height of what is cut out, for a box in shares of the picture."""
    ends = []
    for low, high, limit in ((box[0], box[2], PICTURE[0]), (box[1], box[3], PICTURE[1])):
        low, high = low * limit, high * limit
        margin = (high - low) * MARGIN
        start = int(max(0.0, low - margin)) // 2 * 2
        ends.append((start, min(limit, math.ceil(high + margin)) - start))
    (x, width), (y, height) = ends
    return [x, y, width, height]


def expected(folder, kind):
    model, (width, height) = Model(folder), PICTURE
    bgr = cv2.cvtColor(picture().reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420).astype(np.float64)
    said = []
    for box in BOXES:
        x, y, across, down = window(box)
        fit = model.fit(across, down)
        numbers = model.numbers(model.prepared(resized(bgr[y: y + down, x: x + across], *fit[2:]), fit))
        if model.input["dtype"] == "u8":
            numbers = np.floor(numbers + 0.5)
        dtype = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}[model.input["dtype"]]
        shares = model.run(np.ascontiguousarray(numbers.astype(dtype)))["name"]
        if kind == "logits":
            shares = np.exp(shares - shares.max())
            shares /= shares.sum()
        said.append({"bounds": box, "window": [x, y, across, down], "shares": [round(float(s), 7) for s in shares]})
    return said


def main():
    for seed, (name, row) in enumerate(CLASSIFIERS.items()):
        kind, layout, dtype, inside, letterbox, colour, size, batch = row
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        weights = network(seed + 90, kind, layout, dtype, inside, colour, size, batch).SerializeToString()
        (folder / "model.onnx").write_bytes(weights)
        (folder / "LICENCE.txt").write_text("Numbers out of models/tests/second.py, under Apache-2.0 like it.\n")
        more = "" if dtype == "u8" else f"scale = {1 / 255:.10f}\nmean = {MEAN}\nstd = {STD}\n"
        (folder / "manifest.toml").write_text(MANIFEST.format(
            name=name, sha256=hashlib.sha256(weights).hexdigest(), batch=batch, labels=json.dumps(LABELS),
            margin=MARGIN, width=size[0], height=size[1], layout=layout, colour=colour, dtype=dtype,
            letterbox=letterbox, more=more, kind=kind))
        said = expected(folder, kind)
        (folder / "expected.json").write_text(json.dumps(said, indent=0) + "\n")
        print(f"{name:12} {len(weights):5} bytes", [[round(share, 3) for share in each["shares"]] for each in said])
        spread = np.ptp([each["shares"] for each in said], axis=0)
        assert spread.max() > 0.02, "every crop is judged alike: nothing is tested"


if __name__ == "__main__":
    main()
