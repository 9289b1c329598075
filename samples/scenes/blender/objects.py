"""What stands, lies or is dumped on the footway: stall, heap, bins, building material.

In: a seed and the current placement (ground at z = 0). Out: objects in the current group.
"""
import math
import random

from mathutils import Matrix, Vector, noise

import geometry as g
import materials as m
from people import canopy

BAGS = [(.012, .012, .014), (.012, .012, .014), (.62, .62, .62), (.55, .03, .03), (.03, .12, .42), (.04, .25, .09),
        (.6, .42, .05), (.5, .2, .35)]


def stall(seed=1):
    """A trestle table with fruit in crates under a 2.6 m umbrella, stock on the ground beside it."""
    rnd = random.Random(seed)
    wood = m.plain((.36, .22, .11), .75, vary=.3, scale=7, bump=.2)
    steel = m.plain((.5, .5, .52), .35, .9)
    cloth = m.plain((.03, .16, .34), .9, vary=.15, scale=4, bump=.3)
    g.box((0, 0, .74), (2.0, .95, .035), wood, bevel=.005)
    g.boxes([((0, -.478, .50), (2.02, .012, .27), 0), ((0, .478, .50), (2.02, .012, .27), 0),
             ((-1.003, 0, .50), (.012, .96, .27), 0), ((1.003, 0, .50), (.012, .96, .27), 0)], cloth)
    for dx in (-.92, .92):
        for dy in (-.42, .42):
            g.tube([(dx, dy, 0), (dx, dy, .74)], [.022, .022], steel, n=8)
    fruit = [((.62, .20, .015), .045, 10), ((.45, .02, .015), .042, 10), ((.14, .3, .03), .05, 8), ((.66, .48, .03), .04, 9),
             ((.09, .01, .07), .032, 12), ((.55, .08, .03), .048, 9)]
    crate = m.plain((.42, .30, .16), .8, vary=.3, scale=10)
    tub = [m.plain(c, .45) for c in ((.5, .04, .03), (.04, .2, .42), (.05, .3, .12))]
    k = 0
    for ix in range(3):
        for iy in range(2):
            cx, cy = -.64 + .64 * ix, -.22 + .44 * iy
            col, r, n = fruit[k]
            mt = crate if k % 2 else tub[k % 3]
            t = Matrix.Rotation(math.radians(8), 3, "X")
            w, d, h = .58, .40, .12
            for at, size in (((cx, cy - d / 2, .775), (w, .02, h)), ((cx, cy + d / 2, .775), (w, .02, h + .04)),
                             ((cx - w / 2, cy, .775), (.02, d, h)), ((cx + w / 2, cy, .775), (.02, d, h))):
                g.box(at, size, mt)
            balls(rnd, (cx, cy, .80), (w * .46, d * .44), r, 70, m.plain(col, .35, vary=.25, scale=6), heap=.13)
            k += 1
    umbrella_pole = m.plain((.6, .6, .6), .35, .8)
    g.tube([(.1, .3, 0), (.1, .3, 2.62)], [.024, .02], umbrella_pole, n=10)
    g.tube([(.1, .3, 0), (.1, .3, .14)], [.24, .20], m.plain((.3, .3, .29), .9, vary=.2), n=20)
    canopy((.1, .3, 2.66), 1.45, .52, [(.56, .025, .02), (.62, .60, .55)], n=8, valance=.17)
    for i in range(8):
        a = 2 * math.pi * i / 8
        g.tube([(.1, .3, 2.30), (.1 + .8 * math.cos(a), .3 + .8 * math.sin(a), 2.43)], [.007, .007], umbrella_pole, n=5)
    # stock beside the table
    foam = m.plain((.72, .72, .70), .8, vary=.06, scale=5)
    g.box((1.42, .25, 0), (.55, .40, .36), foam, bevel=.02, turn_deg=8)
    g.box((1.42, .25, .36), (.57, .42, .05), foam, bevel=.012, turn_deg=8)
    g.box((1.36, -.35, 0), (.50, .36, .28), m.plain((.42, .28, .14), .9, vary=.15, scale=5), turn_deg=-14)
    with g.placed((1.36, -.35, .0), -14):
        balls(rnd, (0, 0, .22), (.2, .14), .045, 26, m.plain((.62, .22, .015), .35, vary=.2), heap=.06)
    with g.placed((-1.4, .15, 0), 12):
        stool((0, 0, 0), (.05, .2, .45))
    scale = m.plain((.55, .55, .56), .3, .8)
    g.box((.86, .1, .775), (.2, .24, .10), m.plain((.1, .32, .2), .4), bevel=.015)
    g.box((.86, .1, .885), (.26, .22, .015), scale)
    # a price board at the table's front
    g.box((-.35, -.5, .50), (.55, .015, .24), m.plain((.6, .55, .05), .7, vary=.15, scale=20))


