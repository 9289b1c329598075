"""Pictures as a street camera might have taken them: mosaics, sprites, light, weather, a cheap lens, a low bit rate.

In: labelled pictures and sprites. Out: batches `[n, side, side, 3]` u8 BGR and truth `[k, 5]` f32 each, without end. The batch
of a step depends on the recipe's seed and the step, and on whether the run is in its last part.
"""
import itertools
import math

import cv2
import numpy as np
import torch

# OpenCV's own threads do not live through the fork of a loader's process.
cv2.setNumThreads(0)

GREY = 114
SIDE_PX_MIN = 4
VISIBLE_MIN = 0.25  # Of a box's area inside the picture; a thing cut further is neither right nor wrong.
COVERED_MAX = 0.5


class Batches(torch.utils.data.IterableDataset):
    """`pools` maps a source's name to its pictures, boxes already in the recipe's classes (-1: neither)."""

    def __init__(self, recipe, pools, shares, sprites, first=0, done=None, plain_from=0.85):
        """`done`: how much of the run is over, 0..1, shared with the process that learns."""
        self.recipe, self.pools, self.shares, self.sprites = recipe, pools, shares, sprites
        self.first, self.done, self.plain_from = first, done, plain_from
        by_class = {}
        for i, (name, _, _) in enumerate(sprites):
            by_class.setdefault(name, []).append(i)
        self.sprites_by_class = sorted(by_class.items())

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        start, every = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in itertools.count(self.first + start, every):
            late = max(step / self.recipe.steps, self.done.value) >= self.plain_from
            yield self.batch(step, late)

    def batch(self, step, late=False):
        random = np.random.default_rng([self.recipe.seed, 2, step])
        side = self.recipe.side if late else int(random.choice(self.recipe.sides))
        pictures = np.empty((self.recipe.batch, side, side, 3), np.uint8)
        truths = []
        for i in range(self.recipe.batch):
            pictures[i], truth = self.sample(random, side, random.random() < (0.25 if late else 0.7))
            truths.append(torch.from_numpy(truth))
        return torch.from_numpy(pictures), truths

    def pick(self, random):
        names = list(self.shares)
        pool = self.pools[names[random.choice(len(names), p=[self.shares[name] for name in names])]]
        return pool[random.integers(len(pool))]

    def sample(self, random, side, mosaic):
        out = np.full((side, side, 3), GREY, np.uint8)
        parts = [p for one in (self.four if mosaic else self.one)(random, out) for p in one]
        truth = np.concatenate(parts) if parts else np.zeros((0, 5), np.float32)
        if self.sprites and random.random() < self.recipe.sprite_share:
            for _ in range(1 + random.poisson(0.7)):
                truth = self.paste(random, out, truth)
        return camera(random, out), truth.astype(np.float32)

    def four(self, random, out):
        """Four pictures around a moving middle."""
        side = out.shape[0]
        turn = turned(random) * random.uniform(0.45, 1.15)
        middle = random.uniform(0.5, 1.5, 2) * side
        shift = side / 2 - turn @ np.full(2, side) + random.uniform(-0.1, 0.1, 2) * side
        for k in range(4):
            picture, boxes = self.pick(random)
            height, width = picture.shape[:2]
            scale, mirrored = side / max(height, width) * random.uniform(0.85, 1.15), random.random() < 0.5
            at = np.array([middle[0] - width * scale if k % 2 == 0 else middle[0], middle[1] - height * scale if k < 2 else middle[1]])
            place = np.diag([-scale if mirrored else scale, scale])
            at += [width * scale if mirrored else 0, 0]
            yield warp(out, picture, boxes, np.column_stack([turn @ place, turn @ at + shift]))

    def one(self, random, out):
        side = out.shape[0]
        picture, boxes = self.pick(random)
        height, width = picture.shape[:2]
        scale, stretch = side / max(height, width) * random.uniform(0.8, 1.35), math.exp(random.uniform(-0.15, 0.15))
        across = -scale * stretch if random.random() < 0.5 else scale * stretch
        place = turned(random) @ np.diag([across, scale / stretch])
        middle = side / 2 + random.uniform(-0.12, 0.12, 2) * side
        yield warp(out, picture, boxes, np.column_stack([place, middle - place @ [width / 2, height / 2]]))

    def paste(self, random, out, truth):
        """Sets one sprite into the picture; what it hides is no longer asked for."""
        side = out.shape[0]
        _, of_class = self.sprites_by_class[random.integers(len(self.sprites_by_class))]
        _, sprite, boxes = self.sprites[of_class[random.integers(len(of_class))]]
        length = side * math.exp(random.uniform(math.log(0.07), math.log(0.65)))
        scale = length / max(sprite.shape[:2])
        width, height = max(round(sprite.shape[1] * scale), 8), max(round(sprite.shape[0] * scale), 8)
        small = cv2.resize(sprite, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if mirrored := random.random() < 0.5:
            small = small[:, ::-1]
        x, y = round(random.uniform(-0.15 * width, side - 0.85 * width)), round(random.uniform(0.1 * side, side - 0.8 * height))
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, side), min(y + height, side)
        if x1 - x0 < 8 or y1 - y0 < 8:
            return truth
        part = small[y0 - y:y1 - y, x0 - x:x1 - x].astype(np.float32)
        alpha = part[..., 3:] / 255
        light = random.uniform(0.6, 1.25) * (1 + random.uniform(-0.06, 0.06, 3))
        under = out[y0:y1, x0:x1]
        out[y0:y1, x0:x1] = (under * (1 - alpha) + (part[..., :3] * light).clip(0, 255) * alpha).round()
        own = boxes.copy()
        own[:, 1::2] *= width / sprite.shape[1]
        own[:, 2::2] *= height / sprite.shape[0]
        if mirrored:
            own[:, [1, 3]] = width - own[:, [3, 1]]
        own[:, 1:] += [x, y, x, y]
        solid = np.zeros((side, side), np.float32)
        solid[y0:y1, x0:x1] = alpha[..., 0] > 0.6
        summed = cv2.integral(solid)
        kept = [row for row in truth if covered(summed, row) < COVERED_MAX]
        return np.concatenate([np.array(kept, np.float32).reshape(-1, 5), cut(own, side)])


