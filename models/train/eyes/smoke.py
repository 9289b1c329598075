"""Twenty small pictures and a few sprites drawn here, and the recipe that learns from them: the recipe's own test."""
import json
import pathlib

import cv2
import numpy as np

PICTURES = 20


def write(folder, models):
    """Writes pictures, labels, sprites and a recipe; gives the recipe's path."""
    random = np.random.default_rng(7)
    for part in ("pictures/images", "pictures/labels", "sprites"):
        (folder / part).mkdir(parents=True)
    for i in range(PICTURES):
        picture = cv2.GaussianBlur(random.integers(0, 255, (192, 256, 3), np.uint8), (0, 0), 3)
        width, height = random.uniform(0.2, 0.5, 2)
        x, y = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
        corner, far = (int(x * 256), int(y * 192)), (int((x + width) * 256), int((y + height) * 192))
        label = i % 2
        cv2.rectangle(picture, corner, far, [(30, 30, 30), (60, 160, 40)][label], -1)
        cv2.imwrite(str(folder / f"pictures/images/{i:03}.png"), picture)
        (folder / f"pictures/labels/{i:03}.txt").write_text(f"{label} {x + width / 2} {y + height / 2} {width} {height}\n")
    for i in range(3):
        sprite = np.zeros((64, 96, 4), np.uint8)
        cv2.ellipse(sprite, (48, 40), (40, 20), 0, 0, 360, (40, 90, 150 + 30 * i, 255), -1)
        cv2.imwrite(str(folder / f"sprites/{i}.png"), sprite)
        (folder / f"sprites/{i}.json").write_text(json.dumps({"class": "goods", "boxes": [["goods", 8, 20, 88, 60]]}))
    path = folder / "recipe.toml"
    path.write_text(f'''name = "smoke"
size = "nano"
side = 224
original = "{first_original(models)}"
classes = ["person", "car", "garbage", "garbage_bin", "goods"]
sprites = "sprites"
sprite_share = 0.5
batch = 4
steps = 12
rate = 1e-3
seed = 1
sides = [192, 224]
keep_original = 0.15
held_out = 0.2
teacher = 1.0
float_until = 7

[[source]]
name = "drawn"
folder = "pictures"
labels = ["garbage", "garbage_bin"]
share = 1.0
licence = "drawn by the recipe's own test"
''')
    return path


def first_original(models):
    return pathlib.Path(models) / "yolox-nano-coco" / "yolox_nano_coco.onnx"
