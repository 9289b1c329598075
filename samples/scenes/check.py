"""What the real detector sees in the clips.

    python check.py --model models/city-nano/city_nano.onnx [--json FILE] CLIP.mp4 | PICTURE.png ...

In: clips with `<clip>.truth.json` beside them, decoded at their key frames (one every two
seconds), or pictures. Out: for every event the share of looks that hit, and every detection that
might raise a false finding. Decoding: YOLOX raw grid, strides 8, 16, 32; NMS per class at 0.45.
"""
import argparse
import json
import os
import tomllib

import cv2
import numpy as np
import onnxruntime as ort

RISKY = {"umbrella", "table", "chair", "stall", "goods", "garbage", "garbage_bin", "bin_overflow", "material_pile",
         "machinery", "scaffold", "traffic_cone", "hoarding"}
WANTED = {"street_vendor": ["stall", "umbrella", "table", "goods", "person"], "litter": ["garbage"],
          "overflowing_bin": ["bin_overflow", "garbage", "garbage_bin"],
          "piled_material": ["material_pile", "machinery", "garbage"]}
SIDE = 416
LOOK_S = 2.0


class Detector:
    def __init__(self, path):
        o = ort.SessionOptions()
        o.intra_op_num_threads = 1
        self.session = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name
        self.labels = labels_of(path)
        cells = []
        for s in (8, 16, 32):
            n = SIDE // s
            y, x = np.mgrid[:n, :n]
            cells.append(np.stack([x.ravel(), y.ravel(), np.full(n * n, s)], 1))
        self.cells = np.concatenate(cells).astype(np.float32)

    def __call__(self, bgr, least=0.25):
        """[(label, score, x0, y0, x1, y1)] in the picture's pixels."""
        h, w = bgr.shape[:2]
        k = min(SIDE / w, SIDE / h)
        pad = np.full((SIDE, SIDE, 3), 114, np.uint8)
        small = cv2.resize(bgr, (round(w * k), round(h * k)), interpolation=cv2.INTER_LINEAR)
        pad[:small.shape[0], :small.shape[1]] = small
        out = self.session.run(None, {self.name: pad.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
        xy = (out[:, :2] + self.cells[:, :2]) * self.cells[:, 2:]
        wh = np.exp(out[:, 2:4]) * self.cells[:, 2:]
        boxes = np.concatenate([xy - wh / 2, xy + wh / 2], 1) / k
        found = []
        for c, label in enumerate(self.labels):
            s = out[:, 4] * out[:, 5 + c]
            idx = np.where(s >= least)[0]
            idx = idx[np.argsort(-s[idx])]
            while len(idx):
                i, rest = idx[0], idx[1:]
                found.append((label, float(s[i]), *[float(v) for v in boxes[i]]))
                idx = np.array([j for j in rest if iou(boxes[i], boxes[j]) < .45], int)
        return sorted(found, key=lambda d: -d[1])


def labels_of(weights):
    """The model's labels in its order, as the manifest beside its weights says."""
    path = os.path.join(os.path.dirname(os.path.abspath(weights)), "manifest.toml")
    with open(path, "rb") as file:
        manifest = tomllib.load(file)
    if manifest["weights"] != os.path.basename(weights):
        raise SystemExit(f"{path} is the manifest of {manifest['weights']}, not of {weights}")
    return manifest["labels"]


def iou(a, b):
    x = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    y = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    both = x * y
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both + 1e-9)


def touches(box, key):
    """Does a detection's centre lie in the key box, widened by a fifth?"""
    w, h = key[2] - key[0], key[3] - key[1]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return key[0] - .2 * w <= x <= key[2] + .2 * w and key[1] - .2 * h <= y <= key[3] + .2 * h


def place_of(event, label):
    return event.get("attendant_px", event["box_px"]) if label == "person" else event["box_px"]


def looks(path):
    """(seconds, BGR) of a clip's key frames."""
    cap = cv2.VideoCapture(path)
    fps, n = cap.get(cv2.CAP_PROP_FPS), 0
    while True:
        ok, im = cap.read()
        if not ok:
            return
        if n % round(LOOK_S * fps) == 0:
            yield n / fps, im
        n += 1


def check(detect, path):
    truth_path = os.path.splitext(path)[0] + ".truth.json"
    truth = json.load(open(truth_path))
    report = dict(clip=truth["clip"], events=[], elsewhere=[])
    seen = [(t, detect(im)) for t, im in looks(path)]
    report["looks"] = len(seen)
    for ev in truth["events"]:
        rows = []
        for label in WANTED[ev["kind"]]:
            row = {"label": label}
            for when, inside in (("during", True), ("before", False)):
                best = [max([d for d in ds if d[0] == label and touches(d[2:], place_of(ev, label))], key=lambda d: d[1], default=None)
                        for t, ds in seen if (ev["from_s"] <= t < ev["to_s"]) == inside]
                hits = [d for d in best if d and d[1] >= .4]
                row[when] = dict(looks=len(best), hit=len(hits), share=round(len(hits) / max(1, len(best)), 3),
                                 mean=round(float(np.mean([d[1] for d in hits])), 3) if hits else 0,
                                 max=round(max([d[1] for d in best if d], default=0), 3),
                                 box=[round(float(v)) for v in np.mean([d[2:] for d in hits], 0)] if hits else None)
            rows.append(row)
        report["events"].append(dict(id=ev["id"], rows=rows))
    for t, ds in seen:
        for d in ds:
            now = [e for e in truth["events"] if e["from_s"] <= t < e["to_s"] and touches(d[2:], e["box_px"])]
            if d[0] in RISKY and d[1] >= .35 and not now:
                report["elsewhere"].append([t, d[0], round(d[1], 2), [round(v) for v in d[2:]]])
    people = [sum(1 for d in ds if d[0] == "person" and d[1] >= .4) for _, ds in seen]
    cars = [sum(1 for d in ds if d[0] in ("car", "truck", "bus") and d[1] >= .4) for _, ds in seen]
    report["people_looks"], report["car_looks"] = sum(p > 0 for p in people), sum(c > 0 for c in cars)
    return report


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    p.add_argument("--json")
    p.add_argument("--least", type=float, default=.25)
    p.add_argument("inputs", nargs="+")
    a = p.parse_args()
    detect, all_reports = Detector(a.model), []
    for path in a.inputs:
        if not path.endswith(".mp4"):
            for d in detect(cv2.imread(path), a.least):
                print(f"{os.path.basename(path)}: {d[0]:14s} {d[1]:.2f}  {[round(v) for v in d[2:]]}")
            continue
        r = check(detect, path)
        all_reports.append(r)
        print(f"\n{r['clip']}: {r['looks']} looks, people in {r['people_looks']}, vehicles in {r['car_looks']}")
        for ev in r["events"]:
            for row in ev["rows"]:
                d, b = row["during"], row["before"]
                print(f"  {ev['id']:10s} {row['label']:13s} during {d['hit']:2d}/{d['looks']:2d} = {d['share']:.2f}  mean {d['mean']:.2f} max {d['max']:.2f}"
                      f"  box {d['box']}   before {b['hit']}/{b['looks']} max {b['max']:.2f}")
        for e in r["elsewhere"]:
            print("  elsewhere", *e)
    if a.json:
        json.dump(all_reports, open(a.json, "w"), indent=1)


if __name__ == "__main__":
    main()
