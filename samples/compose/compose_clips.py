"""Photographed and rendered things in the footage of real fixed cameras, at known times and places.

In: `vtest.avi` of Debian's opencv-doc, a clip of a car park, the garbage set's photographs, the training's sprites.
Out: a folder with NAME.mp4, NAME.truth.json and NAME.toml for each variant of `variants.py`, as
`shirong eval --events` reads it. Who walks nearer to the camera than a thing passes in front of it. Never: anything
in the repository.
"""

import argparse
import json
import pathlib

import cv2
import numpy as np

import cutouts
from variants import CLIP_SECS, LITTER_DWELL_SECS, VARIANTS, VENDOR_DWELL_SECS

# A look a second: what a rule sees of a camera.
FPS = 1
NOISE_SIGMA = 1.6
# Pixels a metre takes at a foot of y: measured on people of 1.7 m, and on cars of 1.8 m.
PIXELS_A_METRE = {"vtest": lambda y: (0.22 * y + 18.7) / 1.7, "car-park": lambda y: 57 + 0.07 * y}
ZONE = {"vtest": [[0.0, 0.12], [1.0, 0.12], [1.0, 1.0], [0.0, 1.0]], "car-park": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]}
# Who stands: a frame of vtest and a box around them in it.
PEOPLE = {"a": (212, (640, 290, 698, 420)), "b": (477, (558, 236, 610, 346)), "c": (477, (612, 270, 674, 404)), "e": (636, (328, 378, 396, 540))}


