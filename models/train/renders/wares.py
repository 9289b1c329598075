"""What street sellers sell, laid out on a patch.

In: a seeded random and the patch's width and depth in metres, at z = 0 of the current placement.
Out: objects; every kind fills the patch, so a table, a tricycle's bed or a cloth can carry any.
"""
import math

import objects as things
from kit import CARD, CLOTHES, PLASTIC, VIVID, Vector, cyl, g, hoop, m, noise, open_box, rods, sheet, tint

FRUIT = [((.62, .20, .015), .042), ((.45, .02, .015), .042), ((.14, .30, .03), .05), ((.66, .48, .03), .04), ((.09, .01, .07), .028),
         ((.55, .08, .03), .045), ((.10, .22, .03), .11), ((.50, .35, .12), .05), ((.60, .45, .20), .075), ((.55, .02, .05), .025),
         ((.35, .20, .08), .04), ((.25, .02, .06), .05)]


def _cells(rnd, w, d, cw, cd, fill=.95):
    nx, ny = max(1, int(w / cw + .3)), max(1, int(d / cd + .3))
    for i in range(nx):
        for j in range(ny):
            if rnd.random() < fill:
                yield (i + .5) * w / nx - w / 2, (j + .5) * d / ny - d / 2, w / nx, d / ny


def crates(rnd, w, d):
    """Fruit and vegetables in crates, trays and tubs."""
    for x, y, cw, cd in _cells(rnd, w, d, rnd.uniform(.4, .62), rnd.uniform(.34, .48)):
        h = rnd.uniform(.08, .2)
        mat = m.plain(tint(rnd, PLASTIC if rnd.random() < .5 else [(.42, .30, .16), (.65, .65, .62), CARD]), .7, vary=.15)
        open_box((x, y, 0), (cw * .92, cd * .9, h), mat, turn=rnd.uniform(-3, 3))
        col, r = rnd.choice(FRUIT)
        if rnd.random() < .25:
            with g.placed((x, y, h * .5)):
                greens(rnd, cw * .8, cd * .75)
            continue
        n = int(min(70, max(8, 2.6 * cw * cd / (3.1 * r * r))))
        things.balls(rnd, (x, y, h * .75), (cw * .40, cd * .38), r, n, m.plain(tint(rnd, [col]), .4, vary=.25, scale=6), heap=.06)


def heaps(rnd, w, d):
    """Fruit poured straight onto the cloth, a heap of each sort."""
    for x, y, cw, cd in _cells(rnd, w, d, .5, .42):
        col, r = rnd.choice(FRUIT)
        n = int(min(60, max(6, 1.6 * cw * cd / (3.1 * r * r))))
        things.balls(rnd, (x, y, r), (cw * .42, cd * .40), r, n, m.plain(tint(rnd, [col]), .4, vary=.25, scale=6), heap=.10)


def greens(rnd, w, d):
    """Leaf vegetables: bundles of blades."""
    cols = [(.06, .20, .03), (.12, .30, .05), (.04, .13, .03), (.30, .42, .18)]
    for x, y, cw, cd in _cells(rnd, w, d, .3, .2):
        mat, verts, faces = m.plain(tint(rnd, cols), .55, vary=.3, scale=14), [], []
        for _ in range(26):
            a, s = rnd.uniform(-.5, .5), rnd.uniform(.7, 1.1)
            p = Vector((x + rnd.uniform(-.3, .3) * cw, y + rnd.uniform(-.4, .4) * cd, rnd.uniform(.01, .11)))
            u, v = Vector((math.cos(a), math.sin(a), rnd.uniform(-.2, .3))) * .13 * s, Vector((-math.sin(a), math.cos(a), rnd.uniform(-.5, .5))) * .045 * s
            k = len(verts)
            verts += [p - u, p + v, p + u, p - v]
            faces.append((k, k + 1, k + 2, k + 3))
        g.mesh(verts, faces, mat)


