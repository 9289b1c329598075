"""Machines of a building site: excavators, a loader, a roller, a drum mixer.

In: a seeded random. Out: one machine that faces +x at the origin, wheels or tracks on z = 0.
"""
import math

import machines
from kit import Vector, fat_wheel, g, m, part, rods, steel, tint

PAINTS = [(.62, .33, .015), (.60, .42, .03), (.62, .22, .01), (.62, .33, .015), (.52, .5, .45), (.03, .14, .35), (.05, .3, .3), (.45, .05, .03), (.15, .35, .08)]


def _slab(a, b, half_a, half_b, y, t, mat):
    """A tapered bar in the x-z plane from a to b."""
    a, b = Vector((a[0], a[1])), Vector((b[0], b[1]))
    n = (b - a).normalized()
    n = Vector((-n.y, n.x))
    pts = [a + n * half_a, b + n * half_b, b - n * half_b, a - n * half_a]
    area = sum(pts[k].x * pts[(k + 1) % 4].y - pts[(k + 1) % 4].x * pts[k].y for k in range(4))
    g.prism([(p.x, p.y) for p in (pts if area > 0 else pts[::-1])], y - t / 2, y + t / 2, mat, bevel=.015)


def _arm(rnd, at, s, mat, dark, metal):
    """Boom, stick and bucket in a pose by chance; `s` scales it."""
    up, fold, curl = math.radians(rnd.uniform(25, 68)), math.radians(rnd.uniform(60, 125)), math.radians(rnd.uniform(20, 100))

    def go(p, a, r):
        return (p[0] + math.cos(a) * r, p[1] + math.sin(a) * r)
    knee = go(at, up + .18, 1.5 * s)
    end = go(knee, up - .5, 1.35 * s)
    wrist = go(end, up - fold, 1.45 * s)
    low = .55 * s - wrist[1] - .5  # the bucket must not sink into the ground
    if low > 0:
        wrist = (wrist[0], wrist[1] + low)
    _slab(at, knee, .16 * s, .2 * s, 0, .24 * s, mat)
    _slab(knee, end, .2 * s, .13 * s, 0, .24 * s, mat)
    _slab(end, wrist, .17 * s, .09 * s, 0, .18 * s, mat)
    for p, q, r in (((at[0] + .25 * s, at[1] - .1 * s), (knee[0] + .05 * s, knee[1] - .1 * s), .05), ((knee[0], knee[1] + .28 * s), (end[0], end[1] + .22 * s), .045)):
        rods([((p[0], 0.16 * s, p[1]), (q[0], .16 * s, q[1])), ((p[0], -.16 * s, p[1]), (q[0], -.16 * s, q[1]))] if r > .046 else [((p[0], 0, p[1]), (q[0], 0, q[1]))], r * s, dark, 8)
    a = up - fold - curl
    tip, back = go(wrist, a, .75 * s), go(wrist, a - 1.1, .5 * s)
    mid = go(wrist, a - .55, .82 * s)
    pts = [wrist, back, mid, tip]
    area = sum(pts[k][0] * pts[(k + 1) % 4][1] - pts[(k + 1) % 4][0] * pts[k][1] for k in range(4))
    g.prism(pts if area > 0 else pts[::-1], -.36 * s, .36 * s, metal, bevel=.02)
    n = go((0, 0), a, .12 * s)
    g.boxes([((tip[0] + n[0] * .5, y * s, tip[1] + n[1] * .5 - .03), (.1 * s, .07 * s, .06 * s), 0) for y in (-.3, -.1, .1, .3)], metal)