class Background:
    """A clip's picture at each second of its lap, the street without who moves, and the frames that are asked for."""

    def __init__(self, name, path, wanted=()):
        self.name, self.frames, self.wanted, self.walkers = name, [], {}, {}
        video = cv2.VideoCapture(str(path))
        fps = video.get(cv2.CAP_PROP_FPS)
        number = 0
        while True:
            more, frame = video.read()
            if not more:
                break
            if number >= len(self.frames) * fps / FPS:
                self.frames.append(frame)
            if number in wanted:
                self.wanted[number] = frame
            number += 1
        if not self.frames:
            raise SystemExit(f"{path}: no video that can be read")
        self.empty = np.median(np.stack(self.frames[:: max(1, len(self.frames) // 60)]), 0).astype(np.uint8)

    def at(self, second):
        return self.frames[self.number(second)]

    def number(self, second):
        return int(round(second * FPS)) % len(self.frames)

    def moving(self, second):
        """Who moves then, made once: pieces by number, and how far down each reaches."""
        number = self.number(second)
        if number not in self.walkers:
            mask = cutouts.moving(self.frames[number], self.empty)
            _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, ltype=cv2.CV_16U)
            self.walkers[number] = labels, stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT]
        return self.walkers[number]


class Placed:
    """An item at its size and place: `patch` BGRA, its upper left corner, the box of the thing itself."""

    def __init__(self, item, background, sources):
        self.item = item
        picture, box, metres_high = sources.cut(item.source)
        a_metre = PIXELS_A_METRE[background.name](item.foot[1])
        wide = box[2] - box[0]
        scale = metres_high * a_metre / (box[3] - box[1]) if metres_high else item.metres * a_metre / wide
        size = [max(2, round(side * scale)) for side in (picture.shape[1], picture.shape[0])]
        patch = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        # As soft as the footage.
        colour = cv2.GaussianBlur(patch[..., :3], (0, 0), 0.55)
        self.patch = np.dstack([colour, cv2.GaussianBlur(patch[..., 3], (0, 0), 0.55)])
        self.left = round(item.foot[0] - (box[0] + box[2]) / 2 * scale)
        self.top = round(item.foot[1] - box[3] * scale)
        self.box = [self.left + box[0] * scale, self.top + box[1] * scale, self.left + box[2] * scale, self.top + box[3] * scale]
        self.has_own_shadow = item.source[0] == "sprite"

    def draw(self, canvas, walkers, second):
        """Over the canvas, `[h, w, 3] u8`, and under whoever stands nearer to the camera."""
        patch, dx, dy = self.patch, 0, 0
        if self.item.fidgets:
            # People shift their weight and turn.
            step = int(second) // 3
            dx, dy = (step * 7) % 3 - 1, (step * 5) % 2
            if (int(second) // 11) % 2:
                patch = patch[:, ::-1]
        margin = 12
        left, top = self.left + dx - margin, self.top + dy - margin
        height, width = patch.shape[0] + 2 * margin, patch.shape[1] + 2 * margin
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
        behind = canvas[y0:y1, x0:x1].astype(np.float32)
        ground = behind.copy()
        if not self.has_own_shadow:
            shade(ground, [self.box[0] - x0, self.box[1] - y0, self.box[2] - x0, self.box[3] - y0])
        whole = cv2.copyMakeBorder(patch, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
        part = whole[y0 - top : y1 - top, x0 - left : x1 - left]
        alpha = part[..., 3:].astype(np.float32) / 255
        ground = part[..., :3] * alpha + ground * (1 - alpha)
        labels, bottoms = walkers
        nearer = [i for i in range(1, len(bottoms)) if bottoms[i] > self.item.foot[1] + 1]
        front = np.isin(labels[y0:y1, x0:x1], nearer).astype(np.float32)
        front = cv2.GaussianBlur(front, (0, 0), 0.8)[..., None]
        canvas[y0:y1, x0:x1] = np.clip(behind * front + ground * (1 - front), 0, 255).astype(np.uint8)


def shade(canvas, box):
    """The soft dark where a thing touches the ground."""
    x0, y0, x1, y1 = box
    mask = np.zeros(canvas.shape[:2], np.float32)
    middle, axes = (int((x0 + x1) / 2), int(y1 - 0.06 * (y1 - y0))), (int(0.54 * (x1 - x0)), max(2, int(0.09 * (x1 - x0))))
    cv2.ellipse(mask, middle, axes, 0, 0, 360, 0.45, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.05 * (x1 - x0)))[..., None]
    canvas[:] = canvas * (1 - mask)


class Sources:
    """Cut-outs by name, each made once."""

    def __init__(self, garbage, sprites, vtest):
        self.garbage, self.sprites, self.vtest = garbage, sprites, vtest
        self.made = {}

    def cut(self, source):
        """`(picture, the thing's box in it, its height in metres where that is known)`."""
        if source not in self.made:
            self.made[source] = self.make(source)
        return self.made[source]

    def make(self, source):
        if source[0] == "photo":
            picture = cutouts.photographed(self.garbage, source[1])
            picture = cutouts.tight(picture[: int(picture.shape[0] * source[2])])
            return picture, [0, 0, picture.shape[1], picture.shape[0]], None
        if source[0] == "sprite":
            return *cutouts.rendered(self.sprites, source[1]), None
        at_frame, box = PEOPLE[source[1]]
        picture = cutouts.standing(self.vtest.wanted[at_frame], box, self.vtest.empty)
        return picture, [0, 0, picture.shape[1], picture.shape[0]], 1.7


def compose(variant, background, sources, folder, random):
    height, width = background.empty.shape[:2]
    placed = sorted((Placed(item, background, sources) for item in variant.items), key=lambda one: one.item.foot[1])
    writer = cv2.VideoWriter(str(folder / f"{variant.name}.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (width, height))
    # One field of the sensor's noise, taken from another place for each frame.
    noise = random.normal(0, NOISE_SIGMA, (height + 64, width + 64, 3)).astype(np.int16)
    for second in np.arange(0, CLIP_SECS, 1 / FPS):
        canvas = background.at(second).copy()
        for one in placed:
            if one.item.from_s <= second < one.item.to_s:
                one.draw(canvas, background.moving(second), second)
        down, right = random.integers(0, 64, 2)
        noisy = canvas.astype(np.int16) + noise[down : down + height, right : right + width]
        writer.write(np.clip(noisy, 0, 255).astype(np.uint8))
    writer.release()
    (folder / f"{variant.name}.truth.json").write_text(json.dumps(truth(variant, placed, width, height), indent=1) + "\n")
    (folder / f"{variant.name}.toml").write_text(camera(variant))


def truth(variant, placed, width, height):
    """As `pipeline/app/src/eval/events/truth.rs` reads it."""

    def box(one):
        shares = [v / side for v, side in zip(one.box, (width, height, width, height))]
        return [round(min(max(v, 0.0), 1.0), 4) for v in shares]

    events = [one for one in placed if one.item.matter]
    return {
        "clip": f"{variant.name}.mp4",
        "camera": variant.name,
        "fps": FPS,
        "duration_s": CLIP_SECS,
        "size": [width, height],
        "events": [
            {
                "id": f"{variant.name}-{number}",
                "kind": one.item.kind,
                "matter": one.item.matter,
                "accept": one.item.accept,
                "what": one.item.what,
                "from_s": one.item.from_s,
                "to_s": one.item.to_s,
                "box": box(one),
            }
            for number, one in enumerate(events, 1)
        ],
        "decoys": [{"what": one.item.what, "box": box(one)} for one in placed if one.item.decoy],
    }


def camera(variant):
    corners = ", ".join(f"[{x}, {y}]" for x, y in ZONE[variant.background])
    rules = [("street_vendor", VENDOR_DWELL_SECS), ("litter", LITTER_DWELL_SECS), ("overflowing_bin", LITTER_DWELL_SECS)]
    text = f'# Written by samples/compose/compose_clips.py.\nname = "{variant.name}"\n\n[stream]\nurl = "{variant.name}.mp4"\nfps = {FPS}\n\n'
    text += f'[[zone]]\nid = "square"\nkind = "footway"\npolygon = [{corners}]\n'
    for kind, dwell_secs in rules:
        text += f'\n[[rule]]\nkind = "{kind}"\ndwell_secs = {dwell_secs}\nsighting_secs = 60\n'
    return text


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--vtest", type=pathlib.Path, required=True)
    arguments.add_argument("--car-park", type=pathlib.Path, required=True)
    arguments.add_argument("--garbage", type=pathlib.Path, required=True)
    arguments.add_argument("--sprites", type=pathlib.Path, required=True)
    arguments.add_argument("--out", type=pathlib.Path, required=True)
    arguments.add_argument("--only", help="variants whose name holds this")
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    posed = {at_frame for at_frame, _ in PEOPLE.values()}
    backgrounds = {"vtest": Background("vtest", given.vtest, posed), "car-park": Background("car-park", given.car_park)}
    sources = Sources(given.garbage, given.sprites, backgrounds["vtest"])
    for variant in VARIANTS:
        if given.only and given.only not in variant.name:
            continue
        # Each by its own noise, whichever others are made.
        random = np.random.default_rng(sum(variant.name.encode()))
        compose(variant, backgrounds[variant.background], sources, given.out, random)
        print(variant.name, flush=True)


if __name__ == "__main__":
    main()
