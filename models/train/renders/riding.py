"""Cargo tricycles and bicycles.

In: a seeded random. Out: a cycle that faces +x, wheels on z = 0. `tricycle` returns where its bed
lies (centre x, length, width, height), for what is to be laid on it.
"""
import math

import objects as things
import wares
from kit import CARD, CLOTHES, VIVID, Vector, fat_wheel, g, m, part, rods, spoked, steel, tint

PAINT = [(.03, .10, .35), (.40, .03, .03), (.05, .25, .10), (.60, .40, .03), (.5, .5, .5), (.03, .25, .3), (.15, .15, .16), (.62, .2, .02)]


def _front_pedal(rnd, paint, dark, metal):
    """Fork, bars, saddle and chain of a pedal tricycle; the front hub at x = 1.0."""
    r = .32
    spoked((1.0, 0, r), r, dark, metal, .025)
    head, seat = Vector((.78, 0, .88)), Vector((.12, 0, .78))
    rods([((1.0, s * .06, r), (.82, s * .06, .72)) for s in (-1, 1)] + [((.84, 0, .68), head)], .016, paint)
    rods([((.8, 0, .75), (.1, 0, .42)), ((.8, 0, .62), (.3, 0, .3)), ((.1, 0, .3), (.12, 0, .76)), ((.3, 0, .3), (-.4, 0, .36)), ((.1, 0, .42), (-.4, 0, .42))], .02, paint)
    rods([(head, (.72, 0, 1.02)), ((.72, -.3, 1.0), (.72, .3, 1.0)), ((.72, -.3, 1.0), (.58, -.32, .97)), ((.72, .3, 1.0), (.58, .32, .97))], .013, metal)
    g.ellipsoid(seat, (.14, .1, .05), dark, rows=6, n=10)
    g.tube([(.3, -.05, .3), (.3, .05, .3)], [.09, .09], metal, n=14)
    g.boxes([((.3 + .14, .13, .28), (.1, .08, .025), 0), ((.3 - .14, -.13, .28), (.1, .08, .025), 0)], dark)


def _front_motor(rnd, paint, dark, metal):
    """Fairing, leg shield and bench of an electric tricycle."""
    r = .23
    fat_wheel((1.05, 0, r), r, .1, dark, metal)
    g.box((1.04, 0, r + .17), (.42, .17, .06), paint, bevel=.03)
    g.prism([(.98, .45), (.78, .42), (.66, .92), (.72, 1.0), (.86, .98)], -.2, .2, paint, bevel=.03)
    g.ellipsoid((.9, 0, .9), (.07, .08, .08), m.plain((.7, .72, .75), .1, spec=.9), rows=6, n=12)
    g.box((.62, 0, .28), (.9, .42 if rnd.random() < .6 else .7, .06), dark, bevel=.01)
    g.box((.1, 0, .3), (.34, .56, .3), paint, bevel=.03)
    g.box((.1, 0, .6), (.36, .58, .09), dark, bevel=.03)
    g.box((-.08, 0, .68), (.06, .5, .28), dark, bevel=.02)
    rods([((.74, 0, .9), (.68, 0, 1.06)), ((.68, -.33, 1.04), (.68, .33, 1.04))], .016, dark)
    rods([((1.05, s * .07, r), (.9, s * .07, .6)) for s in (-1, 1)], .02, metal)
    if rnd.random() < .4:
        rods([((.7, s * .3, 1.05), (.78, s * .38, 1.22)) for s in (-1, 1)], .008, dark)
        g.boxes([((.78, s * .38, 1.2), (.02, .12, .08), 0) for s in (-1, 1)], dark)
    if rnd.random() < .3:
        g.mesh([(.86, -.3, .98), (.86, .3, .98), (.72, .28, 1.45), (.72, -.28, 1.45)], [(0, 1, 2, 3)], m.glass((.08, .1, .1), .1))
    if rnd.random() < .3:
        _roof(rnd, paint)


def _roof(rnd, paint):
    """A rain roof over the rider."""
    rods([((.8, s * .34, .95), (.72, s * .36, 1.78)) for s in (-1, 1)] + [((-.15, s * .36, .6), (-.15, s * .36, 1.8)) for s in (-1, 1)], .014, m.plain((.1, .1, .1), .6))
    mat = m.plain(tint(rnd, VIVID), .6)
    wares.sheet(lambda u, v: (-.25 + 1.15 * u, (v - .5) * .85, 1.8 + .08 * math.sin(math.pi * v)), 3, 6, mat)


