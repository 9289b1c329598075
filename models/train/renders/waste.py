"""Rubbish: heaps, litter, bins shut and bins running over.

In: a seeded random. Out: one scene round the origin, z = 0, fronts towards -y.
"""
import math

import objects as things
from kit import CARD, Vector, fat_wheel, g, m, part, rods, tint

BIN = [(.02, .16, .06), (.04, .25, .09), (.03, .12, .42), (.02, .08, .28), (.16, .16, .17), (.25, .25, .26), (.50, .03, .03), (.02, .02, .022), (.60, .42, .03)]


def _bags(rnd, n, rx, ry, theme):
    """A heap of bags: a bottom layer, and a second where it carries."""
    for k in range(n):
        up = k > n * .65 and n > 4
        a, d = rnd.uniform(0, 6.28), rnd.random() ** .6 * (.5 if up else 1)
        r = rnd.uniform(.16, .32)
        col = tint(rnd, theme)
        g.blob((math.cos(a) * d * rx, math.sin(a) * d * ry, .26 if up else 0), (r * rnd.uniform(.9, 1.25), r * rnd.uniform(.8, 1.05), r * rnd.uniform(.7, 1.05)), m.plastic_film(col), rnd.randrange(9999), rough=rnd.uniform(.25, .42), knot=rnd.random() < .75, rows=24 if n < 5 else 16, n=34 if n < 5 else 22)


def _cartons(rnd, n, spread):
    for _ in range(n):
        w = rnd.uniform(.25, .65)
        at = (rnd.gauss(0, .5) * spread, rnd.gauss(0, .35) * spread, 0)
        if rnd.random() < .3:
            g.box(at, (w, w * .8, .03), m.plain(tint(rnd, [CARD]), .9, vary=.15), turn_deg=rnd.uniform(0, 180), tilt_deg=rnd.uniform(-8, 8))
        else:
            things.carton(at, (w, w * rnd.uniform(.6, .9), w * rnd.uniform(.4, .9)), rnd.uniform(0, 360), rnd.randrange(9999), rnd.random() < .6)


def _bulky(rnd):
    """Broken furniture, foam and boards."""
    for _ in range(rnd.randrange(1, 4)):
        k, at, turn = rnd.randrange(4), (rnd.uniform(-.6, .6), rnd.uniform(-.2, .4), 0), rnd.uniform(0, 180)
        if k == 0:
            g.box(at, (1.8, .22, rnd.uniform(.7, 1.0)), m.plain(tint(rnd, [(.55, .53, .48), (.45, .4, .45)]), .95, vary=.15, scale=3), bevel=.06, turn_deg=turn, tilt_deg=-14)
        elif k == 1:
            for _ in range(rnd.randrange(3, 8)):
                g.box((at[0] + rnd.gauss(0, .2), at[1] + rnd.gauss(0, .2), rnd.uniform(.02, .25)), (rnd.uniform(.6, 1.5), .12, .025), m.plain(tint(rnd, [(.4, .27, .15), (.5, .48, .45)]), .85), turn_deg=rnd.uniform(0, 180), tilt_deg=rnd.uniform(-20, 20))
        elif k == 2:
            mat = m.plain(tint(rnd, [(.3, .1, .07), (.2, .15, .1), (.1, .13, .2)]), .85, vary=.15)
            with g.placed(at, turn):
                g.box((0, 0, .1), (1.3, .7, .32), mat, bevel=.05)
                g.box((0, .33, .3), (1.3, .18, .5), mat, bevel=.05)
                g.boxes([((x, 0, .2), (.16, .7, .42), 0) for x in (-.6, .6)], mat, bevel=.04)
        else:
            g.box(at, (rnd.uniform(.3, .6), rnd.uniform(.3, .5), rnd.uniform(.2, .4)), m.plain((.68, .68, .66), .8), bevel=.02, turn_deg=turn, tilt_deg=rnd.uniform(-20, 20))


def garbage(rnd):
    """Bags, cartons, loose scraps and bulky waste, from a handful to a heap."""
    theme = rnd.choice([things.BAGS, [(.012, .012, .014)], [(.012, .012, .014), (.6, .6, .6)], [(.6, .6, .6), (.55, .03, .03), (.03, .12, .42)], [(.5, .48, .4), (.4, .3, .2), (.62, .62, .6)]])
    k = rnd.random()
    with part("garbage"):
        if k < .12:
            things.heap(rnd.randrange(999), rnd.uniform(.5, 1.2))
        elif k < .38:
            n = rnd.choice([1, 2, 3, 4, 6, 9, 14, 20])
            _bags(rnd, n, .22 * n ** .55, .14 * n ** .55, theme)
            if rnd.random() < .5:
                things.scraps(rnd, (0, 0, 0), .25 * n ** .5, 6 + n)
        elif k < .58:
            s = rnd.uniform(.25, 1.0)
            things.scraps(rnd, (0, 0, 0), s, int(rnd.uniform(12, 60) * s + 6))
            if rnd.random() < .4:
                _cartons(rnd, rnd.randrange(1, 3), s * .6)
        elif k < .72:
            _cartons(rnd, rnd.randrange(2, 10), rnd.uniform(.5, .9))
            things.scraps(rnd, (0, 0, 0), .9, rnd.randrange(4, 30))
        elif k < .9:
            n = rnd.randrange(3, 14)
            _bags(rnd, n, .8, .5, theme)
            _cartons(rnd, rnd.randrange(1, 6), .8)
            things.scraps(rnd, (0, -.1, 0), 1.1, rnd.randrange(8, 45))
            if rnd.random() < .3:
                _bulky(rnd)
        else:
            _bulky(rnd)
            _bags(rnd, rnd.randrange(1, 6), .8, .5, theme)
            things.scraps(rnd, (0, -.1, 0), .9, rnd.randrange(0, 20))


