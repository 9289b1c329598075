"""Umbrellas, tents, tables, chairs and cones, alone or in small sets.

In: a seeded random. Out: objects on z = 0. The builders without a label (`parasol`, `canopy_tent`,
`chair_of`) are parts of other things too; those with one make a whole sprite.
"""
import math
from contextlib import contextmanager

import objects as things
import people
from kit import PLASTIC, VIVID, Matrix, Vector, cyl, g, m, part, rod, rods, sheet, steel, tint
from people import canopy

WHITE = (.64, .62, .58)


def parasol(rnd, at, radius, height, whole=True):
    """A big open umbrella: round or square, one colour, striped or in two colours, some tilted.

    Its box is that of the whole thing, or (over a stall, where foot and pole drown in the wares) of
    cloth and ribs only.
    """
    pole = m.plain(rnd.choice([(.6, .6, .6), (.3, .3, .3), (.40, .26, .13), (.62, .62, .6)]), .4, .5)
    x, y, _ = at

    def stem():
        rod((x, y, 0), (x, y, height), .02, pole)
        base = rnd.random()
        if base < .5:
            cyl((x, y, 0), .24, .1, m.plain(tint(rnd, [(.3, .3, .29), (.05, .05, .05), (.6, .6, .58), (.03, .1, .3)]), .8), .2)
        elif base < .8:
            g.box((x, y, 0), (.45, .45, .08), m.plain(tint(rnd, [(.3, .3, .29), (.1, .1, .1)]), .9))
    if not whole:
        stem()
    with part("umbrella"):
        if whole:
            stem()
        a = tint(rnd, VIVID)
        cols = rnd.choice([[a], [a], [a, WHITE], [a, tint(rnd, VIVID)], [a, WHITE, tint(rnd, VIVID), WHITE]])
        n = rnd.choice([4, 4, 6, 8, 8, 8, 10, 12])
        with g.placed((x, y, height + .04), rnd.uniform(0, 90)):
            ob = canopy((0, 0, 0), radius * (1.2 if n == 4 else 1), radius * rnd.uniform(.22, .42), cols, n=n, valance=rnd.choice([0, .12, .18, .25]))
            if rnd.random() < .3:
                ob.matrix_world = ob.matrix_world @ Matrix.Rotation(math.radians(rnd.uniform(-16, 16)), 4, "X")
            rods([((0, 0, -radius * .35), (radius * .5 * math.cos(t), radius * .5 * math.sin(t), -radius * .16)) for t in (2 * math.pi * k / n for k in range(n))], .007, pole, 5)


@contextmanager
def canopy_apart(module, apart=False):
    """A canopy that a builder in `module` makes is an umbrella with its own box."""
    plain = module.canopy

    def labelled(*args, **options):
        with part("umbrella", apart=apart):
            return plain(*args, **options)
    module.canopy = labelled
    try:
        yield
    finally:
        module.canopy = plain


def closed_parasol(rnd, at, height):
    """A parasol folded to its pole."""
    x, y, _ = at
    rod((x, y, 0), (x, y, height), .02, m.plain((.55, .55, .55), .4, .6))
    cyl((x, y, 0), .24, .1, m.plain(tint(rnd, [(.3, .3, .29), (.05, .05, .05), (.6, .6, .58)]), .8), .2)
    mat, low, n = m.cloth(tint(rnd, VIVID)), height * rnd.uniform(.35, .5), 28
    rings = []
    for t, r in ((0, .13), (.1, .16), (.4, .12), (.75, .07), (1, .02)):
        rings.append([Vector((x, y, low + (height - low) * t)) + Vector((math.cos(q), math.sin(q), 0)) * r * (1 + .28 * math.sin(q * 7)) for q in (2 * math.pi * k / n for k in range(n))])
    g.loft(rings, mat)
    g.tube([(x, y, low + (height - low) * .45), (x, y, low + (height - low) * .5)], [.13, .13], m.plain((.6, .6, .6), .8))