def digger(rnd):
    """An excavator on tracks or wheels, from 1.5 to 20 t, its arm anyhow."""
    s = rnd.choice([.6, .75, 1.0, 1.0, 1.25, 1.5])
    body, dark = m.plain(tint(rnd, PAINTS, .1), .45, vary=.08, scale=2, coat=.3), m.plain((.02, .02, .02), .75)
    metal, pane = m.plain((.14, .13, .12), .55, .6, vary=.3), m.glass((.02, .03, .032), .06)
    if rnd.random() < .75:
        for y in (-.78 * s, .78 * s):
            g.prism([(-1.25 * s, .12 * s), (-1.05 * s, 0), (1.05 * s, 0), (1.25 * s, .12 * s), (1.3 * s, .36 * s), (1.05 * s, .62 * s), (-1.05 * s, .62 * s), (-1.3 * s, .36 * s)], y - .22 * s, y + .22 * s, dark, bevel=.03)
            g.boxes([((q * .155 * s - 1.0 * s, y, .6 * s), (.05 * s, .46 * s, .045 * s), 0) for q in range(14)], metal)
            side = y + math.copysign(.225 * s, y)
            for x, r in ((-.95, .24), (-.5, .12), (0, .12), (.5, .12), (.95, .24)):
                g.tube([(x * s, side - .02, (r + .1) * s), (x * s, side + .02, (r + .1) * s)], [r * s, r * s], metal, n=14)
        base = .62 * s
    else:
        for x in (-.95 * s, .95 * s):
            for y in (-.8 * s, .8 * s):
                fat_wheel((x, y, .45 * s), .45 * s, .34 * s, dark, body)
        g.box((0, 0, .42 * s), (2.4 * s, .9 * s, .3 * s), dark)
        base = .72 * s
    g.tube([(0, 0, base - .1), (0, 0, base + .2 * s)], [.45 * s, .45 * s], metal)
    with g.placed((0, 0, base + .15 * s), rnd.uniform(-180, 180) if rnd.random() < .5 else rnd.gauss(0, 25)):
        g.box((-.25 * s, 0, 0), (2.2 * s, 1.8 * s, .15 * s), metal, bevel=.03)
        g.box((-.85 * s, 0, .14 * s), (1.1 * s, 1.8 * s, rnd.uniform(.75, .95) * s), body, bevel=.12 * s)
        g.box((-1.36 * s, 0, .2 * s), (.2 * s, 1.5 * s, .5 * s), dark if rnd.random() < .5 else body, bevel=.06 * s)
        g.box((.3 * s, -.55 * s, .14 * s), (1.1 * s, .65 * s, .5 * s), body, bevel=.05 * s)
        _cab(s, (.3 * s, .5 * s, .12 * s), (1.1 * s, .8 * s, 1.5 * s), body, pane, closed=s > .7 or rnd.random() < .4)
        with g.placed((0, -.1 * s, 0)):
            _arm(rnd, (.75 * s, .35 * s), s, body, dark, metal)


def _cab(s, at, size, body, pane, closed=True):
    """A cab of posts and panes, or only a roof on posts."""
    (x, y, z), (w, d, h) = at, size
    t = .07 * s
    if closed:
        g.box((x, y, z), (w, d, h * .34), body, bevel=.03 * s)
        g.box((x, y, z + h * .33), (w - t, d - t, h * .6), pane, bevel=.02)
    else:
        g.box((x - w * .2, y, z + h * .2), (w * .4, d * .6, h * .3), m.plain((.02, .02, .02), .8), bevel=.04)
    g.boxes([((x + sx * (w - t) / 2, y + sy * (d - t) / 2, z), (t, t, h), 0) for sx in (-1, 1) for sy in (-1, 1)], body)
    g.box((x, y, z + h - .04 * s), (w + .1 * s, d + .1 * s, .09 * s), body, bevel=.03 * s)


def loader(rnd):
    """A wheel loader, its bucket down, half up or high."""
    s = rnd.choice([.6, .8, 1, 1.1])
    body, dark = m.plain(tint(rnd, PAINTS[:6], .1), .45, vary=.08, scale=2, coat=.3), m.plain((.02, .02, .02), .8)
    metal, pane = m.plain((.2, .19, .17), .5, .6, vary=.3), m.glass((.02, .03, .032), .06)
    r = .62 * s
    for x in (-1.3 * s, 1.2 * s):
        for y in (-.85 * s, .85 * s):
            fat_wheel((x, y, r), r, .45 * s, dark, body)
    g.box((0, 0, .55 * s), (3.2 * s, .95 * s, .35 * s), dark)
    g.box((-1.45 * s, 0, .8 * s), (1.6 * s, 1.35 * s, .85 * s), body, bevel=.12 * s)
    g.box((-2.2 * s, 0, .55 * s), (.25 * s, 1.4 * s, .6 * s), body, bevel=.05)
    _cab(s, (-.25 * s, 0, .85 * s), (1.15 * s, 1.2 * s, 1.55 * s), body, pane)
    lift = math.radians(rnd.choice([-38, -38, -36, -10, 15, 35]))
    a = (.55 * s, 1.35 * s)
    b = (a[0] + 1.9 * s * math.cos(lift), a[1] + 1.9 * s * math.sin(lift))
    for y in (-.45 * s, .45 * s):
        _slab(a, b, .15 * s, .12 * s, y, .12 * s, body)
    rods([((.6 * s, y, .8 * s), ((a[0] + b[0]) / 2, y, (a[1] + b[1]) / 2)) for y in (-.3 * s, .3 * s)], .05 * s, metal)
    t = rnd.uniform(-.1, .6)
    pts = [(-.1, .55), (-.16, 0), (.1, -.2), (.85, -.22), (.35, .05), (.2, .6)]
    pts = [(b[0] + s * (x * math.cos(t) - z * math.sin(t)), max(.03, b[1] + s * (x * math.sin(t) + z * math.cos(t)))) for x, z in pts]
    g.prism(pts, -1.15 * s, 1.15 * s, body if rnd.random() < .5 else metal)
    g.boxes([((-2.3 * s, y, 1.0 * s), (.05, .15 * s, .12 * s), 0) for y in (-.5 * s, .5 * s)], m.plain((.5, .02, .01), .3))


