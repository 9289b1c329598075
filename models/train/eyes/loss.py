"""What a network is told about a batch: boxes by people and by the renderer, and what the original sees.

Truth is `[k, 5]`: class, x0, y0, x1, y1 in input pixels; class -1 marks what is neither right nor wrong to report.
Cells are assigned as YOLOX does (SimOTA, arXiv:2107.08430). Cells without truth follow the teacher in the classes
that it knows (distillation), so that people, vehicles and umbrellas stay as good as they were.
"""
import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .network import boxes_of

CENTRE_CELLS = 2.5  # A cell so near a box's centre may be assigned to it.
CANDIDATES = 10  # The best overlaps whose sum says how many cells a box gets.
IGNORE_IOU = 0.4
WEIGHT_BOX = 5.0


def overlap(a, b):
    """`[…, n, m]` intersection over union of `[…, n, 4]` and `[…, m, 4]`."""
    low, high = torch.max(a[..., :, None, :2], b[..., None, :, :2]), torch.min(a[..., :, None, 2:], b[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (area(a)[..., :, None] + area(b)[..., None, :] - shared + 1e-8)


def area(boxes):
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def overlap_pairs(a, b):
    shared = (torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    return shared / (area(a) + area(b) - shared + 1e-8)


def padded(truths, device):
    """`[n, k, 5]` truth of a batch, `[n, k]` where there is one; the same of what is neither right nor wrong."""
    def stacked(parts):
        rows = torch.zeros(len(parts), max(max(map(len, parts)), 1), 5)
        there = torch.zeros(rows.shape[:2], dtype=torch.bool)
        for i, part in enumerate(parts):
            rows[i, :len(part)], there[i, :len(part)] = part, True
        return rows.to(device), there.to(device)

    return stacked([t[t[:, 0] >= 0] for t in truths]), stacked([t[t[:, 0] < 0] for t in truths])


@torch.no_grad()
def assign(boxes, objects, classes, truth, there, corners, strides):
    """Cells with something to say `[n, cells]`, which truth each has, and their overlap. A batch at once, so that a GPU is
    not asked for one picture after the other."""
    middle = (corners + 0.5) * strides
    x, y = middle[:, 0], middle[:, 1]
    want, kind = truth[..., 1:], truth[..., 0].long()
    x0, y0, x1, y1 = (want[..., i, None] for i in range(4))
    inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    reach = CENTRE_CELLS * strides[:, 0]
    central = (((x0 + x1) / 2 - x).abs() < reach) & (((y0 + y1) / 2 - y).abs() < reach)
    may = ((inside | central) & there[..., None]).any(1, keepdim=True) & there[..., None]
    iou = overlap(want, boxes) * may
    score = (classes.sigmoid() * objects.sigmoid()[..., None]).sqrt().clamp(1e-6, 1 - 1e-6)
    is_class, is_not = -score.log(), -(1 - score).log()
    of_kind = (is_class - is_not).transpose(1, 2).gather(1, kind[..., None].expand(-1, -1, len(x)))
    cost = is_not.sum(-1)[:, None] + of_kind - 3 * (iou + 1e-8).log() + 1e5 * ~(inside & central)
    cost = cost.masked_fill(~may, math.inf)
    counts = iou.topk(CANDIDATES, 2)[0].sum(2).int().clamp(min=1)
    least, order = cost.topk(CANDIDATES, 2, largest=False)
    first = (torch.arange(CANDIDATES, device=cost.device) < counts[..., None]) & least.isfinite()
    chosen = torch.zeros_like(may).scatter_(2, order, first)
    claimed_twice = chosen.sum(1, keepdim=True) > 1
    best = F.one_hot(cost.argmin(1), truth.shape[1]).transpose(1, 2).bool()
    chosen = torch.where(claimed_twice, best, chosen)
    which = chosen.int().argmax(1)
    return chosen.any(1), which, iou.gather(1, which[:, None])[:, 0]


@dataclass
class Teacher:
    """What the original says of a batch, in the classes that both know.

    `object` `[n, cells]`: objectness times how far its best class is one that both know. `classes` `[n, cells, known]`
    and `known`, the student's index of each. `boxes` `[n, cells, 4]`.
    """

    object: torch.Tensor
    classes: torch.Tensor
    boxes: torch.Tensor
    known: list


def teacher_says(rows, groups, corners, strides):
    """Rows of the original, raw; `groups` maps a class of the student to those of the original."""
    probabilities = rows[..., 5:].sigmoid()
    known = torch.stack([probabilities[..., ks].amax(-1) for ks in groups.values()], -1)
    share = known.amax(-1) / probabilities.amax(-1).clamp(min=1e-6)
    return Teacher(rows[..., 4].sigmoid() * share, known, boxes_of(rows, corners, strides), list(groups))


@dataclass(frozen=True)
class Weights:
    teacher: float
    teacher_score_min: float = 0.1


def loss_of(rows, truths, teacher, corners, strides, weights, refine):
    """The loss of a batch of raw rows, and its parts by name. `refine` adds the plain distance of box numbers, as YOLOX
    does in its last epochs."""
    boxes, objects, classes = boxes_of(rows, corners, strides), rows[..., 4], rows[..., 5:]
    (truth, there), (either, either_there) = padded(truths, rows.device)
    want_object = teacher.object.clone() if teacher else torch.zeros_like(objects)
    follows = teacher.object * teacher.classes.amax(-1) if teacher else torch.zeros_like(objects)
    counts = ~((overlap(either[..., 1:], boxes.detach()) > IGNORE_IOU) & either_there[..., None]).any(1)
    if teacher:
        # Where somebody drew a box, the teacher's word about that thing does not count: it calls an excavator a truck.
        drawn = ((overlap(truth[..., 1:], teacher.boxes) > IGNORE_IOU) & there[..., None]).any(1)
        want_object, follows = want_object.masked_fill(drawn, 0), follows.masked_fill(drawn, 0)
    taken, which, iou = assign(boxes.detach(), objects.detach(), classes.detach(), truth, there, corners, strides)
    want_object, follows, counts = want_object.masked_fill(taken, 1), follows.masked_fill(taken, 0), counts | taken
    picture, at = taken.nonzero(as_tuple=True)
    want = truth[picture, which[picture, at]]
    n = max(len(at), 1)
    parts = {"object": (F.binary_cross_entropy_with_logits(objects, want_object, reduction="none") * counts).sum() / n}
    if len(at):
        want_class = F.one_hot(want[:, 0].long(), classes.shape[-1]).float() * iou[picture, at, None]
        shared = overlap_pairs(boxes[picture, at], want[:, 1:])
        parts["box"] = WEIGHT_BOX * (1 - shared.square()).sum() / n
        parts["class"] = F.binary_cross_entropy_with_logits(classes[picture, at], want_class, reduction="sum") / n
        if refine:
            stride = strides[at]
            centre, size = (want[:, 1:3] + want[:, 3:]) / 2 / stride - corners[at], (want[:, 3:] - want[:, 1:3]) / stride
            raw = torch.cat([centre, (size + 1e-8).log()], 1)
            parts["raw"] = F.l1_loss(rows[picture, at, :4], raw, reduction="sum") / n
    if teacher:
        parts["teacher"] = weights.teacher * following(boxes, classes, teacher, follows, weights) / n
    return sum(parts.values()), {name: part.detach() for name, part in parts.items()}


def following(boxes, classes, teacher, follows, weights):
    """Classes and boxes of the cells where the teacher sees something, weighed by how sure it is."""
    at = follows > weights.teacher_score_min
    if not at.any():
        return boxes.sum() * 0
    sure = follows[at]
    say = F.binary_cross_entropy_with_logits(classes[at][:, teacher.known], teacher.classes[at], reduction="none").sum(-1)
    iou = overlap_pairs(boxes[at], teacher.boxes[at])
    return (sure * (say + WEIGHT_BOX * (1 - iou.square()))).sum()