def _bed(rnd, x0, w, d, z, side, paint):
    """The open bed: a floor and low sides of sheet, slats or bars."""
    floor = m.plain(tint(rnd, [(.36, .24, .13), (.2, .2, .2), (.12, .14, .16)]), .8, vary=.3)
    g.box((x0, 0, z - .04), (w, d, .04), floor)
    if rnd.random() < .6:
        g.boxes([((x0, -d / 2, z), (w, .02, side), 0), ((x0, d / 2, z), (w, .02, side), 0), ((x0 - w / 2, 0, z), (.02, d, side), 0), ((x0 + w / 2, 0, z), (.02, d, side + .06), 0)], paint)
        g.boxes([((x0 + q * w, s * (d / 2 + .012), z), (.04, .02, side), 0) for q in (-.4, -.13, .13, .4) for s in (-1, 1)], paint)
    else:
        bars = [((x0 - w / 2, s * d / 2, z + h), (x0 + w / 2, s * d / 2, z + h)) for s in (-1, 1) for h in (side * .5, side)]
        bars += [((x0 + e * w / 2, -d / 2, z + h), (x0 + e * w / 2, d / 2, z + h)) for e in (-1, 1) for h in (side * .5, side)]
        bars += [((x0 + q * w, s * d / 2, z), (x0 + q * w, s * d / 2, z + side)) for q in (-.5, -.25, 0, .25, .5) for s in (-1, 1)]
        rods(bars, .013, paint)


def tricycle(rnd, load="some", box=False):
    """The whole cycle; `load` None leaves the bed bare, `box` closes it."""
    motor = rnd.random() < .6
    paint, dark, metal = m.paint(tint(rnd, PAINT)), m.plain((.02, .02, .02), .8), steel(rnd)
    (_front_motor if motor else _front_pedal)(rnd, paint, dark, metal)
    w, d = (rnd.uniform(1.15, 1.75), rnd.uniform(.85, 1.1)) if motor else (rnd.uniform(.95, 1.35), rnd.uniform(.7, .95))
    z, r = (.5, .24) if motor else (.52, .3)
    x0 = -.2 - w / 2
    for s in (-1, 1):
        y = s * (d / 2 - .02 if motor else d / 2 + .06)
        if motor:
            fat_wheel((x0 - w * .08, s * (d / 2 - .08), r), r, .11, dark, metal)
        else:
            spoked((x0, y, r), r, dark, metal, .025)
    g.tube([(x0 - w * .08, -d / 2, r), (x0 - w * .08, d / 2, r)], [.03, .03], dark)
    rods([((x0 - w / 2, s * d * .32, z - .06), (0.1, s * .2, .34)) for s in (-1, 1)], .022, paint)
    g.boxes([((x0 - w / 2 - .015, s * (d / 2 - .1), z - .12), (.03, .12, .07), 0) for s in (-1, 1)], m.plain((.45, .01, .01), .3))
    if box:
        _closed(rnd, x0, w, d, z)
    else:
        side = rnd.uniform(.12, .38)
        _bed(rnd, x0, w, d, z, side, paint)
        if load:
            with g.placed((x0, 0, z)):
                _load(rnd, w, d, side)
    return x0, w, d, z


def _closed(rnd, x0, w, d, z):
    """A courier's box: sheet walls, a stripe, a door at the back, rivets of light wear."""
    h = rnd.uniform(.75, 1.3)
    col = tint(rnd, VIVID + [(.6, .6, .58)] * 2)
    mat, other = m.plain(col, .4, vary=.06, scale=3), m.plain(tint(rnd, VIVID + [(.62, .62, .6)] * 4), .45)
    g.box((x0, 0, z - .02), (w, d, h), mat, bevel=.03)
    for s in (-1, 1):
        if rnd.random() < .8:
            g.box((x0, s * (d / 2 + .003), z + h * rnd.uniform(.1, .5)), (w * .94, .006, h * rnd.uniform(.12, .35)), other)
        g.box((x0 + rnd.uniform(-.2, .2) * w, s * (d / 2 + .006), z + h * .6), (w * .4, .006, h * .18), m.plain((.65, .65, .62), .5))
    g.boxes([((x0 - w / 2 - .004, 0, z + .02), (.01, .02, h * .92), 0), ((x0 - w / 2 - .01, .06, z + h * .45), (.03, .03, .16), 0)], m.plain((.1, .1, .1), .5))
    g.box((x0 - w / 2 - .004, d * .22, z + h * .55), (.008, d * .3, h * .2), other)


