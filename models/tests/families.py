#!/usr/bin/env python3
"""Makes a small detector of each family, with its manifest and the boxes it must give. Not part of `make test`.

    pip install onnx onnxruntime==1.32.0 opencv-python-headless numpy
    python models/tests/families.py

Writes families/NAME/{model.onnx, manifest.toml, expected.json, LICENCE.txt} beside this file, the same each time.
The networks are a seeded convolution with random weights: their boxes mean nothing, lie all over the frame and cross
the thresholds. expected.json comes of NumPy's letterbox and decoding (reference.py) of the picture of `picture()`,
which tests/families.rs draws too.
"""
import hashlib
import json
import pathlib
import tempfile

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from reference import Model

HERE = pathlib.Path(__file__).resolve().parent / "families"
WIDTH, HEIGHT, STRIDE, LABELS = 96, 64, 8, ["person", "heap", "parasol", "unnamed"]
COLUMNS, ROWS = WIDTH // STRIDE, HEIGHT // STRIDE
CELLS, FEATURES, C = COLUMNS * ROWS, 6, len(LABELS)
KINDS = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "u8": TensorProto.UINT8}
PICTURE = (150, 110)


def picture(width=PICTURE[0], height=PICTURE[1]):
    """I420 bytes of stripes, steps and blocks of colour; whole numbers only, so that any language draws the same."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    luma = 16 + (x * x // 8 + y * 7 + (x // 10) * (y // 9) * 13) % 220
    x, y = x[::2, ::2], y[::2, ::2]
    u = 70 + (x * 3 + y // 8 * 31) % 120
    v = 70 + (y * 2 + x // 12 * 47) % 120
    return np.concatenate([plane.astype(np.uint8).ravel() for plane in (luma, u, v)])


class Graph:
    """Nodes and constants of one network, in f32 or f16."""

    def __init__(self, seed, inside):
        self.random, self.inside = np.random.default_rng(seed), inside
        self.nodes, self.constants = [], []

    def constant(self, value, kind=None):
        value = np.asarray(value)
        value = value.astype(kind if kind else (np.float16 if self.inside == "f16" else np.float32))
        self.constants.append(numpy_helper.from_array(value, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def __call__(self, kind, *inputs, out=None, **attributes):
        name = out or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def convolve(self, x, channels_in, channels_out, side, gain, bias=None):
        weights = self.random.normal(0, gain / np.sqrt(channels_in * side * side), (channels_out, channels_in, side, side))
        bias = np.zeros(channels_out) if bias is None else np.asarray(bias)
        return self("Conv", x, self.constant(weights), self.constant(bias), strides=[side, side])

    def features(self, x, layout, dtype, scale):
        """The input -> [n, FEATURES, ROWS, COLUMNS]."""
        if dtype != self.inside:
            x = self("Cast", x, to=KINDS[self.inside])
        if layout == "nhwc":
            x = self("Transpose", x, perm=[0, 3, 1, 2])
        x = self("Sub", self("Mul", x, self.constant(2.0 * scale)), self.constant(1.0))
        x = self("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        return self("Tanh", self.convolve(x, 3, FEATURES, 4, 5.0))

    def head(self, x, channels, cells=CELLS):
        """[n, FEATURES, r, c] -> [n, channels, r * c], its labels seldom sure."""
        bias = np.zeros(channels)
        bias[-C:] = -1.0
        out = self.convolve(x, FEATURES, channels, 1, 2.5, bias)
        return self("Reshape", out, self.constant([0, channels, cells], np.int64))

    def part(self, x, start, end):
        return self("Slice", x, *(self.constant([value], np.int64) for value in (start, end, 1)))

    def decoded(self, head):
        """[n, 4 + ..., cells] -> centres and sizes [n, 2, cells] in pixels of the input."""
        cells = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS))).reshape(1, 2, CELLS) * STRIDE
        shift = self("Mul", self("Tanh", self.part(head, 0, 2)), self.constant(6.0))
        size = self("Mul", self("Sigmoid", self.part(head, 2, 4)), self.constant([[[44.0], [30.0]]]))
        return (self("Add", shift, self.constant(cells + STRIDE / 2)), self("Add", size, self.constant(5.0)))

    def corners(self, head, order, units):
        """[n, 4 + ..., cells] -> [n, cells, 4] in a manifest's form."""
        centre, size = self.decoded(head)
        half = self("Mul", size, self.constant(0.5))
        pair = {"cxcywh": (centre, size)}.get(order) or (self("Sub", centre, half), self("Add", centre, half))
        if order == "yxyx":
            pair = [self("Gather", point, self.constant([1, 0], np.int64), axis=1) for point in pair]
        boxes = self("Transpose", self("Concat", *pair, axis=1), perm=[0, 2, 1])
        if units == "normalised":
            boxes = self("Div", boxes, self.constant([HEIGHT, WIDTH] * 2 if order == "yxyx" else [WIDTH, HEIGHT] * 2))
        return boxes


