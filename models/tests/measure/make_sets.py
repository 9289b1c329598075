"""Label sets with pycocotools' own answer, for `main.rs` beside this file.

    python models/tests/measure/make_sets.py       # numpy and pycocotools 2.0.11

Writes street.json, sparse.json and adversarial.json: seeded, no picture behind them. Everything is rounded
before pycocotools sees it, so that both sides read the same numbers.
"""

import contextlib
import io
import json
import random
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIDE = 640


def box(rng, low=8, high=220, grid=0.01):
    w, h = rng.uniform(low, high), rng.uniform(low, high)
    x, y = rng.uniform(0, SIDE - w), rng.uniform(0, SIDE - h)
    return [round(round(v / grid) * grid, 2) for v in (x, y, w, h)]


def jitter(rng, b, share, grid=0.01):
    x, y, w, h = b
    moved = (
        x + rng.gauss(0, share) * w,
        y + rng.gauss(0, share) * h,
        w * max(0.2, 1 + rng.gauss(0, share)),
        h * max(0.2, 1 + rng.gauss(0, share)),
    )
    return [round(round(v / grid) * grid, 2) for v in moved]


def detector(rng, truths, classes, jitter_share, miss, wrong, score_steps):
    """What a middling detector would say."""
    score = lambda low, high: round(rng.uniform(low, high) * score_steps) / score_steps
    found = []
    for cls, *b, _crowd in truths:
        if rng.random() > miss:
            said = cls if rng.random() > 0.1 else rng.randrange(classes)
            found.append([said, *jitter(rng, b, jitter_share), score(0.2, 1)])
        if rng.random() < 0.2:
            found.append([cls, *jitter(rng, b, jitter_share * 2), score(0.05, 0.8)])
    while rng.random() < wrong:
        found.append([rng.randrange(classes), *box(rng), score(0.01, 0.7)])
    rng.shuffle(found)
    return found


def street(rng):
    pictures = []
    for _ in range(120):
        truths = [[rng.randrange(3), *box(rng), 0] for _ in range(rng.randrange(0, 8))]
        pictures.append({"truths": truths, "found": detector(rng, truths, 3, 0.08, 0.15, 0.6, 10**6)})
    return 3, pictures


def sparse(rng):
    pictures = []
    for _ in range(60):
        truths = [[rng.choice([0, 1, 2, 3, 4, 9, 15]), *box(rng), 0] for _ in range(rng.randrange(0, 4))]
        pictures.append({"truths": truths, "found": detector(rng, truths, 18, 0.12, 0.2, 0.7, 10**4)})
    return 18, pictures


def adversarial(rng):
    """0 and 1: ties everywhere; 2: truth never found; 3: found, no truth; 4: neither; 5: crowds only;
    6: a flood of finds; 7: overlaps of exactly an IoU that is asked for."""
    pictures = []
    for at in range(60):
        truths, found = [], []
        if at % 5 != 4:
            # Coarse boxes and one-digit scores: equal scores, equal overlaps, equal boxes.
            truths = [[rng.randrange(2), *box(rng, 20, 120, 10), 0] for _ in range(rng.randrange(1, 6))]
            truths += [[rng.randrange(2), *box(rng, 100, 300, 10), 1] for _ in range(rng.randrange(0, 3))]
            found = detector(rng, truths, 2, 0.1, 0.1, 0.7, 10)
            found = [[c, *(round(v / 10) * 10 or 10 for v in b), s] for c, *b, s in found]
            found += [list(f) for f in found if rng.random() < 0.2]
            # Two truths in one place, and a truth within a crowd.
            if at % 3 == 0:
                truths += [list(truths[0]), [truths[0][0], *truths[0][1:5], 1]]
            rng.shuffle(truths)
        if at % 7 == 0:
            truths.append([2, *box(rng), 0])
        if at % 4 == 0:
            found.append([3, *box(rng), 0.5])
        if at % 9 == 0:
            crowd = box(rng, 200, 300)
            truths.append([5, *crowd, 1])
            found += [[5, *jitter(rng, crowd, 0.3), 0.5] for _ in range(3)]
        if at == 10 or at == 11:
            mine = [[6, *box(rng, 10, 60, 10), 0] for _ in range(12)]
            truths += mine
            # Ties around the hundredth place: which of them count hangs on the order given.
            flood = [[6, *box(rng, 10, 60, 10), round(rng.choice([0.3, 0.4, 0.5]), 1)] for _ in range(130)]
            flood += [[6, *m[1:5], 0.4] for m in mine]
            rng.shuffle(flood)
            found += flood
        if at % 6 == 0:
            truths.append([7, 100, 100, 100, 100, 0])
            found.append([7, 100, 100, 100, rng.choice([50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100]), 0.6])
        pictures.append({"truths": truths, "found": found})
    return 8, pictures


def answer(classes, pictures):
    truths, found = [], []
    for at, picture in enumerate(pictures, 1):
        for cls, x, y, w, h, crowd in picture["truths"]:
            truths.append(
                {"id": len(truths) + 1, "image_id": at, "category_id": cls, "bbox": [x, y, w, h],
                 "area": w * h, "iscrowd": crowd}
            )
        for cls, x, y, w, h, score in picture["found"]:
            found.append({"image_id": at, "category_id": cls, "bbox": [x, y, w, h], "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": at} for at in range(1, len(pictures) + 1)],
            "categories": [{"id": cls, "name": str(cls)} for cls in range(classes)],
            "annotations": truths,
        }
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    precision = run.eval["precision"][:, :, :, 0, 2]
    absent = [bool((precision[:, :, cls] == -1).all()) for cls in range(classes)]
    return {
        "ap": [None if absent[c] else precision[:, :, c].mean(axis=1).tolist() for c in range(classes)],
        "precision": [None if absent[c] else precision[0, :, c].tolist() for c in range(classes)],
        "mean_ap50": float(run.stats[1]),
        "mean_ap50_95": float(run.stats[0]),
    }


def main():
    here = Path(__file__).parent
    for name, make, seed in [("street", street, 1), ("sparse", sparse, 2), ("adversarial", adversarial, 3)]:
        classes, pictures = make(random.Random(seed))
        result = {"classes": classes, "pictures": pictures, **answer(classes, pictures)}
        text = json.dumps(result, separators=(",", ":"))
        (here / f"{name}.json").write_text(text + "\n")
        print(name, len(text), {k: result[k] for k in ("mean_ap50", "mean_ap50_95")},
              ["-" if a is None else round(float(np.mean(a)), 3) for a in result["ap"]])


if __name__ == "__main__":
    main()