def bin_660(rnd, col, lid_deg=0.0):
    """A four-wheeled container; its lid turns about the back edge."""
    body, dark = m.plain(col, .45, vary=.12, scale=4, bump=.1), m.plain((.015, .015, .015), .7)
    rings = []
    for z, w, d in ((.18, 1.0, .56), (.24, 1.05, .6), (.95, 1.24, .74), (1.0, 1.3, .8), (1.08, 1.3, .8), (1.08, 1.2, .7), (.8, 1.1, .62)):
        c = .06
        rings.append([Vector((x, y, z)) for x, y in ((-w / 2 + c, -d / 2), (w / 2 - c, -d / 2), (w / 2, -d / 2 + c), (w / 2, d / 2 - c), (w / 2 - c, d / 2), (-w / 2 + c, d / 2), (-w / 2, d / 2 - c), (-w / 2, -d / 2 + c))])
    g.loft(rings, body, smooth=False)
    for x in (-.42, .42):
        for y in (-.2, .2):
            fat_wheel((x, y, .1), .1, .05, dark, body)
            g.box((x, y, .14), (.08, .08, .06), dark)
    g.boxes([((x, -.34, .3), (.05, .06, .6), 0) for x in (-.4, -.14, .14, .4)], body, bevel=.015)
    rods([((s * .68, -.25, .98), (s * .68, .25, .98)) for s in (-1, 1)], .022, body)
    g.box((0, -.365, .62), (.3, .01, .2), m.plain((.65, .66, .62), .6))
    hinge, turn = Vector((0, .4, 1.09)), things.Matrix.Rotation(math.radians(-lid_deg), 3, "X")
    lid = []
    for y, z in ((.03, 0), (-.05, .1), (-.4, .17), (-.72, .1), (-.84, 0), (-.84, -.03), (.03, -.03)):
        lid.append([hinge + turn @ Vector((x, y, z)) for x in (-.66, .66)])
    n = len(lid)
    verts = [p for pair in lid for p in pair]
    faces = [(2 * k, 2 * ((k + 1) % n), 2 * ((k + 1) % n) + 1, 2 * k + 1) for k in range(n)] + [tuple(2 * k for k in reversed(range(n))), tuple(2 * k + 1 for k in range(n))]
    g.mesh(verts, faces, body)


def one_bin(rnd, col, big, lid=0.0):
    """A 240-l or a 660-l bin; the lid of some has a colour of its own (they come off the same truck)."""
    if big:
        bin_660(rnd, col, lid)
    else:
        things.bin_240(col, lid)


def garbage_bin(rnd):
    """Closed bins: one, or a row, one box each."""
    n, big = rnd.choice([1, 1, 1, 1, 2, 2, 3, 4]), rnd.random() < .25
    pitch = (1.45 if big else .68) * rnd.uniform(1, 1.25)
    same = tint(rnd, BIN)
    for k in range(n):
        col = same if rnd.random() < .4 else tint(rnd, BIN)
        with part("garbage_bin"), g.placed(((k - (n - 1) / 2) * pitch, rnd.uniform(-.08, .08), 0), rnd.gauss(0, 7), rnd.uniform(.82, 1.08) if n == 1 else 1):
            one_bin(rnd, col, big, rnd.choice([0, 0, 0, 3, 5]))


def _full(rnd, big):
    """Bags over the rim."""
    rim, hx, hy = (1.08, .5, .26) if big else (.98, .16, .14)
    theme = rnd.choice([things.BAGS, [(.012, .012, .014)], [(.6, .6, .6), (.55, .03, .03)]])
    for k in range(rnd.randrange(8, 16) if big else rnd.randrange(5, 9)):
        r = rnd.uniform(.15, .24) if big else rnd.uniform(.13, .2)
        z = rim - .2 + rnd.uniform(0, .22) + (.12 if k > 5 else 0)
        g.blob((rnd.uniform(-hx, hx), rnd.uniform(-hy, hy), z), (r * 1.1, r, r), m.plastic_film(tint(rnd, theme)), rnd.randrange(9999), rnd.uniform(.25, .4), rows=12, n=18)
    if rnd.random() < .5:
        w = rnd.uniform(.2, .4)
        things.carton((rnd.uniform(-hx, hx) * .6, 0, rim + .05), (w, w * .8, w * .6), rnd.uniform(0, 180), rnd.randrange(999), rnd.random() < .5)


def bin_overflow(rnd):
    """A bin that runs over: the lid up or on top of the bags, often more at its foot, shut ones beside it."""
    big, col = rnd.random() < .3, tint(rnd, BIN)
    with part("bin_overflow"):
        lid = rnd.choice([rnd.uniform(25, 55), rnd.uniform(60, 120), rnd.uniform(200, 255)])
        one_bin(rnd, col, big, lid)
        if not big and rnd.random() < .4:
            things.bin_full(rnd.randrange(999), 1.0)
        else:
            _full(rnd, big)
    for s in (-1, 1):
        if rnd.random() < .25:
            with part("garbage_bin"), g.placed((s * (1.5 if big else .75), rnd.uniform(-.1, .1), 0), rnd.gauss(0, 6)):
                one_bin(rnd, tint(rnd, BIN), big)
    if rnd.random() < .55:
        with part("garbage"), g.placed((0, -.35 if big else 0, 0)):
            if rnd.random() < .5:
                things.bin_foot(rnd.randrange(999))
            else:
                things.scraps(rnd, (0, -.5, 0), .9, rnd.randrange(8, 30))
                for _ in range(rnd.randrange(1, 4)):
                    things.bag((rnd.uniform(-.9, .9), rnd.uniform(-.8, -.45), 0), rnd.uniform(.15, .25), rnd.randrange(9999))