def stool(at, col):
    plastic = m.plain(col, .4)
    g.box(Vector(at) + Vector((0, 0, .40)), (.34, .34, .03), plastic, bevel=.012)
    for dx in (-.14, .14):
        for dy in (-.14, .14):
            g.tube([Vector(at) + Vector((dx * 1.15, dy * 1.15, 0)), Vector(at) + Vector((dx, dy, .4))], [.018, .022], plastic, n=8)


def balls(rnd, at, half, r, count, mat, heap=.1):
    """Fruit poured into a crate: more in the middle."""
    rows, n = 6, 8
    verts, faces = [], []
    for _ in range(count):
        u, v = rnd.uniform(-1, 1), rnd.uniform(-1, 1)
        z = heap * (1 - .6 * max(abs(u), abs(v))) * rnd.uniform(.75, 1.05)
        c = Vector(at) + Vector((u * half[0], v * half[1], z))
        q, rr = len(verts), r * rnd.uniform(.9, 1.1)
        for i in range(rows + 1):
            t = math.pi * i / rows
            for j in range(n):
                a = 2 * math.pi * j / n
                verts.append(c + Vector((math.sin(t) * math.cos(a), math.sin(t) * math.sin(a), math.cos(t))) * rr)
        for i in range(rows):
            for j in range(n):
                faces.append((q + i * n + j, q + (i + 1) * n + j, q + (i + 1) * n + (j + 1) % n, q + i * n + (j + 1) % n))
    g.mesh(verts, faces, mat, smooth=True)


def bag(at, r, seed, col=None):
    rnd = random.Random(seed)
    c = col or rnd.choice(BAGS)
    g.blob(at, (r * rnd.uniform(.95, 1.2), r * rnd.uniform(.85, 1.05), r * rnd.uniform(.85, 1.05)),
           m.plastic_film(c), seed, rough=.34)


def scraps(rnd, centre, spread, count):
    """Paper, wrappers, bottles and peel strewn about."""
    cols = [(.65, .64, .6), (.6, .58, .5), (.5, .06, .04), (.05, .2, .45), (.4, .28, .14), (.1, .3, .1), (.7, .6, .1)]
    for _ in range(count):
        a, d = rnd.uniform(0, 2 * math.pi), abs(rnd.gauss(0, .6)) * spread
        p = Vector(centre) + Vector((math.cos(a) * d, math.sin(a) * d * .8, 0))
        s = rnd.uniform(.05, .14)
        col = rnd.choice(cols)
        kind = rnd.random()
        if kind < .55:
            n = 4
            vs = [(p.x + (i / n - .5) * s * 1.6, p.y + (j / n - .5) * s * 1.3,
                   p.z + .012 + .05 * abs(noise.noise(Vector((i * .9 + p.x * 9, j * .9, p.y * 9)))))
                  for i in range(n + 1) for j in range(n + 1)]
            fs = [(i * (n + 1) + j, (i + 1) * (n + 1) + j, (i + 1) * (n + 1) + j + 1, i * (n + 1) + j + 1)
                  for i in range(n) for j in range(n)]
            g.mesh(vs, fs, m.plain(col, .8))
        elif kind < .8:
            b = rnd.uniform(0, 6.3)
            e = Vector((math.cos(b), math.sin(b), 0)) * .11
            g.tube([p - e + Vector((0, 0, .035)), p + e * .5 + Vector((0, 0, .035)), p + e * .8 + Vector((0, 0, .035)),
                    p + e + Vector((0, 0, .035))], [.034, .034, .014, .014], m.plain((.45, .52, .5), .15, spec=.8), n=8)
        else:
            g.blob(p, (s * .5, s * .4, s * .35), m.plain(col, .7), rnd.randrange(99), rough=.5, knot=False, rows=8, n=12)


