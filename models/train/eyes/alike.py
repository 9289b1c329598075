"""Which pictures show the same place, so that none is trained on whose neighbour judges the result.

Data sets carry copies: the same picture turned, cut or relit, and many pictures of one scene. The original network's
own features, averaged over the picture, find them where a hash of the picture does not.
"""
import cv2
import numpy as np
import torch
from torch.nn import functional as F

SIDE = 224
BATCH = 16
# Cosine of two pictures' features, each number taken relative to all pictures, from which they count as one place. Read off
# pairs: from about 0.7 on they show the same bins or wall, below 0.65 only the same kind of thing.
ALIKE_MIN = 0.7


@torch.no_grad()
def features_of(original, pictures):
    """`[n, features]`, of unit length."""
    rows = []
    for start in range(0, len(pictures), BATCH):
        small = [cv2.resize(p.picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in pictures[start:start + BATCH]]
        c3 = original.dark3(original.low(torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float()))
        c4 = original.dark4(c3)
        levels = (original.dark5(c4), c4, c3)
        rows.append(torch.cat([level.mean((2, 3)) / level.std() for level in levels], 1))
    features = torch.cat(rows)
    return F.normalize((features - features.mean(0)) / features.std(0).clamp(min=1e-6))


def groups_of(original, pictures):
    """A number for each picture; pictures of one place share it, also through a third that resembles both."""
    features = features_of(original, pictures)
    leader = list(range(len(pictures)))

    def root(i):
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for i, near in enumerate(features @ features.T >= ALIKE_MIN):
        for j in near.nonzero()[:, 0].tolist():
            leader[root(j)] = root(i)
    return np.array([root(i) for i in range(len(pictures))])


def split(original, pictures, share, seed):
    """Pictures to learn from and pictures held out, places whole on one side."""
    groups = groups_of(original, pictures)
    random = np.random.default_rng([seed, 1])
    held, count = set(), 0
    for name in random.permutation(np.unique(groups)):
        if count >= share * len(pictures):
            break
        # A place of a hundred pictures would be a lopsided test.
        if (size := int((groups == name).sum())) <= max(share * len(pictures) / 5, 1):
            held.add(name)
            count += size
    out = [group in held for group in groups]
    return [p for p, o in zip(pictures, out) if not o], [p for p, o in zip(pictures, out) if o]
