"""What is none of our business but looks like it: hard negatives.

In: a seeded random. Out: one thing round the origin; nothing here gets a box unless it truly is one.
"""
import math

import machines
import objects as things
import people
import street
import wares
from kit import CLOTHES, DULL, VIVID, Vector, cyl, g, hoop, m, noise, part, rods, tint
from riding import bicycle

STONE = [(.42, .40, .37), (.30, .30, .29), (.5, .47, .42), (.36, .33, .28)]
CABINET = [(.5, .5, .48), (.12, .25, .14), (.35, .37, .38), (.45, .43, .36), (.2, .22, .23)]


def _leaves(rnd, at, r, h, count, size=.07):
    cols, verts, faces, fm = [tint(rnd, [(.055, .13, .025), (.10, .20, .04), (.04, .10, .02)]) for _ in range(3)], [], [], []
    for _ in range(count):
        a, q, t = rnd.uniform(0, 6.28), rnd.random() ** .5, rnd.random()
        p = Vector(at) + Vector((math.cos(a) * q * r * math.sin(math.pi * (.15 + .8 * t)), math.sin(a) * q * r * math.sin(math.pi * (.15 + .8 * t)), h * t))
        u = Vector([rnd.gauss(0, 1) for _ in range(3)]).normalized() * size
        w = u.cross(Vector([rnd.gauss(0, 1) for _ in range(3)])).normalized() * size * .5
        k = len(verts)
        verts += [p - u, p + w, p + u, p - w]
        faces.append((k, k + 1, k + 2, k + 3))
        fm.append(rnd.randrange(3))
    g.mesh(verts, faces, [m.plain(c, .6, spec=.3) for c in cols], fm)


def potted(rnd):
    """Plants in pots, one or a row."""
    n = rnd.choice([1, 1, 2, 3, 4])
    for k in range(n):
        x, h, r = (k - (n - 1) / 2) * .55, rnd.uniform(.2, .5), rnd.uniform(.13, .28)
        cyl((x, rnd.uniform(-.1, .1), 0), r * .75, h, m.plain(tint(rnd, [(.35, .12, .06), (.5, .5, .48), (.03, .03, .03), (.6, .58, .52), (.05, .12, .3)]), .7, vary=.1), r)
        _leaves(rnd, (x, 0, h * .9), rnd.uniform(.2, .45), rnd.uniform(.25, 1.1), rnd.randrange(120, 500))
        if rnd.random() < .3:
            things.balls(rnd, (x, 0, h + .3), (.2, .2), .035, 18, m.plain(tint(rnd, VIVID), .6), heap=.15)


def planter(rnd):
    """A stone or wooden tub with shrubs, round or long; some empty."""
    mat, h = m.plain(tint(rnd, STONE + [(.36, .22, .11)]), .9, vary=.15, bump=.2), rnd.uniform(.35, .7)
    soil = m.plain((.06, .045, .03), .95, vary=.3)
    if rnd.random() < .6:
        r = rnd.uniform(.35, .8)
        g.tube([(0, 0, 0), (0, 0, h * .2), (0, 0, h * .85), (0, 0, h)], [r * .7, r * .75, r, r * 1.06], mat, n=26)
        cyl((0, 0, h), r * .9, .01, soil)
        reach = r
    else:
        w, reach = rnd.uniform(1, 2.2), .3
        g.box((0, 0, 0), (w, .5, h), mat, bevel=.02)
        g.box((0, 0, h), (w - .1, .4, .01), soil)
        for x in [q * .4 - w / 2 + .3 for q in range(int(w / .4))]:
            _leaves(rnd, (x, 0, h), .3, rnd.uniform(.3, .5), 140)
    if rnd.random() < .8:
        _leaves(rnd, (0, 0, h), reach * 1.05, rnd.uniform(.3, .9), 500)