def packets(rnd, w, d):
    """Small coloured packets, boxes and cases in rows."""
    s = rnd.uniform(.09, .2)
    lots = {}
    for x, y, cw, cd in _cells(rnd, w, d, s, s * rnd.uniform(.8, 1.5), .93):
        lots.setdefault(rnd.randrange(7), []).append(((x, y, 0), (cw * .85, cd * .85, rnd.uniform(.02, .16)), rnd.uniform(-6, 6)))
    for lot in lots.values():
        g.boxes(lot, m.plain(tint(rnd, VIVID + [(.65, .65, .62)] * 3), .5, vary=.15, scale=9))


def bottles(rnd, w, d):
    """Drinks in rows."""
    cols = [(.62, .25, .02), (.10, .35, .06), (.5, .04, .03), (.60, .62, .60), (.04, .18, .45), (.20, .09, .03)]
    for x, y, cw, cd in _cells(rnd, w, d, .3, .3, 1):
        mat = m.plain(tint(rnd, cols), .15, spec=.7)
        for k in range(3):
            for q in range(3):
                p = (x + (k - 1) * cw * .3, y + (q - 1) * cd * .3, 0)
                g.tube([p, (p[0], p[1], .16), (p[0], p[1], .2), (p[0], p[1], .24)], [.032, .032, .014, .014], mat, n=7)


def clothes(rnd, w, d):
    """Folded clothes in stacks, and some thrown on a heap."""
    for x, y, cw, cd in _cells(rnd, w, d, .36, .30, .92):
        if rnd.random() < .3:
            g.blob((x, y, 0), (cw * .5, cd * .5, .09), m.cloth(tint(rnd, CLOTHES)), rnd.randrange(99), rough=.7, scale=3, knot=False, rows=12, n=18)
            continue
        z = 0
        for _ in range(rnd.randrange(1, 6)):
            h = rnd.uniform(.02, .05)
            g.box((x + rnd.gauss(0, .01), y + rnd.gauss(0, .01), z), (cw * .82, cd * .8, h), m.cloth(tint(rnd, CLOTHES)), bevel=.01, turn_deg=rnd.gauss(0, 5))
            z += h


def shoes(rnd, w, d):
    """Pairs of shoes in rows."""
    for x, y, cw, cd in _cells(rnd, w, d, .26, .34, .95):
        mat, sole = m.plain(tint(rnd, CLOTHES + VIVID), .5), m.plain(rnd.choice([(.02, .02, .02), (.6, .6, .58), (.3, .2, .1)]), .7)
        turn = rnd.uniform(-8, 8)
        for s in (-1, 1):
            with g.placed((x + s * .055, y, 0), turn):
                g.box((0, 0, 0), (.085, .27, .025), sole)
                rings = [[Vector((u, yy, zz)) for u, zz in ((-ww, .02), (ww, .02), (ww * .8, top), (-ww * .8, top))]
                         for yy, ww, top in ((-.13, .036, .09), (-.06, .04, .095), (.03, .042, .06), (.10, .04, .045), (.135, .022, .03))]
                g.loft(rings, mat)


def toys(rnd, w, d):
    """Plush, balls and plastic things of every colour."""
    for x, y, cw, cd in _cells(rnd, w, d, rnd.uniform(.18, .28), rnd.uniform(.18, .26), .9):
        mat, r, k = m.plain(tint(rnd, VIVID), .6), rnd.uniform(.05, .1), rnd.random()
        if k < .4:
            g.ellipsoid((x, y, r), (r, r * .9, r), mat, rows=7, n=10)
            g.ellipsoid((x, y, r * 2.2), (r * .7, r * .7, r * .65), mat, rows=6, n=9)
        elif k < .6:
            g.ellipsoid((x, y, r), (r, r, r), mat, rows=7, n=10)
        else:
            g.box((x, y, 0), (cw * rnd.uniform(.5, .85), cd * rnd.uniform(.5, .85), rnd.uniform(.04, .2)), mat, bevel=.01, turn_deg=rnd.uniform(0, 90))