def canopy_tent(rnd, w, d):
    """A pop-up tent: four posts and a hipped roof with a valance."""
    h, peak = rnd.uniform(1.9, 2.2), rnd.uniform(.5, 1.0)
    rods([((x, y, 0), (x, y, h)) for x in (-w / 2, w / 2) for y in (-d / 2, d / 2)], .022, steel(rnd))
    a = tint(rnd, VIVID)
    mats = [m.plain(a, .75), m.plain(rnd.choice([a, a, WHITE, tint(rnd, VIVID)]), .75)]
    corners = [(-w / 2, -d / 2), (w / 2, -d / 2), (w / 2, d / 2), (-w / 2, d / 2)]
    drop = rnd.uniform(.15, .3)
    for k in range(4):
        (x0, y0), (x1, y1) = corners[k], corners[(k + 1) % 4]
        sheet(lambda u, v: ((x0 + (x1 - x0) * u) * (1 - v) * 1.02, (y0 + (y1 - y0) * u) * (1 - v) * 1.02, h + peak * v ** 1.15 - .07 * math.sin(math.pi * v)), 4, 6, mats[k % 2])
        sheet(lambda u, v: ((x0 + (x1 - x0) * u) * 1.025, (y0 + (y1 - y0) * u) * 1.025, h - drop * v * (1 - .2 * abs(math.sin(u * 4 * math.pi)))), 24, 2, mats[0])
    if rnd.random() < .3:
        wall = rnd.randrange(4)
        (x0, y0), (x1, y1) = corners[wall], corners[(wall + 1) % 4]
        if wall != 0:
            sheet(lambda u, v: (x0 + (x1 - x0) * u, y0 + (y1 - y0) * u, .1 + (h - .1) * v), 6, 2, mats[0])


def chair_of(rnd):
    """A stool, folding chair or plastic armchair at the origin, its back towards +y."""
    kind, col = rnd.random(), tint(rnd, PLASTIC)
    if kind < .3:
        with g.placed(scale=rnd.uniform(.6, 1.1)):
            things.stool((0, 0, 0), col)
    elif kind < .62:
        metal, seat = steel(rnd), m.plain(tint(rnd, PLASTIC + [(.05, .05, .05)] * 3 + [(.35, .22, .12)]), .6)
        h = rnd.uniform(.40, .46)
        rods([p for x in (-.2, .2) for p in (((x, -.22, 0), (x, .2, h + .42)), ((x, .24, 0), (x, -.2, h)))], .013, metal)
        g.box((0, -.02, h), (.4, .38, .03), seat, bevel=.01)
        g.box((0, .19, h + .2), (.4, .025, .24), seat, bevel=.01)
    elif kind < .9:
        mat, h = m.plain(col, .4), .4
        g.boxes([((x, y, 0), (.05, .05, h), 0) for x in (-.21, .21) for y in (-.2, .2)], mat)
        g.box((0, 0, h), (.48, .46, .035), mat, bevel=.015)
        sheet(lambda u, v: ((u - .5) * .5, .22 + .1 * v - .05 * math.sin(math.pi * u), h + .45 * v), 8, 4, mat)
        for s in (-1, 1):
            g.box((s * .25, 0, h + .2), (.05, .46, .03), mat)
            g.box((s * .25, -.2, 0), (.045, .05, h + .2), mat)
    else:
        wood = m.plain(tint(rnd, [(.36, .22, .11), (.2, .11, .06)]), .7, vary=.2)
        g.boxes([((x, y, 0), (.045, .045, .45 if y < 0 else .92), 0) for x in (-.19, .19) for y in (-.19, .19)], wood)
        g.box((0, 0, .43), (.43, .43, .035), wood)
        g.boxes([((0, .19, z), (.4, .02, .07), 0) for z in (.58, .7, .82)], wood)


def table_of(rnd):
    """A table: folding, plastic round, square, wooden; returns its reach and height."""
    h, kind = rnd.choice([.45, .55, .7, .74, .75]), rnd.random()
    mat = m.plain(tint(rnd, PLASTIC + [(.36, .22, .11), (.5, .5, .5), (.45, .30, .18)] * 2), .55, vary=.12)
    metal = steel(rnd)
    if kind < .3:
        r = rnd.uniform(.35, .75)
        cyl((0, 0, h - .03), r, .03, mat, n=28)
        if rnd.random() < .5:
            cyl((0, 0, 0), .035, h, metal)
            cyl((0, 0, 0), r * .5, .03, metal)
        else:
            rods([((math.cos(a) * r * .8, math.sin(a) * r * .8, 0), (math.cos(a) * r * .6, math.sin(a) * r * .6, h)) for a in (.8, 2.4, 3.9, 5.5)], .02, mat)
        return r, r, h
    w, d = rnd.uniform(.6, 1.9), rnd.uniform(.45, .8)
    g.box((0, 0, h - .035), (w, d, .035), mat, bevel=.008)
    if kind < .6:
        rods([p for x in (-w * .38, w * .38) for p in (((x, -d * .45, 0), (x, d * .4, h - .04)), ((x, d * .45, 0), (x, -d * .4, h - .04)))], .014, metal)
    else:
        g.boxes([((x, y, 0), (.05, .05, h - .03), 0) for x in (-w / 2 + .05, w / 2 - .05) for y in (-d / 2 + .05, d / 2 - .05)], mat if kind < .8 else metal)
    return w / 2, d / 2, h