def rockery(rnd):
    """Garden stones, one upright or a group."""
    for k in range(rnd.choice([1, 1, 2, 3, 5])):
        r = rnd.uniform(.25, .9) * (1 if k == 0 else .6)
        g.blob((rnd.gauss(0, .6) * (k > 0), rnd.gauss(0, .4) * (k > 0), 0), (r, r * rnd.uniform(.6, 1), r * rnd.uniform(.6, 1.7)), m.plain(tint(rnd, STONE), .95, vary=.3, scale=5, bump=.7), rnd.randrange(999), rough=rnd.uniform(.4, .7), scale=rnd.uniform(1.2, 2.2), knot=False)
    if rnd.random() < .4:
        _leaves(rnd, (.5, .3, 0), .5, .4, 250)


def statue(rnd):
    """A figure of stone or bronze on a plinth."""
    col = tint(rnd, [(.45, .44, .42), (.12, .09, .05), (.06, .10, .08), (.6, .6, .58)])
    look = people.Look(shirt=col, trousers=col, shoes=col, skin=col, hair=col, hat_col=col, hat=rnd.choice(["", "straw"]))
    h = rnd.uniform(.15, 1.0)
    g.box((0, 0, 0), (.8, .8, h), m.plain(tint(rnd, STONE), .8, vary=.1), bevel=.03)
    pose = people.Pose(shoulder=(rnd.uniform(-10, 120), rnd.uniform(-10, 60)), elbow=(rnd.uniform(0, 90), rnd.uniform(0, 90)))
    with g.placed((0, 0, h), rnd.uniform(0, 360)):
        people.person(look, pose)


def covered(rnd):
    """A clean cover over a car or a motorbike."""
    mat = m.plain(tint(rnd, [(.5, .5, .52), (.62, .62, .62), (.03, .10, .30), (.35, .05, .06), (.15, .15, .16), (.05, .2, .1)]), .6, vary=.05, scale=2)
    car, off = rnd.random() < .5, Vector((rnd.uniform(0, 9), rnd.uniform(0, 9), 0))
    ln, wd = (4.6, 1.85) if car else (2.0, .75)

    def f(u, v):
        b = abs(v - .5) * 2
        if car:
            top = .85 + .6 * max(0, min(1, (u - .12) * 6, (.75 - u) * 4.5))
        else:
            top = .75 + .35 * max(0, 1 - abs(u - .78) * 6) + .05 * math.sin(u * 9)
        edge = min(1, 9 * min(u, 1 - u)) ** .5 * (1 - b ** (5 if car else 3)) ** .5 if 0 < u < 1 and b < 1 else 0
        n = noise.noise(Vector((u * 6, v * 4, 0)) + off)
        return (u - .5) * ln * (1 + .01 * n), (v - .5) * wd * (1 + .03 * math.sin(u * 40) * b), max(.05, top * edge + .03 * n)
    wares.sheet(f, 50, 26, mat)
    dark = m.plain((.02, .02, .02), .85)
    for x in (-ln * .31, ln * .31):
        for y in ((-.8, .8) if car else (0,)):
            g.tube([(x, y - .1, .3), (x, y + .1, .3)], [.31, .31], dark, n=20)


def cover_plate(rnd):
    """Manhole covers, gully grates and patches in the ground."""
    iron = m.plain(tint(rnd, [(.055, .05, .048), (.1, .09, .08), (.2, .2, .2)]), .6, .4, vary=.4, scale=30, bump=.8)
    for k in range(rnd.choice([1, 1, 2])):
        if rnd.random() < .65:
            g.disc((k * .9, 0, .006), .34, iron, n=32)
            hoop((k * .9, 0, .004), .36, .02, m.plain((.2, .2, .19), .9), "Z")
            hoop((k * .9, 0, .006), .2, .008, m.plain((.03, .03, .03), .8), "Z", 20)
        else:
            g.boxes([((k * .9 + q * .05 - .25, 0, 0), (.022, .45, .012), 0) for q in range(11)], iron)
            g.box((k * .9, 0, 0), (.6, .5, .005), m.plain((.01, .01, .01), 1))