def trinkets(rnd, w, d):
    """Phone cases, jewellery, tools: many small dark and bright things in rows on a board."""
    g.box((0, 0, 0), (w * .97, d * .95, .015), m.plain(rnd.choice([(.02, .02, .025), (.5, .5, .5), (.3, .02, .03)]), .8))
    lots = {}
    for x, y, cw, cd in _cells(rnd, w, d, .10, .13, .9):
        lots.setdefault(rnd.randrange(6), []).append(((x, y, .015), (cw * rnd.uniform(.4, .8), cd * rnd.uniform(.3, .8), .015), 0))
    for lot in lots.values():
        g.boxes(lot, m.plain(tint(rnd, VIVID + [(.6, .6, .6)] * 4 + [(.5, .4, .1)]), .35))


def flowers(rnd, w, d):
    """Cut flowers in buckets or small pots."""
    for x, y, cw, cd in _cells(rnd, w, d, .3, .3, .95):
        h = rnd.uniform(.12, .25)
        cyl((x, y, 0), .09, h, m.plain(tint(rnd, [(.03, .03, .03), (.35, .12, .06), (.6, .6, .6), (.05, .2, .4)]), .6), .12, n=12)
        leaf, col = m.plain(tint(rnd, [(.06, .18, .03)]), .6), m.plain(tint(rnd, VIVID), .6)
        g.blob((x, y, h - .02), (.13, .13, .13), leaf, rnd.randrange(99), rough=.8, scale=4, knot=False, rows=9, n=12)
        things.balls(rnd, (x, y, h + .16), (.13, .13), .03, 16, col, heap=.08)


def pots(rnd, w, d):
    """Food: steamers, pans, a griddle and trays of snacks."""
    metal = m.plain((.55, .55, .56), .3, .85)
    for x, y, cw, cd in _cells(rnd, w, d, .5, .48, .95):
        k, r = rnd.random(), min(cw, cd) * .42
        if k < .35:
            bamboo, z = m.plain((.50, .34, .16), .8, vary=.2, scale=12), 0
            for _ in range(rnd.randrange(1, 6)):
                cyl((x, y, z), r, .11, bamboo, n=20)
                z += .12
            g.ellipsoid((x, y, z), (r, r, .05), bamboo, rows=6, n=20)
        elif k < .6:
            cyl((x, y, 0), r * .9, rnd.uniform(.15, .35), metal, n=20)
        elif k < .8:
            g.box((x, y, 0), (cw * .85, cd * .85, .14), m.plain((.03, .03, .03), .6))
            things.balls(rnd, (x, y, .15), (cw * .35, cd * .35), .025, 30, m.plain(tint(rnd, [(.35, .13, .04), (.55, .35, .10)]), .5), heap=.02)
        else:
            open_box((x, y, 0), (cw * .85, cd * .85, .07), metal)
            things.balls(rnd, (x, y, .06), (cw * .36, cd * .36), .035, 30, m.plain(tint(rnd, [(.55, .35, .12), (.6, .55, .45), (.4, .1, .04)]), .6), heap=.04)


def baskets(rnd, w, d):
    """Round baskets, tubs and basins, filled."""
    for x, y, cw, cd in _cells(rnd, w, d, rnd.uniform(.42, .55), .46, .95):
        r, h = min(cw, cd) * .46, rnd.uniform(.12, .3)
        mat = m.plain(tint(rnd, [(.45, .30, .14)] * 2 + PLASTIC), .7, vary=.2, scale=14, bump=.4)
        cyl((x, y, 0), r * .8, h, mat, r, n=16)
        hoop((x, y, h), r, .015, mat, "Z", 16)
        col, fr = rnd.choice(FRUIT)
        things.balls(rnd, (x, y, h), (r * .7, r * .7), fr, int(min(50, max(6, 7 * r * r / (3 * fr * fr)))), m.plain(tint(rnd, [col]), .4, vary=.25), heap=.08)