def _load(rnd, w, d, side):
    """What is carried: cartons, sacks, bags, scrap, greens, bottles of gas or water."""
    kind = rnd.randrange(9)
    if kind == 0:
        rnd.choice([wares.crates, wares.greens, wares.baskets, wares.flowers])(rnd, w * .95, d * .93)
    elif kind in (1, 2):
        for _ in range(rnd.randrange(4, 14)):
            s = rnd.uniform(.25, .5)
            z = rnd.choice([0, 0, .3, .55])
            g.box((rnd.uniform(-.5, .5) * (w - s), rnd.uniform(-.5, .5) * (d - s * .8), z), (s, s * .8, rnd.uniform(.25, .4)), m.plain(tint(rnd, [CARD]), .9, vary=.12, scale=5), turn_deg=rnd.uniform(-15, 15))
    elif kind == 3:
        for k in range(rnd.randrange(3, 9)):
            things.bag((rnd.uniform(-.38, .38) * w, rnd.uniform(-.3, .3) * d, .18 * (k // 3)), rnd.uniform(.2, .34), rnd.randrange(999), tint(rnd, [(.6, .6, .58), (.4, .3, .2), (.05, .2, .4), (.02, .02, .02)]))
    elif kind == 4:
        lots = {}
        for k in range(rnd.randrange(15, 40)):
            lots.setdefault(k % 3, []).append(((rnd.gauss(0, .08) * w, rnd.gauss(0, .06) * d, k * .025), (w * rnd.uniform(.6, 1.1), d * rnd.uniform(.6, 1.05), .018), rnd.uniform(-10, 10)))
        for lot in lots.values():
            g.boxes(lot, m.plain(tint(rnd, [CARD]), .9, vary=.1))
        rods([((-.2 * w, -d / 2, .02), (-.2 * w, -d * .4, .9)), ((.2 * w, d / 2, .02), (.2 * w, d * .4, .9))], .01, m.plain((.05, .1, .3), .8))
    elif kind == 5:
        col = tint(rnd, [(.3, .32, .33), (.05, .25, .45), (.5, .05, .03)])
        for x in [q * .34 - w / 2 + .2 for q in range(int(w / .34))]:
            for y in [q * .34 - d / 2 + .2 for q in range(int(d / .34))]:
                g.tube([(x, y, 0), (x, y, .04), (x, y, .42), (x, y, .5), (x, y, .58)], [.13, .15, .15, .07, .05], m.plain(col, .35, spec=.6), n=12)
    elif kind == 6:
        wares.tarp(rnd, w, d, rnd.uniform(.4, .9), m.cloth(tint(rnd, CLOTHES + [(.03, .12, .4)] * 4)), .3)
    elif kind == 7:
        n = rnd.randrange(6, 14)
        rods([((-w / 2 - rnd.uniform(0, .5), rnd.uniform(-.4, .4) * d, side + rnd.uniform(0, .2)), (w / 2 + rnd.uniform(0, .4), rnd.uniform(-.4, .4) * d, side + rnd.uniform(.0, .25))) for _ in range(n)], rnd.choice([.02, .035]), m.plain(tint(rnd, [(.5, .33, .16), (.5, .5, .5), (.6, .6, .58), (.2, .1, .06)]), .7))


def cargo_tricycle(rnd):
    """One tricycle: open and bare, loaded, or closed; a rider on some."""
    with part("cargo_tricycle"):
        closed = rnd.random() < .35
        tricycle(rnd, load="some" if rnd.random() < .72 else None, box=closed)
    if rnd.random() < .25:
        import people
        from vendors import look_of, pose_of
        pose = pose_of(rnd, "seat")
        pose.hip, pose.knee, pose.shoulder, pose.elbow = (74, 68), (70, 62), (48, 48), (28, 28)
        with part("person", apart=True), g.placed((.14, 0, .18), -90):
            people.person(look_of(rnd), pose)


def bicycle(rnd):
    """A parked bicycle or share bike."""
    share = rnd.random() < .5
    col = tint(rnd, [(.02, .3, .6), (.6, .42, .02), (.04, .4, .15), (.62, .2, .02)] if share else PAINT)
    paint, dark, metal, r = m.paint(col), m.plain((.02, .02, .02), .8), steel(rnd), .32
    for x in (-.52, .52):
        spoked((x, 0, r), r, dark, metal, .02)
        if share:
            pts = [(x + (r + .02) * math.cos(a), 0, r + (r + .02) * math.sin(a)) for a in [.3 + k * .25 for k in range(9)]]
            g.tube(pts, .03, paint, n=6, side=(0, 1, 0), squash=.5)
    rods([((.52, s * .05, r), (.40, s * .04, .72)) for s in (-1, 1)] + [((.40, 0, .7), (.35, 0, .95)), ((.38, 0, .78), (-.08, 0, .34)), ((-.08, 0, .34), (-.18, 0, .86)),
          ((-.08, 0, .3), (-.52, 0, r)), ((-.15, 0, .62), (-.52, 0, r))] + ([((.38, 0, .74), (-.15, 0, .7))] if not share else []), .019, paint)
    rods([((.34, -.27, .98), (.34, .27, .98)), ((.34, -.27, .98), (.24, -.28, .97)), ((.34, .27, .98), (.24, .28, .97)), ((0, .05, .3), (-.12, .22, 0))], .013, dark)
    g.ellipsoid((-.18, 0, .89), (.13, .08, .04), dark, rows=6, n=10)
    if share or rnd.random() < .4:
        g.boxes([((.55, 0, .72), (.26, .34, .015), 0), ((.42, 0, .72), (.012, .34, .2), 0), ((.68, 0, .72), (.012, .34, .2), 0), ((.55, -.17, .72), (.26, .012, .2), 0), ((.55, .17, .72), (.26, .012, .2), 0)], dark)