def tree_shadow(rnd):
    """Only the shade of a tree that stands outside the picture."""
    with g.group("shade"):
        verts, faces = [], []
        for _ in range(900):
            p = Vector((rnd.gauss(0, .9), rnd.gauss(0, .8), .9 + rnd.gauss(0, .2)))
            u = Vector([rnd.gauss(0, 1) for _ in range(3)]).normalized() * rnd.uniform(.06, .13)
            w = u.cross(Vector([rnd.gauss(0, 1) for _ in range(3)])).normalized() * .06
            k = len(verts)
            verts += [p - u, p + w, p + u, p - w]
            faces.append((k, k + 1, k + 2, k + 3))
        ob = g.mesh(verts, faces, m.plain((.05, .1, .02)))
        ob.visible_camera = False
    frame = g.mesh([(x, y, .001) for x, y in ((-1.6, -1.3), (1.6, -1.3), (1.6, 1.3), (-1.6, 1.3))], [(0, 1, 2, 3)], m.plain((.2, .2, .2)))
    frame.hide_render = True  # only tells the camera where to look


def street_box(rnd):
    """Cabinet, newspaper box, letter box or vending box."""
    kind = rnd.randrange(4)
    if kind == 0:
        for k in range(rnd.choice([1, 1, 2])):
            w, h = rnd.uniform(.5, 1.3), rnd.uniform(.8, 1.5)
            with g.placed((k * 1.4, 0, 0)):
                mat = m.plain(tint(rnd, CABINET), .5, vary=.08, scale=3)
                g.box((0, 0, 0), (w + .06, .5, .1), m.plain((.4, .4, .38), .9))
                g.box((0, 0, .1), (w, .45, h), mat, bevel=.015)
                g.box((0, 0, h + .1), (w + .08, .53, .05), mat)
                g.boxes([((0, -.228, .14), (.012, .006, h - .1), 0), ((w * .06, -.235, h * .55), (.03, .02, .12), 0)] + [((-w * .25, -.228, .2 + q * .05), (w * .3, .006, .015), 0) for q in range(5)], m.plain((.05, .05, .05), .7))
                if rnd.random() < .5:
                    g.box((w * .25, -.228, h * .7), (.14, .006, .14), m.plain((.6, .42, .02), .6))
    elif kind == 1:
        mat = m.paint(tint(rnd, VIVID))
        g.box((0, 0, .35), (.5, .42, .75), mat, bevel=.02)
        g.box((0, -.215, .62), (.4, .01, .36), m.glass((.05, .06, .06)))
        g.box((0, -.222, .66), (.3, .006, .24), m.plain((.6, .58, .52), .8, vary=.4, scale=20))
        g.boxes([((x, y, 0), (.05, .05, .36), 0) for x in (-.2, .2) for y in (-.16, .16)], mat)
    elif kind == 2:
        mat = m.paint(rnd.choice([(.03, .25, .10), (.5, .03, .03), (.02, .12, .4), (.6, .42, .03)]))
        if rnd.random() < .5:
            g.tube([(0, 0, 0), (0, 0, .1), (0, 0, 1.2), (0, 0, 1.25), (0, 0, 1.38)], [.27, .24, .24, .29, .1], mat, n=24)
        else:
            g.box((0, 0, .3), (.5, .42, .9), mat, bevel=.05)
            g.tube([(-.25, 0, 1.2), (.25, 0, 1.2)], [.21, .21], mat, n=20)
            cyl((0, 0, 0), .06, .3, mat)
        g.box((0, -.25, 1.02), (.3, .03, .04), m.plain((.01, .01, .01), .8))
    else:
        mat = m.paint(tint(rnd, VIVID + [(.6, .6, .6)]))
        g.box((0, 0, 0), (.9, .75, 1.8), mat, bevel=.02)
        g.box((-.1, -.378, .6), (.55, .01, 1.05), m.glass((.06, .07, .08)))