def table(rnd):
    """A table, bare or with things on it, with seats round some."""
    with part("table"):
        rx, ry, h = table_of(rnd)
    if rnd.random() < .5:
        with part(None), g.placed((0, 0, h)):
            for _ in range(rnd.randrange(1, 7)):
                x, y, mat = rnd.uniform(-.7, .7) * rx, rnd.uniform(-.6, .6) * ry, m.plain(tint(rnd, VIVID + [WHITE] * 4), .4)
                if rnd.random() < .5:
                    cyl((x, y, 0), rnd.uniform(.03, .1), rnd.uniform(.03, .2), mat, n=12)
                else:
                    g.box((x, y, 0), (rnd.uniform(.08, .25), rnd.uniform(.08, .25), rnd.uniform(.02, .2)), mat, turn_deg=rnd.uniform(0, 90))
    seats, state = rnd.choice([0, 0, 1, 2, 3, 4]), rnd.getstate()
    for k in range(seats):
        a = 2 * math.pi * (k + .5) / max(seats, 1) + rnd.uniform(-.3, .3)
        rnd_same = type(rnd)()
        rnd_same.setstate(state)  # the seats of a set are alike
        with part("chair"), g.placed((math.cos(a) * (rx + .3), math.sin(a) * (ry + .3), 0), math.degrees(a) - 90 + rnd.uniform(-20, 20)):
            chair_of(rnd_same)


def chair(rnd):
    """One seat, or a few in a row, a stack or a loose group."""
    how, seed = rnd.random(), rnd.getstate()
    if how < .1:
        col, n = tint(rnd, PLASTIC), rnd.randrange(2, 7)
        with part("chair"):
            for k in range(n):
                things.stool((rnd.gauss(0, .004), 0, .07 * k), col)
        return
    n = 1 if how < .65 else rnd.randrange(2, 4)
    for k in range(n):
        same = type(rnd)()
        same.setstate(seed)
        with part("chair"), g.placed(((k - (n - 1) / 2) * rnd.uniform(.55, .9), rnd.uniform(-.3, .3) * (n > 1), 0), rnd.uniform(-25, 25) if n > 1 else 0):
            chair_of(same)


def umbrella(rnd):
    """A parasol: open and big, or folded; or somebody's umbrella in the rain."""
    kind = rnd.random()
    if kind < .62:
        parasol(rnd, (0, 0, 0), rnd.uniform(1.0, 1.9), rnd.uniform(2.0, 2.7))
        if rnd.random() < .25:
            with part("table", apart=True), g.placed((.1, .1, 0)):
                table_of(rnd)
    elif kind < .82:
        with part("umbrella"):
            closed_parasol(rnd, (0, 0, 0), rnd.uniform(1.9, 2.6))
    else:
        from vendors import look_of
        look, phase = look_of(rnd), rnd.random()
        look.load, look.hat = "umbrella", ""
        look.load_col = tint(rnd, VIVID + [(.03, .03, .035)] * 2)
        with canopy_apart(people, apart=True), part("person"):
            people.person(look, people.walk_pose(phase, look))


def cone(rnd, h, col, bands):
    """A traffic cone with white bands on a square foot."""
    mat, white, foot = m.plain(col, .5, vary=.08), m.plain((.66, .66, .64), .5), m.plain(rnd.choice([(.02, .02, .02), col]), .7)
    r0, r1 = h * .2, h * .03
    g.box((0, 0, 0), (h * .55, h * .55, h * .05), foot, bevel=.01)
    z0 = h * .05
    cuts = [0] + [v for b in range(bands) for v in (.35 + .3 * b - .02, .35 + .3 * b + .13)] + [1]
    for k in range(len(cuts) - 1):
        a, b = cuts[k], cuts[k + 1]
        g.tube([(0, 0, z0 + (h - z0) * a), (0, 0, z0 + (h - z0) * b)], [r0 + (r1 - r0) * a, r0 + (r1 - r0) * b], white if k % 2 else mat, n=20)


def traffic_cone(rnd):
    """One cone, a pair or a row; some with a bar or a tape between."""
    h, n = rnd.choice([.45, .6, .7, .7, .9]), rnd.choice([1, 1, 1, 2, 3, 4])
    col, bands, gap = tint(rnd, [(.62, .10, .01), (.62, .16, .015), (.55, .04, .02), (.6, .4, .02)]), rnd.choice([1, 2, 2]), rnd.uniform(.8, 1.6)
    spots = [((k - (n - 1) / 2) * gap, rnd.uniform(-.12, .12), 0) for k in range(n)]
    for p in spots:
        with part("traffic_cone"), g.placed(p, rnd.uniform(-20, 20)):
            cone(rnd, h, col, bands)
    if n > 1 and rnd.random() < .35:
        with part(None):
            bar = m.plain(rnd.choice([(.6, .4, .02), (.55, .04, .02), (.03, .03, .03)]), .5)
            rods([(Vector(a) + Vector((0, 0, h * .93)), Vector(b) + Vector((0, 0, h * .93))) for a, b in zip(spots, spots[1:])], .018, bar)