def mixer(rnd):
    """A small drum mixer on two wheels."""
    col, dark = m.plain(tint(rnd, PAINTS, .15), .5, vary=.2, scale=5), m.plain((.03, .03, .03), .8)
    tilt = math.radians(rnd.uniform(15, 45))
    ax = Vector((math.cos(tilt), 0, math.sin(tilt)))
    c = Vector((.1, 0, rnd.uniform(.85, 1.05)))
    s = rnd.uniform(.85, 1.3)
    stations = [(-.5, .16), (-.42, .34), (-.1, .46), (.12, .46), (.42, .28), (.52, .24), (.55, .26)]
    g.tube([c + ax * q * s for q, _ in stations], [r * s for _, r in stations], col, n=26, side=(0, 1, 0))
    mouth = c + ax * .555 * s
    g.tube([mouth, mouth + ax * .004], [.23 * s, .23 * s], dark, n=20, side=(0, 1, 0))
    g.tube([c + ax * .02, c + ax * .09], [.48 * s, .48 * s], dark, n=26, side=(0, 1, 0))
    rods([((x, y, .02), (.1, y * 1.05, c.z)) for x in (-.55, .6) for y in (-.5, .5)] + [((-.55, -.5, .3), (-.55, .5, .3)), ((.1, -.55, c.z), (.1, .55, c.z)), ((-.55, 0, .3), (.6, 0, .25))], .03, col)
    for y in (-.52, .52):
        fat_wheel((-.35, y, .22), .22, .08, dark, col)
    g.box((-.55, .1, .35), (.35, .45, .4), col, bevel=.03)
    hoop_y = .62
    rods([((.1 + .3 * math.cos(a), hoop_y, c.z + .3 * math.sin(a)), (.1 + .3 * math.cos(a + .8), hoop_y, c.z + .3 * math.sin(a + .8))) for a in [k * .785 for k in range(8)]], .014, dark)


def roller(rnd):
    """A road roller: two drums, a seat and a roof."""
    s, body = rnd.choice([.6, .8, 1.0]), m.plain(tint(rnd, PAINTS[:4], .1), .45, vary=.08, coat=.3)
    drum, dark = m.plain((.3, .29, .28), .4, .7, vary=.15), m.plain((.03, .03, .03), .8)
    for x in (-1.15 * s, 1.15 * s):
        g.tube([(x, -.65 * s, .55 * s), (x, .65 * s, .55 * s)], [.55 * s, .55 * s], drum, n=34)
        g.boxes([((x, y * .7 * s, .45 * s), (.9 * s, .06, .35 * s), 0) for y in (-1, 1)], body)
    g.box((-.9 * s, 0, .95 * s), (1.3 * s, 1.25 * s, .45 * s), body, bevel=.08 * s)
    g.box((.95 * s, 0, .95 * s), (1.1 * s, 1.2 * s, .4 * s), body, bevel=.1 * s)
    g.box((0, 0, .5 * s), (1.0 * s, .9 * s, .5 * s), dark)
    g.box((-.1 * s, 0, 1.3 * s), (.45 * s, .5 * s, .45 * s), dark, bevel=.06 * s)
    rods([((x, y, 1.2 * s), (x, y, 2.35 * s)) for x in (-.6 * s, .5 * s) for y in (-.55 * s, .55 * s)], .035 * s, dark)
    if rnd.random() < .8:
        g.box((-.05 * s, 0, 2.33 * s), (1.5 * s, 1.3 * s, .08 * s), body, bevel=.03)
    rods([((.45 * s, 0, 1.3 * s), (.3 * s, 0, 1.75 * s))], .03, steel(rnd))


def machinery(rnd):
    """One machine; most are excavators."""
    k = rnd.random()
    with part("machinery"), g.placed((0, 0, 0)):
        if k < .22:
            with g.placed(scale=rnd.choice([.7, 1, 1, 1.3])):
                machines.excavator(tint(rnd, PAINTS, .12), rnd.uniform(-180, 180) if rnd.random() < .5 else rnd.gauss(0, 30))
        elif k < .6:
            digger(rnd)
        elif k < .78:
            loader(rnd)
        elif k < .9:
            mixer(rnd)
        else:
            roller(rnd)