def sacks(rnd, w, d):
    """Open sacks of grain, nuts or spice."""
    for x, y, cw, cd in _cells(rnd, w, d, .42, .42, .9):
        mat = m.plain(tint(rnd, [(.55, .53, .48), (.40, .28, .15), (.5, .45, .2)]), .9, vary=.15, scale=8, bump=.4)
        r, h = min(cw, cd) * .46, rnd.uniform(.18, .38)
        g.tube([(x, y, 0), (x, y, h * .4), (x, y, h * .9), (x, y, h)], [r * .9, r, r * .95, r * .85], mat, n=14)
        col, fr = rnd.choice(FRUIT[5:])
        things.balls(rnd, (x, y, h - .02), (r * .6, r * .6), min(fr, .04), 30, m.plain(tint(rnd, [col]), .5, vary=.3), heap=.07)


def hanging(rnd, w, h):
    """Clothes or bags on a rail of length w at height h (a whole rack standing on the ground)."""
    metal = m.plain((.5, .5, .52), .35, .8)
    rods([((-w / 2, 0, 0), (-w / 2, 0, h)), ((w / 2, 0, 0), (w / 2, 0, h)), ((-w / 2, 0, h), (w / 2, 0, h)),
          ((-w / 2, -.25, .02), (-w / 2, .25, .02)), ((w / 2, -.25, .02), (w / 2, .25, .02))], .016, metal)
    x = -w / 2 + .08
    while x < w / 2 - .06:
        hw, ln = rnd.uniform(.19, .25), rnd.uniform(.55, min(1.1, h - .25))
        mat, ph = m.cloth(tint(rnd, CLOTHES)), rnd.uniform(0, 6)
        sheet(lambda u, v: (x + .03 * math.sin(v * 9 + ph) * u, (v - .5) * 2 * hw * (.75 + .35 * u), h - .06 - ln * u - .1 * abs(v - .5) * (1 - u)), 5, 8, mat)
        x += rnd.uniform(.05, .13)


def steps(rnd, w, d):
    """A stepped display of crates, its low side towards -y."""
    n = rnd.randrange(2, 4)
    wood = m.plain((.36, .24, .13), .8, vary=.25)
    for k in range(n):
        z = .16 * k
        y = -d / 2 + (k + .5) * d / n
        g.box((0, y, 0), (w * .98, d / n, z + .01), wood)
        with g.placed((0, y, z + .01)):
            crates(rnd, w * .97, d / n * .98)


ON_TABLE = [crates, crates, heaps, greens, packets, bottles, clothes, shoes, toys, trinkets, flowers, pots, pots, baskets, steps]
ON_GROUND = [heaps, greens, packets, clothes, shoes, toys, trinkets, flowers, baskets, crates, sacks]


def cloth_sheet(rnd, w, d, mat):
    """A cloth on the ground, its rim uneven, a little wrinkled."""
    off = Vector((rnd.uniform(0, 9), rnd.uniform(0, 9), 0))

    def f(u, v):
        n = noise.noise(Vector((u * 3, v * 3, 0)) + off)
        e = noise.noise(Vector((u * 5, v * 5, 4)) + off) * .04
        return (u - .5) * (w + .16 + e), (v - .5) * (d + .16 + e), .008 + .018 * abs(n)
    return sheet(f, 14, 12, mat)


def tarp(rnd, w, d, h, mat, rough=.1):
    """A cover thrown over something w by d by h."""
    off = Vector((rnd.uniform(0, 9), rnd.uniform(0, 9), 0))

    def f(u, v):
        a, b = abs(u - .5) * 2, abs(v - .5) * 2
        n = noise.noise(Vector((u * 4, v * 4, 0)) + off)
        top = (1 - a ** 6) * (1 - b ** 6)
        return (u - .5) * w * (1.05 + .06 * n), (v - .5) * d * (1.05 + .06 * n), max(.005, h * top * (1 + rough * n) + .01)
    return sheet(f, 26, 22, mat)
