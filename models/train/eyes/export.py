"""A trained network to what the service loads: ONNX weights, manifest, card, and a faster form where it pays.

Out: a folder with `NAME.onnx`, `manifest.toml`, `CARD.md` and the licence files, and `NAME-int8/` likewise.
"""
import hashlib
import shutil

import cv2
import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from .network import AsExported

OPSET = 17


def write_onnx(network, side, path):
    """Input `images` `[n, 3, height, width]` f32 BGR 0..=255, sides any multiple of 32 and `side` by `side` what it learned on;
    output `output` `[n, cells, 5 + classes]`."""
    torch.onnx.export(
        AsExported(network).eval(), (torch.zeros(2, 3, side, side),), str(path), dynamo=False, input_names=["images"], output_names=["output"],
        opset_version=OPSET, dynamic_axes={"images": {0: "n", 2: "height", 3: "width"}, "output": {0: "n"}})
    onnx.checker.check_model(str(path))


class Calibration(CalibrationDataReader):
    """Pictures as the service letterboxes them."""

    def __init__(self, pictures, side):
        self.left = iter(pictures)
        self.side = side

    def get_next(self):
        picture = next(self.left, None)
        if picture is None:
            return None
        height, width = picture.shape[:2]
        scale = self.side / max(height, width)
        padded = np.full((self.side, self.side, 3), 114, np.uint8)
        w, h = max(int(width * scale), 1), max(int(height * scale), 1)
        padded[:h, :w] = cv2.resize(picture, (w, h))
        return {"images": padded.transpose(2, 0, 1)[None].astype(np.float32)}


def write_int8(source, target, pictures, side, float_until):
    """Quantises the convolutions, but not the first `float_until` (stem and first stage carry most of the loss) nor the
    last of each head, whose numbers are coordinates."""
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(str(prepared)).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    producers = {out: node for node in graph.node for out in node.output}
    kept, open_names = {node.name for node in convolutions[:float_until]}, [o.name for o in graph.output]
    while open_names:
        node = producers.get(open_names.pop())
        if node is None or node.name in kept:
            continue
        kept.add(node.name)
        if node.op_type != "Conv":
            open_names += list(node.input)
    quantize_static(
        str(prepared), str(target), Calibration(pictures, side), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=sorted(kept),
        calibrate_method=CalibrationMethod.MinMax, op_types_to_quantize=["Conv"],
        extra_options={"CalibMovingAverage": True, "ActivationSymmetric": False})
    prepared.unlink()


def write_folder(recipe, folder, name, weights, licences, steps):
    """Manifest and card beside the weights. Thresholds start at one value for all: `shirong eval --threshold-for` proposes
    those that are worth writing."""
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    for licence in licences:
        shutil.copy(licence, folder / licence.name)
    labels = "\n".join(f'    "{c}",' for c in recipe.classes)
    classes = "\n".join(f'{c} = "{c}"' for c in recipe.classes)
    strides = "[8, 16, 32]"
    (folder / "manifest.toml").write_text(f'''# Written by models/train; CARD.md says where it comes from and what it was measured at.
name = "{name}"
family = "yolox_grid"
weights = "{weights.name}"
sha256 = "{sha256}"
batch = "dynamic"
provider = "cpu"
nms_iou = 0.45
area_max = 0.9

labels = [
{labels}
]

[licence]
spdx = "Apache-2.0"
file = "{licences[0].name}"
source = "{origin(recipe)} (Megvii), fine-tuned by models/train; CARD.md"

[input]
name = "images"
size = [{recipe.side}, {recipe.side}]
layout = "nchw"
colour = "bgr"
dtype = "f32"
letterbox = "corner"
trim = 32
pad = 114

[output]
name = "output"
strides = {strides}

[classes]
{classes}

[score_min]
default = 0.4
''')
    (folder / "CARD.md").write_text(card(recipe, name, sha256, steps))


def origin(recipe):
    return "YOLOX-nano, its channels doubled" if recipe.size == "wide" else f"YOLOX-{recipe.size}"


def card(recipe, name, sha256, steps):
    sources = "\n".join(f"- {s.name}: {s.licence}" for s in recipe.sources)
    sprites = "\n- renders of our own: `models/train/renders`" if recipe.sprites else ""
    return f"""# {name}

{origin(recipe)} at {recipe.side} px, fine-tuned from Megvii's COCO weights (Apache-2.0) by `models/train`, seed {recipe.seed},
{steps} steps of {recipe.batch} pictures. Weights sha256 `{sha256}`.

## Learned from
{sources}{sprites}
- what the original weights see in those pictures: {", ".join(recipe.classes[i] for i in recipe.known())}

## Measured
Not yet: `shirong eval held_out/NAME --model .` for each folder of held-out pictures, and paste the tables here, photographs
and renders apart.

## Known faults
Look at the contact sheets of `shirong eval --out` and write down what you see.
"""