def yolox_grid(graph, x, family):
    coarse = graph("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    heads = [graph.head(x, 5 + C), graph.head(coarse, 5 + C, CELLS // 4)]
    heads = graph("Concat", *heads, axis=2)
    parts = [graph.part(heads, 0, 4), graph("Sigmoid", graph("Add", graph.part(heads, 4, 5), graph.constant(2.0))),
             graph("Sigmoid", graph("Mul", graph.part(heads, 5, 5 + C), graph.constant(2.0)))]
    graph("Transpose", graph("Concat", *parts, axis=1), perm=[0, 2, 1], out="output")
    return {"output": [CELLS + CELLS // 4, 5 + C]}


def yolov5(graph, x, family):
    head = graph.head(x, 5 + C)
    sure = graph("Sigmoid", graph("Add", graph.part(head, 4, 5), graph.constant(2.0)))
    graph("Transpose", graph("Concat", *graph.decoded(head), sure, graph("Sigmoid", graph.part(head, 5, 5 + C)), axis=1),
          perm=[0, 2, 1], out="output")
    return {"output": [CELLS, 5 + C]}


def yolov8(graph, x, family):
    head = graph.head(x, 4 + C)
    graph("Concat", *graph.decoded(head), graph("Sigmoid", graph.part(head, 4, 4 + C)), axis=1, out="output")
    return {"output": [4 + C, CELLS]}


def best(graph, head):
    """[n, 4 + C, cells] -> score and label (i64), [n, cells] each."""
    scores = graph("Sigmoid", graph.part(head, 4, 4 + C))
    return (graph("ReduceMax", scores, axes=[1], keepdims=0), graph("ArgMax", scores, axis=1, keepdims=0))


def end_to_end(graph, x, family):
    head = graph.head(x, 4 + C)
    score, label = best(graph, head)
    rows = [graph("Unsqueeze", value, graph.constant([2], np.int64))
            for value in (score, graph("Cast", label, to=KINDS[graph.inside]))]
    graph("Concat", graph.corners(head, "xyxy", "pixels"), *rows, axis=2, out="output")
    return {"output": [CELLS, 6]}


def detr(graph, x, family):
    head = graph.head(x, 4 + C)
    score, label = best(graph, head)
    if family["sizes"]:
        sizes = graph("Cast", graph("Concat", "sizes", "sizes", axis=1), to=KINDS[graph.inside])
        sizes = graph("Unsqueeze", sizes, graph.constant([1], np.int64))
        graph("Mul", graph.corners(head, family["corners"], "normalised"), sizes, out="boxes")
    else:
        graph("Identity", graph.corners(head, family["corners"], family["units"]), out="boxes")
    graph("Identity", score, out="scores")
    graph("Cast", label, to=family["label_kind"], out="labels")
    return {"boxes": [CELLS, 4], "scores": [CELLS], "labels": [CELLS]}


def ssd(graph, x, family):
    head = graph.head(x, 4 + C)
    scores = graph("Sigmoid", graph.part(head, 4, 4 + C))
    columns = C
    if family["background"] == "first":
        nothing = graph("Sub", graph.constant(1.0), graph("ReduceMax", scores, axes=[1], keepdims=1))
        scores, columns = graph("Concat", nothing, scores, axis=1), C + 1
    graph("Transpose", scores, perm=[0, 2, 1], out="scores")
    graph("Identity", graph.corners(head, family["corners"], family["units"]), out="boxes")
    return {"boxes": [CELLS, 4], "scores": [CELLS, columns]}


def ssd_counted(graph, x, family):
    head = graph.head(x, 4 + C)
    score, label = best(graph, head)
    graph("Identity", graph.corners(head, family["corners"], family["units"]), out="boxes")
    graph("Identity", score, out="scores")
    graph("Add", graph("Cast", label, to=KINDS[graph.inside]), graph.constant(1.0), out="classes")
    none = graph("Mul", graph("ReduceMax", score, axes=[1], keepdims=0), graph.constant(0.0))
    graph("Add", none, graph.constant(70.0), out="count")
    return {"boxes": [CELLS, 4], "scores": [CELLS], "classes": [CELLS], "count": []}


ONE = 'name = "output"'
THREE = 'boxes = "boxes"\nscores = "scores"\nlabels = "labels"'
# name: network, family, layout, dtype, inside, letterbox, colour, scale in the manifest, batch, [output], more.
FAMILIES = {
    "yolox-grid": (yolox_grid, "yolox_grid", "nchw", "f32", "f32", "corner", "bgr", 1.0, "dynamic",
                   ONE + "\nstrides = [8, 16]", {}),
    "yolov5-f16": (yolov5, "yolov5", "nchw", "f16", "f16", "centred", "rgb", 1 / 255, "static", ONE, {}),
    "yolov8": (yolov8, "yolov8", "nchw", "f32", "f32", "centred", "rgb", 1 / 255, "dynamic", ONE, {}),
    "yolov8-int8": (yolov8, "yolov8", "nchw", "f32", "int8", "corner", "rgb", 1 / 255, "static", ONE, {}),
    "end-to-end": (end_to_end, "end_to_end", "nhwc", "u8", "f32", "stretch", "rgb", 1.0, "dynamic", ONE, {}),
    "detr-sizes": (detr, "detr", "nchw", "f32", "f32", "stretch", "rgb", 1 / 255, "dynamic",
                   THREE + '\ncorners = "xyxy"', {"sizes": True, "corners": "xyxy", "label_kind": TensorProto.INT64}),
    "detr-plain": (detr, "detr", "nchw", "f32", "f16", "stretch", "bgr", 1 / 255, "static",
                   THREE + '\ncorners = "cxcywh"\nunits = "normalised"',
                   {"sizes": False, "corners": "cxcywh", "units": "normalised", "label_kind": TensorProto.INT32}),
    "ssd": (ssd, "ssd", "nhwc", "f32", "f32", "centred", "rgb", 1 / 255, "dynamic",
            'boxes = "boxes"\nscores = "scores"\ncorners = "yxyx"\nunits = "normalised"\nbackground = "first"',
            {"corners": "yxyx", "units": "normalised", "background": "first"}),
    "ssd-plain": (ssd, "ssd", "nchw", "u8", "f32", "corner", "bgr", 1.0, "static",
                  'boxes = "boxes"\nscores = "scores"\ncorners = "xyxy"\nunits = "pixels"',
                  {"corners": "xyxy", "units": "pixels", "background": "none"}),
    "ssd-counted": (ssd_counted, "ssd", "nhwc", "u8", "f32", "stretch", "rgb", 1.0, "dynamic",
                    'boxes = "boxes"\nscores = "scores"\nlabels = "classes"\ncount = "count"\n'
                    'corners = "yxyx"\nunits = "normalised"\nlabel_first = 1',
                    {"corners": "yxyx", "units": "normalised"}),
}

MANIFEST = """# A small network with random weights, made by ../../families.py: for tests, not for streets.
name = "{name}"
family = "{family}"
weights = "model.onnx"
sha256 = "{sha256}"
batch = "{batch}"
labels = {labels}

[licence]
spdx = "Apache-2.0"
file = "LICENCE.txt"
source = "models/tests/families.py"

[input]
name = "images"
size = [{width}, {height}]
layout = "{layout}"
colour = "{colour}"
dtype = "{dtype}"
letterbox = "{letterbox}"
{more}
[output]
{output}

[classes]
person = "person"
heap = "garbage"
parasol = "umbrella"

[score_min]
default = 0.5
person = 0.4
"""


def network(seed, build, layout, dtype, inside, scale, batch, family):
    graph = Graph(seed, "f32" if inside == "int8" else inside)
    seen = graph.features("images", layout, dtype, 1.0 if scale != 1.0 else 1 / 255)
    outputs = build(graph, seen, family)
    first = "n" if batch == "dynamic" else 1
    sides = [first, 3, HEIGHT, WIDTH] if layout == "nchw" else [first, HEIGHT, WIDTH, 3]
    inputs = [helper.make_tensor_value_info("images", KINDS[dtype], sides)]
    if family.get("sizes"):
        inputs.append(helper.make_tensor_value_info("sizes", TensorProto.INT64, [first, 2]))
    kinds = {"labels": family.get("label_kind")}
    made = [helper.make_tensor_value_info(name, kinds.get(name) or KINDS[graph.inside], [first, *shape])
            for name, shape in outputs.items()]
    # Numbers go out as the network has them: where it is of f16 and its input of f32, so are its outputs.
    model = helper.make_model(helper.make_graph(graph.nodes, "small", inputs, made, graph.constants),
                              opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


class Noise(CalibrationDataReader):
    """What the quantised network is calibrated on."""

    def __init__(self):
        random = np.random.default_rng(7)
        self.left = iter([{"images": random.random((1, 3, HEIGHT, WIDTH)).astype(np.float32)} for _ in range(8)])

    def get_next(self):
        return next(self.left, None)


def quantised(model):
    with tempfile.TemporaryDirectory() as folder:
        before, after = pathlib.Path(folder, "before.onnx"), pathlib.Path(folder, "after.onnx")
        onnx.save(model, before)
        quantize_static(before, after, Noise(), QuantFormat.QDQ, op_types_to_quantize=["Conv"],
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        model = onnx.load(after)
    assert any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    return model


def resized(bgr, width, height):
    """Two taps an axis between pixel centres, of bytes, unrounded."""
    def taps(source, fitted):
        at = np.clip((np.arange(fitted) + 0.5) * source / fitted - 0.5, 0, source - 1)
        base = np.minimum(at.astype(int), source - 2)
        return base, at - base
    (left, across), (top, down) = taps(bgr.shape[1], width), taps(bgr.shape[0], height)
    rows = bgr[:, left] + (bgr[:, left + 1] - bgr[:, left]) * across[None, :, None]
    return rows[top] + (rows[top + 1] - rows[top]) * down[:, None, None]


def expected(folder):
    model, (width, height) = Model(folder), PICTURE
    bgr = cv2.cvtColor(picture().reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420).astype(np.float64)
    fit = model.fit(width, height)
    numbers = model.numbers(model.prepared(resized(bgr, *fit[2:]), fit))
    if model.input["dtype"] == "u8":
        numbers = np.floor(numbers + 0.5)
    dtype = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}[model.input["dtype"]]
    found = model.decode(model.run(np.ascontiguousarray(numbers.astype(dtype))), fit)
    share = [fit[2], fit[3], fit[2], fit[3]]
    boxes = [{"class": name, "score": round(score, 6), "bounds": [round(at / of, 6) for at, of in zip(box, share)]}
             for name, score, *box in found]
    return boxes, model.rows(model.run(np.ascontiguousarray(numbers.astype(dtype))))


def main():
    for seed, (name, row) in enumerate(FAMILIES.items()):
        build, family, layout, dtype, inside, letterbox, colour, scale, batch, output, more = row
        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        model = network(seed + 40, build, layout, dtype, inside, scale, batch, more)
        model = quantised(model) if inside == "int8" else model
        weights = model.SerializeToString()
        (folder / "model.onnx").write_bytes(weights)
        (folder / "LICENCE.txt").write_text("Random numbers out of models/tests/families.py, under Apache-2.0 like it.\n")
        lines = [] if scale == 1.0 else [f"scale = {scale:.10f}"]
        lines += ['sizes = "sizes"'] if more.get("sizes") else []
        (folder / "manifest.toml").write_text(MANIFEST.format(
            name=f"small-{name}", family=family, sha256=hashlib.sha256(weights).hexdigest(), batch=batch,
            labels=json.dumps(LABELS), width=WIDTH, height=HEIGHT, layout=layout, colour=colour, dtype=dtype,
            letterbox=letterbox, more="".join(line + "\n" for line in lines), output=output))
        boxes, (_, _, scores) = expected(folder)
        (folder / "expected.json").write_text(json.dumps(boxes, indent=0) + "\n")
        classes = sorted({box["class"] for box in boxes})
        print(f"{name:14} {len(weights):6} bytes, {len(boxes):3} boxes of {len(scores)}, {classes}, "
              f"scores {scores.min():.2f} to {scores.max():.2f}")
        assert len(boxes) >= 5 and len(boxes) < len(scores) and len(classes) >= 2


if __name__ == "__main__":
    main()
