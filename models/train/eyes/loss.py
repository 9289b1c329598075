"""What a network is told about a batch: boxes by people and by the renderer, and what the original sees.

Truth is `[k, 5]`: class, x0, y0, x1, y1 in input pixels; class -1 marks what is neither right nor wrong to report.
Cells are assigned as YOLOX does (SimOTA, arXiv:2107.08430). Cells without truth follow the teacher in the classes
that it knows (distillation), so that people, vehicles and umbrellas stay as good as they were.
"""
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .network import boxes_of

CENTRE_CELLS = 2.5  # A cell so near a box's centre may be assigned to it.
CANDIDATES = 10  # The best overlaps whose sum says how many cells a box gets.
IGNORE_IOU = 0.4
WEIGHT_BOX = 5.0


def overlap(a, b):
    """`[n, m]` intersection over union."""
    low, high = torch.max(a[:, None, :2], b[None, :, :2]), torch.min(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (area(a)[:, None] + area(b)[None] - shared + 1e-8)


def area(boxes):
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def overlap_pairs(a, b):
    shared = (torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    return shared / (area(a) + area(b) - shared + 1e-8)


@torch.no_grad()
def assign(boxes, objects, classes, truth, corners, strides):
    """Cells with something to say, which truth each has, and their overlap."""
    middle = (corners + 0.5) * strides
    x, y = middle[:, 0], middle[:, 1]
    want = truth[:, 1:]
    inside = (x > want[:, :1]) & (x < want[:, 2:3]) & (y > want[:, 1:2]) & (y < want[:, 3:])
    centre_x, centre_y = (want[:, :1] + want[:, 2:3]) / 2, (want[:, 1:2] + want[:, 3:]) / 2
    reach = CENTRE_CELLS * strides[:, 0]
    central = ((centre_x - x).abs() < reach) & ((centre_y - y).abs() < reach)
    at = (inside | central).any(0).nonzero()[:, 0]
    if len(at) == 0:
        return None
    iou = overlap(want, boxes[at])
    score = (classes[at].sigmoid() * objects[at].sigmoid()[:, None]).sqrt().clamp(1e-6, 1 - 1e-6)
    is_class, is_not = -score.log(), -(1 - score).log()
    cost = is_not.sum(1)[None] + (is_class - is_not)[:, truth[:, 0].long()].T
    cost = cost - 3 * (iou + 1e-8).log() + 1e5 * ~(inside & central)[:, at]
    counts = iou.topk(min(CANDIDATES, len(at)), 1)[0].sum(1).int().clamp(min=1)
    order = cost.topk(min(int(counts.max()), len(at)), 1, largest=False)[1]
    chosen = torch.zeros_like(iou, dtype=torch.bool)
    for row, count in enumerate(counts.tolist()):
        chosen[row, order[row, :count]] = True
    claimed_twice = chosen.sum(0) > 1
    if claimed_twice.any():
        best = cost[:, claimed_twice].argmin(0)
        chosen[:, claimed_twice] = False
        chosen[best, claimed_twice.nonzero()[:, 0]] = True
    taken = chosen.any(0)
    which = chosen[:, taken].float().argmax(0)
    return at[taken], which, iou[which, taken.nonzero()[:, 0]]


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
    want_object = teacher.object.clone() if teacher else torch.zeros_like(objects)
    counts = torch.ones_like(objects)
    follows = teacher.object * teacher.classes.amax(-1) if teacher else torch.zeros_like(objects)
    got_box, want_box, got_class, want_class, got_raw, want_raw = [], [], [], [], [], []
    for i, truth in enumerate(truths):
        either, truth = truth[truth[:, 0] < 0], truth[truth[:, 0] >= 0]
        if len(either):
            counts[i, (overlap(either[:, 1:], boxes[i].detach()) > IGNORE_IOU).any(0)] = 0
        if len(truth) == 0:
            continue
        if teacher:
            # Where somebody drew a box, the teacher's word about that thing does not count: it calls an excavator a truck.
            drawn = (overlap(truth[:, 1:], teacher.boxes[i]) > IGNORE_IOU).any(0)
            want_object[i, drawn] = 0
            follows[i, drawn] = 0
        found = assign(boxes[i].detach(), objects[i].detach(), classes[i].detach(), truth, corners, strides)
        if found is None:
            continue
        at, which, iou = found
        want_object[i, at], counts[i, at], follows[i, at] = 1, 1, 0
        got_box.append(boxes[i, at])
        want_box.append(truth[which, 1:])
        got_class.append(classes[i, at])
        want_class.append(F.one_hot(truth[which, 0].long(), classes.shape[-1]).float() * iou[:, None])
        if refine:
            want, stride = truth[which, 1:], strides[at]
            got_raw.append(rows[i, at, :4])
            centre, size = (want[:, :2] + want[:, 2:]) / 2 / stride - corners[at], (want[:, 2:] - want[:, :2]) / stride
            want_raw.append(torch.cat([centre, (size + 1e-8).log()], 1))
    n = max(sum(map(len, got_box)), 1)
    parts = {"object": (F.binary_cross_entropy_with_logits(objects, want_object, reduction="none") * counts).sum() / n}
    if got_box:
        iou = overlap_pairs(torch.cat(got_box), torch.cat(want_box))
        parts["box"] = WEIGHT_BOX * (1 - iou.square()).sum() / n
        parts["class"] = F.binary_cross_entropy_with_logits(torch.cat(got_class), torch.cat(want_class), reduction="sum") / n
    if got_raw:
        parts["raw"] = F.l1_loss(torch.cat(got_raw), torch.cat(want_raw), reduction="sum") / n
    if teacher:
        parts["teacher"] = weights.teacher * following(boxes, classes, teacher, follows, weights) / n
    return sum(parts.values()), {name: float(part.detach()) for name, part in parts.items()}


def following(boxes, classes, teacher, follows, weights):
    """Classes and boxes of the cells where the teacher sees something, weighed by how sure it is."""
    at = follows > weights.teacher_score_min
    if not at.any():
        return boxes.sum() * 0
    sure = follows[at]
    say = F.binary_cross_entropy_with_logits(classes[at][:, teacher.known], teacher.classes[at], reduction="none").sum(-1)
    iou = overlap_pairs(boxes[at], teacher.boxes[at])
    return (sure * (say + WEIGHT_BOX * (1 - iou.square()))).sum()