def carton(at, size, turn, seed, open_top=True):
    rnd = random.Random(seed)
    card = m.plain((.40 + rnd.uniform(-.05, .05), .27, .14), .9, vary=.14, scale=5)
    w, d, h = size
    with g.placed(at, turn):
        g.boxes([((0, -d / 2, 0), (w, .012, h), 0), ((0, d / 2, 0), (w, .012, h), 0), ((-w / 2, 0, 0), (.012, d, h), 0),
                 ((w / 2, 0, 0), (.012, d, h), 0), ((0, 0, .005), (w, d, .01), 0)], card)
        g.box((0, -d / 2 - .007, h * .55), (w * .5, .004, h * .2), m.plain((.2, .1, .06), .9))
        if open_top:
            for sy in (-1, 1):
                g.mesh([(-w / 2, sy * d / 2, h), (w / 2, sy * d / 2, h), (w / 2, sy * (d / 2 + .16), h - .04 + rnd.uniform(-.05, .08)),
                        (-w / 2, sy * (d / 2 + .17), h - .06)], [(0, 1, 2, 3)], card)
            g.blob((0, 0, h * .35), (w * .42, d * .4, h * .42), m.plastic_film(rnd.choice(BAGS)), seed, knot=False)
        else:
            g.box((0, 0, h), (w, d, .012), card)


def heap(seed=2, size=1.0):
    """Rubbish dumped on the footway: bags, split cartons, loose scraps."""
    rnd = random.Random(seed)
    for i in range(int(13 * size)):
        a, d = rnd.uniform(0, 6.28), rnd.uniform(0, .75) ** .8
        r = rnd.uniform(.19, .30)
        bag((math.cos(a) * d * 1.15, math.sin(a) * d * .62, 0), r, seed * 50 + i)
    for i in range(int(7 * size)):
        a, d = rnd.uniform(0, 6.28), rnd.uniform(0, .4)
        bag((math.cos(a) * d * 1.1, math.sin(a) * d * .6, .26), rnd.uniform(.17, .25), seed * 90 + i)
    carton((-1.05, -.35, 0), (.5, .38, .34), 24, 5)
    carton((.95, -.42, 0), (.44, .34, .26), -31, 6)
    carton((.55, .45, 0), (.6, .4, .5), 12, 7, open_top=False)
    carton((-.2, -.72, 0), (.34, .28, .2), 50, 8)
    scraps(rnd, (0, -.15, 0), 1.25, 46)


