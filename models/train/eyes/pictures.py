"""Labelled folders to pictures in memory, and held-out ones back to folders.

In: YOLO or COCO labels. Out: [`Labelled`] pictures, BGR u8, at most `SIDE_MAX` long, boxes in their pixels.
"""
import json
import pathlib
import sys
from dataclasses import dataclass

import cv2
import numpy as np

SIDE_MAX = 640
ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


@dataclass
class Labelled:
    source: str
    path: pathlib.Path
    picture: np.ndarray  # [h, w, 3] u8
    boxes: np.ndarray  # [k, 5] f32: label number of the source, x0, y0, x1, y1


def read_source(source, limit=None):
    """Every picture of a source, in the order of its names. Mistakes in labels are told all at once."""
    coco = source.folder / "annotations.json"
    labels = read_coco(coco) if coco.exists() else None
    paths = sorted(p for p in (source.folder / "images").rglob("*") if p.suffix.lower() in ENDINGS)
    if not paths:
        raise SystemExit(f"{source.folder}: no pictures under images/; write the folder that holds images/ and labels/")
    faults, found = [], []
    for path in paths[:limit]:
        picture = cv2.imread(str(path))
        if picture is None:
            faults.append(f"{path}: is not a picture that can be read; take it out")
            continue
        height, width = picture.shape[:2]
        if labels is None:
            text = source.folder / "labels" / path.relative_to(source.folder / "images").with_suffix(".txt")
            boxes = read_yolo(text, width, height, len(source.labels), faults)
        else:
            boxes = labels.get(path.name, np.zeros((0, 5), np.float32))
        scale = min(1.0, SIDE_MAX / max(height, width))
        if scale < 1:
            picture = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
            boxes[:, 1:] *= scale
        found.append(Labelled(source.name, path, picture, boxes))
    if faults:
        raise SystemExit("\n".join(faults))
    return found


def read_yolo(path, width, height, labels, faults):
    rows = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line.strip():
            continue
        try:
            label, x, y, w, h = (float(word) for word in line.split()[:5])
            if not (label == int(label) and 0 <= label < labels):
                raise ValueError(f"label {line.split()[0]} of {labels}")
            if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < w <= 1 and 0 < h <= 1):
                raise ValueError("numbers outside 0..1")
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}; write `label x y w h`, centre and size as shares of the picture")
            continue
        rows.append((label, (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height))
    boxes = np.array(rows, np.float32).reshape(-1, 5)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, width)
    boxes[:, 2::2] = boxes[:, 2::2].clip(0, height)
    return boxes


def read_coco(path):
    try:
        raw = json.loads(path.read_text())
        names = {image["id"]: pathlib.Path(image["file_name"]).name for image in raw["images"]}
        order = {c["id"]: i for i, c in enumerate(sorted(raw["categories"], key=lambda c: c["id"]))}
        rows = {name: [] for name in names.values()}
        for a in raw["annotations"]:
            x, y, w, h = a["bbox"]
            rows[names[a["image_id"]]].append((order[a["category_id"]], x, y, x + w, y + h))
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"{path}: {error!r}; write COCO's images, categories and annotations")
    return {name: np.array(r, np.float32).reshape(-1, 5) for name, r in rows.items()}


def write_held_out(folder, source, pictures, classes):
    """Held-out pictures as a folder that `shirong eval` reads; labels without a class of their own stay out, and the rest are
    numbered anew: what nobody looked for in these pictures is not asked for."""
    used = [name for name in classes if name in source.labels]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    for p in pictures:
        target = folder / "images" / p.path.name
        target.unlink(missing_ok=True)
        target.symlink_to(p.path.resolve())
        height, width = p.picture.shape[:2]
        lines = []
        for label, x0, y0, x1, y1 in p.boxes:
            name = source.labels[int(label)]
            if name in used:
                numbers = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
                lines.append(f"{used.index(name)} " + " ".join(f"{n:.6f}" for n in numbers))
        (folder / "labels" / (p.path.stem + ".txt")).write_text("".join(line + "\n" for line in lines))
    (folder / "data.yaml").write_text("names:\n" + "".join(f"  {i}: {name}\n" for i, name in enumerate(used)))


def read_sprites(folder, classes):
    """Things on transparent ground: `[(class or "", [h, w, 4] u8, boxes [k, 5])]`."""
    sprites = []
    for path in sorted(folder.rglob("*.json")):
        try:
            raw = json.loads(path.read_text())
            picture = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_UNCHANGED)
            boxes = [(classes.index(name) if name in classes else -1, *map(float, box)) for name, *box in raw["boxes"]]
            if picture is None or picture.shape[2] != 4:
                raise ValueError("no PNG with transparency beside it")
        except (ValueError, KeyError) as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
            continue
        sprites.append((raw["class"], picture, np.array(boxes, np.float32).reshape(-1, 5)))
    return sprites