def turned(random):
    angle, shear = math.radians(random.uniform(-4, 4)), np.tan(np.radians(random.uniform(-3, 3, 2)))
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ [[1, shear[0]], [shear[1], 1]]


def warp(out, picture, boxes, matrix):
    """Draws a picture through `matrix` onto `out` and gives its boxes there."""
    side = out.shape[0]
    cv2.warpAffine(picture, matrix, (side, side), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    if len(boxes) == 0:
        return
    corners = np.stack([boxes[:, [1, 2]], boxes[:, [3, 2]], boxes[:, [3, 4]], boxes[:, [1, 4]]], 1)
    corners = np.sort(corners @ matrix[:, :2].T + matrix[:, 2], 1)
    # A turned box grows; the middle between its outer and inner corners is nearer to the thing.
    low, high = corners[:, :2].mean(1), corners[:, 2:].mean(1)
    yield cut(np.column_stack([boxes[:, 0], low, high]).astype(np.float32), side)


def cut(boxes, side):
    """Boxes cut off at the picture's edges; what is mostly outside becomes neither right nor wrong."""
    inside = boxes.copy()
    inside[:, 1:] = inside[:, 1:].clip(0, side)
    sides, whole = inside[:, 3:] - inside[:, 1:3], (boxes[:, 3:] - boxes[:, 1:3]).prod(1)
    seen = (sides > SIDE_PX_MIN).all(1)
    inside[sides.prod(1) < VISIBLE_MIN * whole, 0] = -1
    return inside[seen]


def covered(summed, row):
    side = summed.shape[0] - 1
    x0, y0, x1, y1 = np.round(row[1:]).astype(int).clip(0, side)
    return (summed[y1, x1] - summed[y0, x1] - summed[y1, x0] + summed[y0, x0]) / max((x1 - x0) * (y1 - y0), 1)


def camera(random, picture):
    """Colour and light, softness, noise, blocks of a codec."""
    side = picture.shape[0]
    if random.random() < 0.15:
        share = random.uniform(0.4, 0.8)
        picture = cv2.resize(cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), (side, side))
    if random.random() < 0.9:
        gains = random.uniform(-1, 1, 3) * [0.015, 0.6, 0.4] + 1
        x = np.arange(256)
        tables = [(x * gains[0]) % 180, np.clip(x * gains[1], 0, 255), np.clip(x * gains[2], 0, 255)]
        channels = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV))
        changed = cv2.merge([cv2.LUT(c, t.astype(np.uint8)) for c, t in zip(channels, tables)])
        picture = cv2.cvtColor(changed, cv2.COLOR_HSV2BGR)
    if random.random() < 0.12:
        noise = np.empty(picture.shape, np.int16)
        cv2.setRNGSeed(int(random.integers(2**31)))
        cv2.randn(noise, 0, float(random.uniform(2, 9)))
        picture = cv2.add(picture, noise, dtype=cv2.CV_8U)
    if random.random() < 0.12:
        quality = int(random.integers(25, 70))
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return picture
