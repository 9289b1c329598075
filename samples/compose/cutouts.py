"""Things on transparent ground: out of photographs by their boxes, out of rendered sprites, out of a clip.

In: a labelled photograph, a sprite with its JSON, frames of a fixed camera. Out: BGRA pictures cut to the thing,
`[h, w, 4] u8`. Never: a picture kept; what is cut lives as long as the clips are made.
"""

import json
import pathlib

import cv2
import numpy as np

# Pictures of the garbage set are squeezed to squares; phones take them at 4 to 3.
UNSQUEEZE = 4 / 3


def tight(picture):
    """Cut to what is not transparent."""
    ys, xs = np.nonzero(picture[..., 3] > 20)
    if len(ys) == 0:
        raise SystemExit("a cut-out has nothing left")
    return picture[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]


def softened(mask, sigma):
    """A mask whose edge lies a little inside and fades."""
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(mask, (0, 0), sigma)


def largest(mask, keep_share=0.15):
    """The largest piece and those of at least that share of it."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if n < 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = [i + 1 for i, a in enumerate(areas) if a >= keep_share * areas.max()]
    return np.isin(labels, kept).astype(np.uint8) * 255


def photographed(folder, name, number=0):
    """The box of that number in a photograph, its ground taken away by GrabCut."""
    folder = pathlib.Path(folder)
    (path,) = sorted((folder / "images").glob(name + ".*"))[:1]
    picture = cv2.imread(str(path))
    height, width = picture.shape[:2]
    rows = [list(map(float, line.split())) for line in (folder / "labels" / (name + ".txt")).read_text().splitlines()]
    _, x, y, w, h = rows[number]
    box = [int((x - w / 2) * width), int((y - h / 2) * height), int(w * width), int(h * height)]
    box[0], box[1] = max(box[0], 1), max(box[1], 1)
    mask = np.zeros((height, width), np.uint8)
    cv2.setRNGSeed(7)
    cv2.grabCut(picture, mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_RECT)
    solid = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * 255
    solid = largest(cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)))
    cut = tight(np.dstack([picture, softened(solid, 1.2)]))
    return cv2.resize(cut, None, fx=UNSQUEEZE, fy=1, interpolation=cv2.INTER_AREA)


def rendered(folder, name):
    """A sprite, its soft shadow kept: `(picture, the labelled boxes' outer edge in it)`."""
    path = pathlib.Path(folder) / (name + ".png")
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    boxes = np.array([box[1:] for box in json.loads(path.with_suffix(".json").read_text())["boxes"]], float)
    return picture, [*boxes[:, :2].min(0), *boxes[:, 2:].max(0)]


def standing(frame, box, background):
    """A person out of a frame of a fixed camera, by what differs from its background."""
    x0, y0, x1, y1 = box
    differs = moving(frame, background)[y0:y1, x0:x1]
    return tight(np.dstack([frame[y0:y1, x0:x1], softened(largest(differs), 0.8)]))


def moving(frame, background, least=26):
    """Where a frame differs from its background: `[h, w] u8`, 0 or 255, specks left out, holes closed."""
    differs = cv2.absdiff(cv2.GaussianBlur(frame, (0, 0), 1), cv2.GaussianBlur(background, (0, 0), 1)).max(2)
    mask = (differs > least).astype(np.uint8) * 255
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 5), np.uint8))
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    small = [i for i in range(1, n) if stats[i, cv2.CC_STAT_AREA] < 90]
    mask[np.isin(labels, small)] = 0
    return mask