def bollards(rnd):
    """Bollards or stone balls in a row."""
    n, gap = rnd.randrange(1, 6), rnd.uniform(.8, 1.5)
    mat, ball = m.plain(tint(rnd, STONE + [(.05, .05, .05), (.5, .5, .5)]), .6, vary=.1), rnd.random() < .4
    band = m.plain(rnd.choice([(.6, .42, .02), (.6, .6, .58), (.5, .04, .03)]), .5)
    for k in range(n):
        x = (k - (n - 1) / 2) * gap
        if ball:
            cyl((x, 0, 0), .2, .08, mat)
            g.ellipsoid((x, 0, .3), (.25, .25, .25), mat, n=20)
        else:
            g.tube([(x, 0, 0), (x, 0, .75), (x, 0, .8)], [.08, .08, .05], mat, n=16)
            g.tube([(x, 0, .55), (x, 0, .65)], [.084, .084], band, n=16)


def bench(rnd):
    """A slatted bench or a stone one."""
    w = rnd.uniform(1.2, 1.9)
    if rnd.random() < .7:
        wood, iron = m.plain(tint(rnd, [(.36, .20, .10), (.45, .30, .18), (.2, .2, .2)]), .7, vary=.2), m.plain((.05, .05, .055), .5, .5)
        g.boxes([((0, -.2 + q * .11, .42), (w, .09, .035), 0) for q in range(4)], wood)
        if rnd.random() < .7:
            g.boxes([((0, .24 + q * .02, .55 + q * .13), (w, .03, .1), 0) for q in range(3)], wood)
            g.boxes([((x, .25, .3), (.05, .05, .6), 0) for x in (-w * .42, w * .42)], iron)
        g.boxes([((x, y, 0), (.05, .06, .42), 0) for x in (-w * .42, w * .42) for y in (-.18, .16)], iron)
    else:
        mat = m.plain(tint(rnd, STONE), .8, vary=.15)
        g.box((0, 0, .36), (w, .42, .1), mat, bevel=.02)
        g.boxes([((x, 0, 0), (.2, .36, .36), 0) for x in (-w * .36, w * .36)], mat)


def bicycles(rnd):
    """Parked cycles, one or a row."""
    n, seed = rnd.choice([1, 1, 2, 3, 5]), rnd.getstate()
    lean = rnd.uniform(60, 110)
    for k in range(n):
        same = type(rnd)()
        same.setstate(seed)
        with g.placed(((k - (n - 1) / 2) * .5, rnd.uniform(-.06, .06), 0), lean + rnd.gauss(0, 5)):
            bicycle(same if rnd.random() < .6 else rnd)


def parked_car(rnd):
    """A car, which is nobody's business here."""
    machines.car(tint(rnd, DULL + VIVID[:1] + [(.6, .6, .6)] * 4), rnd.choice(["sedan", "van"]))


def little_tree(rnd):
    """A street tree."""
    street.tree(0, 0, rnd.uniform(.6, .9), rnd.randrange(999))


def passer_by(rnd):
    """Somebody who walks past, alone or in company: a person, and no stall."""
    from vendors import look_of
    for k in range(rnd.choice([1, 1, 2, 3])):
        look = look_of(rnd)
        look.apron, look.load, look.load_col = None, rnd.choice(["", "backpack", "handbag"]), tint(rnd, CLOTHES)
        with part("person"), g.placed((k * .7, rnd.uniform(-.4, .4), 0), rnd.uniform(0, 360)):
            people.person(look, people.walk_pose(rnd.random(), look))


KINDS = [potted, planter, rockery, statue, covered, cover_plate, tree_shadow, street_box, bollards, bench, bicycles, parked_car, passer_by, street_box, planter, covered, little_tree]


def negative(rnd, i):
    """The i-th negative: the kinds in turn, so that all come early."""
    kind = KINDS[i % len(KINDS)]
    if kind is passer_by:
        kind(rnd)
    else:
        with part(None):
            kind(rnd)
