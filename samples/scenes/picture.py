"""Linear light to camera picture and back, and the reading of renders.

In: EXR files from blender/render.py (linear, RGB order on disk). Out: float32 BGR arrays in
linear light [H, W, 3 or 4], or uint8 BGR as a camera would show it.
"""
import os

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2  # noqa: E402
import numpy as np  # noqa: E402

SHOULDER = 1.45  # exposure: higher is brighter
GAMMA = 2.2


def read_exr(path):
    im = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if im is None:
        raise SystemExit(f"{path}: missing or unreadable; render it again")
    return im.astype(np.float32)


def show(linear):
    """Linear light -> display 0..1 with a soft shoulder; `light` undoes it exactly."""
    return (1 - np.exp(-SHOULDER * np.maximum(linear, 0))) ** (1 / GAMMA)


def light(display):
    return -np.log(np.maximum(1 - np.minimum(display, .9995) ** GAMMA, 1e-4)) / SHOULDER


def clean(display_u8, strength=4):
    """Takes the path tracer's grain out of a picture: more of it in the dark, where gamma lifts it."""
    def pass_at(h):
        return cv2.fastNlMeansDenoisingColored(display_u8, None, h, h * 2.2, 5, 15)
    dark = 1 - np.clip((cv2.GaussianBlur(display_u8, (0, 0), 2).mean(2) - 60) / 60, 0, 1)[..., None]
    return (pass_at(strength) * (1 - dark) + pass_at(strength * 2.5) * dark + .5).astype(np.uint8)