def bin_240(col=(.02, .16, .06), lid_deg=0.0):
    """A wheeled 240-litre bin, its front towards -y; the lid turns about the back edge."""
    body = m.plain(col, .45, vary=.12, scale=6, bump=.1)
    dark = m.plain((.015, .015, .015), .7)
    rings = []
    for z, w, f, b in ((.06, .40, -.22, .25), (.10, .43, -.25, .27), (.55, .49, -.30, .30), (.93, .545, -.345, .33),
                       (.935, .58, -.365, .35), (.99, .585, -.37, .35), (.99, .53, -.335, .32), (.90, .51, -.32, .30)):
        c = .05
        pts = [(-w / 2 + c, f), (w / 2 - c, f), (w / 2, f + c), (w / 2, b - c), (w / 2 - c, b), (-w / 2 + c, b), (-w / 2, b - c), (-w / 2, f + c)]
        rings.append([Vector((x, y, z)) for x, y in pts])
    g.loft(rings, body, caps=True, smooth=False)
    g.boxes([((dx, -.305, .15), (.035, .05, .62), 0) for dx in (-.17, .17)], body, bevel=.012)
    for sx in (-1, 1):
        g.tube([(sx * .23, .26, .10), (sx * .285, .26, .10)], [.10, .10], dark, n=18)
    g.tube([(-.25, .38, .97), (.25, .38, .97)], [.018, .018], body, n=8)
    # the printed mark on the front
    white = m.plain((.65, .66, .62), .6)
    t = math.atan2(.045, .38)
    for k in range(12):
        a0, a1 = 2 * math.pi * k / 12, 2 * math.pi * (k + .8) / 12
        ring = [(math.cos(a) * r * .5, -.3295 - (.62 + math.sin(a) * r * .5 - .62) * t * 1.0 - .004, .62 + math.sin(a) * r * .5)
                for a, r in ((a0, .26), (a1, .26), (a1, .22), (a0, .22))]
        g.mesh(ring, [(0, 1, 2, 3)], white)
    g.boxes([((0, -.338, .60), (.06, .006, .13), 0), ((.05, -.338, .52), (.05, .006, .08), 0), ((0, -.316, .44), (.28, .006, .025), 0)], white)
    hinge = Vector((0, .35, 1.0))
    turn = Matrix.Rotation(math.radians(-lid_deg), 3, "X")
    lid = []
    for z, w, f, b in ((0, .60, -.75, .02), (.035, .605, -.755, .02), (.075, .52, -.66, -.04), (.085, .40, -.55, -.12)):
        c = .05
        pts = [(-w / 2 + c, f), (w / 2 - c, f), (w / 2, f + c), (w / 2, b - c), (w / 2 - c, b), (-w / 2 + c, b), (-w / 2, b - c), (-w / 2, f + c)]
        lid.append([hinge + turn @ Vector((x, y, z)) for x, y in pts])
    g.loft(lid, body, smooth=False)


def bin_full(seed=3, level=1.0):
    """What shows in an open bin: bags up to the brim (0) or piled above it (1), and at its foot."""
    rnd = random.Random(seed)
    for i in range(9):
        a = rnd.uniform(0, 6.28)
        spill = .06 + .09 * level
        bag((math.cos(a) * spill, math.sin(a) * spill - .03, .62 + rnd.uniform(-.03, .06) + .22 * level), rnd.uniform(.14, .17), seed * 40 + i)
    if level > .4:
        for i in range(5):
            a = rnd.uniform(0, 6.28)
            bag((math.cos(a) * .16, math.sin(a) * .13 - .06, 1.0 + rnd.uniform(0, .10)), rnd.uniform(.15, .20), seed * 70 + i)
        bag((-.22, -.22, .93), .16, seed * 71, (.62, .62, .62))
        bag((.24, -.2, .96), .15, seed * 72, (.55, .03, .03))
        g.tube([(.05, -.30, 1.06), (.07, -.40, .98), (.08, -.40, .78), (.1, -.37, .66)], [.05, .06, .05, .02],
               m.plastic_film((.6, .6, .6)), n=9, squash=.4)
        carton((.02, .1, 1.16), (.36, .28, .16), 33, 4)


def bin_foot(seed=4):
    """Bags and scraps around an overflowing bin."""
    rnd = random.Random(seed)
    for i, (x, y, r) in enumerate(((-.62, -.18, .24), (-.52, -.56, .19), (.66, -.22, .22), (.55, -.62, .17), (.05, -.72, .18), (-.85, .15, .2))):
        bag((x, y, 0), r, seed * 30 + i)
    scraps(rnd, (0, -.55, 0), 1.0, 30)


def sand(seed=5, r=1.3, h=.95):
    mat = m.plain((.46, .34, .19), .97, vary=.22, scale=16, bump=.8)
    n, rows = 72, 26
    verts, faces = [Vector((0, 0, h))], []
    for i in range(1, rows + 1):
        t = i / rows
        for j in range(n):
            a = 2 * math.pi * j / n
            v = Vector((math.cos(a), math.sin(a), 0)) * r * t * (1 + .18 * noise.noise(Vector((math.cos(a), math.sin(a), seed)) * 1.7))
            prof = h * (1 - t) ** 1.05 * (1.0 if t > .15 else .97)
            v.z = max(0, prof + .07 * noise.noise(v * 3 + Vector((0, 0, seed))) * (1 - t)) if i < rows else 0
            verts.append(v)
    for j in range(n):
        faces.append((0, 1 + j, 1 + (j + 1) % n))
    for i in range(rows - 1):
        for j in range(n):
            b = 1 + i * n
            faces.append((b + j, b + n + j, b + n + (j + 1) % n, b + (j + 1) % n))
    g.mesh(verts, faces, mat, smooth=True)


def brick_stack(nx=5, ny=4, nz=7, seed=6):
    rnd = random.Random(seed)
    mats = [m.plain(c, .9, vary=.2, scale=12) for c in ((.38, .12, .07), (.33, .10, .06), (.43, .16, .09))]
    lots = ([], [], [])
    for z in range(nz):
        for x in range(nx):
            for y in range(ny):
                if z == nz - 1 and rnd.random() < .35:
                    continue
                lots[rnd.randrange(3)].append((((x - nx / 2 + .5) * .245, (y - ny / 2 + .5) * .12, .1 + z * .057),
                                               (.24, .115, .053), rnd.uniform(-1.5, 1.5)))
    for lot, mt in zip(lots, mats):
        g.boxes(lot, mt)
    pallet = m.plain((.34, .23, .12), .9, vary=.3, scale=8)
    g.boxes([((0, y, .07), (nx * .26, .11, .025), 0) for y in (-.2, 0, .2)] + [((x, 0, 0), (.1, ny * .13, .07), 0) for x in (-.5, 0, .5)], pallet)


def timber(seed=7, length=3.2):
    rnd = random.Random(seed)
    wood = m.plain((.50, .33, .16), .85, vary=.25, scale=5)
    lot = []
    for z in range(5):
        for y in range(7):
            lot.append(((rnd.uniform(-.08, .08), (y - 3) * .125, .12 + z * .075), (length * rnd.uniform(.94, 1.02), .115, .065), rnd.uniform(-.8, .8)))
    g.boxes(lot, wood)
    g.boxes([((x, 0, 0), (.1, .95, .12), 0) for x in (-1.1, 0, 1.1)], wood)


def rebar(length=4.5, seed=8):
    rnd = random.Random(seed)
    rust = m.plain((.16, .075, .04), .75, metal=.5, vary=.35, scale=15)
    for _ in range(34):
        y, z = rnd.gauss(0, .1), .06 + abs(rnd.gauss(0, .05))
        dx = rnd.uniform(-.2, .2)
        g.tube([(-length / 2 + dx, y, z), (length / 2 + dx, y + rnd.uniform(-.06, .06), z)], [.011, .011], rust, n=6)


def cement_bags(seed=9):
    rnd = random.Random(seed)
    paper = m.plain((.45, .43, .38), .85, vary=.12, scale=6, bump=.2)
    k = 0
    for z in range(4):
        for x in range(2):
            for y in range(3 - z // 2):
                with g.placed(((x - .5) * .68 + rnd.uniform(-.03, .03), (y - 1) * .44, z * .13), rnd.uniform(-5, 5)):
                    g.loft([[Vector((sx * (.32 - e), yy, zz)) for yy, zz in ((-.2 + e, .02), (-.21 + e, .07), (-.17 + e, .13), (.17 - e, .13), (.21 - e, .07), (.2 - e, .02))]
                            for sx, e in ((-1, .06), (-.9, 0), (.9, 0), (1, .06))], paper, smooth=False)
                k += 1


def barrier(length=2.0):
    """A red-and-white hoarding section."""
    red, white = m.plain((.5, .03, .025), .5), m.plain((.66, .66, .63), .5)
    n = 8
    for k in range(n):
        g.box((-length / 2 + (k + .5) * length / n, 0, .75), (length / n, .03, .22), red if k % 2 else white)
    for x in (-length / 2 + .1, length / 2 - .1):
        g.tube([(x, 0, 0), (x, 0, 1.0)], [.025, .025], white, n=8)
        g.box((x, 0, 0), (.08, .5, .04), white)
