"""Building sites: material, scaffolds, fences and machines.

In: a seeded random. Out: one thing round the origin, z = 0, its front towards -y (machines: +x).
"""
import math

import objects as things
import wares
from kit import VIVID, Matrix, Vector, g, m, net, noise, part, rods, sheet, tint

NET_GREENS = [(.03, .22, .06), (.02, .16, .08), (.05, .28, .10), (.02, .10, .05)]


def mound(rnd, r, h, cols, stones=0):
    """A heap of loose stuff; stones lie on and round it."""
    col, seed, n, rows = tint(rnd, cols), rnd.uniform(0, 99), 60, 22
    mat = m.plain(col, .97, vary=rnd.uniform(.2, .4), scale=rnd.uniform(9, 26), bump=.9)
    stretch, lumps, verts = rnd.uniform(.6, 1), rnd.uniform(.04, .12), []
    for i in range(rows + 1):
        t = i / rows
        for j in range(n):
            a = 2 * math.pi * j / n
            v = Vector((math.cos(a), math.sin(a) * stretch, 0)) * r * t * (1 + .22 * noise.noise(Vector((math.cos(a), math.sin(a), seed)) * 1.6))
            v.z = max(0, h * (1 - t) ** 1.05 * (1 - .25 * max(0, .25 - t)) + lumps * noise.noise(v * 3 + Vector((0, 0, seed))) * (1 - t)) if i < rows else 0
            verts.append(v)
    faces = [(i * n + j, (i + 1) * n + j, (i + 1) * n + (j + 1) % n, i * n + (j + 1) % n) for i in range(rows) for j in range(n)]
    g.mesh(verts, faces, mat, smooth=True)
    lots = ([], [])
    for k in range(stones):
        t, a, s = rnd.random() ** .6 * 1.12, rnd.uniform(0, 6.28), rnd.uniform(.03, .09)
        lots[k % 2].append(((math.cos(a) * t * r, math.sin(a) * t * r * stretch, max(-.01, h * (1 - t) - s * .3)), (s, s * .8, s * .7), rnd.uniform(0, 90)))
    for lot in lots:
        if lot:
            g.boxes(lot, m.plain(tint(rnd, cols, .35), .95))
    return r, r * stretch


def rubble(rnd):
    """Broken concrete and brick, some with plaster and boards."""
    r, n = rnd.uniform(.6, 1.5), rnd.randrange(60, 160)
    mound(rnd, r, r * .35, [(.35, .33, .30), (.30, .24, .2)])
    cols = [(.40, .39, .37), (.38, .14, .08), (.5, .48, .44), (.28, .27, .26)]
    for c in cols[:rnd.randrange(2, 5)]:
        verts, faces = [], []
        for _ in range(n // 3):
            t, a, s = rnd.random() ** .7, rnd.uniform(0, 6.28), rnd.uniform(.08, .32)
            turn = Matrix.Rotation(rnd.uniform(0, 6), 3, "Z") @ Matrix.Rotation(rnd.uniform(-.9, .9), 3, "X")
            k = len(verts)
            verts += g.box_verts((math.cos(a) * t * r, math.sin(a) * t * r, r * .35 * (1 - t)), (s, s * rnd.uniform(.4, .9), s * rnd.uniform(.2, .5)), turn)
            faces += [tuple(q + k for q in f) for f in g.BOX_FACES]
        g.mesh(verts, faces, m.plain(tint(rnd, [c]), .95, vary=.2, scale=6))
    if rnd.random() < .4:
        for _ in range(rnd.randrange(2, 6)):
            g.box((rnd.uniform(-.5, .5) * r, rnd.uniform(-.5, .5) * r, r * .25), (rnd.uniform(.8, 1.8), .12, .03), m.plain((.45, .30, .16), .9, vary=.2), turn_deg=rnd.uniform(0, 180), tilt_deg=rnd.uniform(-25, 25))


def pipes(rnd):
    """Pipes in a pyramid, along x."""
    r, ln, n = rnd.choice([.05, .08, .11, .16, .25]), rnd.uniform(1.5, 4), rnd.randrange(3, 7)
    mat = m.plain(tint(rnd, [(.5, .5, .5), (.62, .62, .6), (.55, .20, .02), (.03, .03, .03), (.22, .12, .08), (.05, .25, .5), (.42, .40, .37)]), .55, vary=.12)
    for row in range(n):
        for k in range(n - row):
            y, z, e = (k - (n - row - 1) / 2) * r * 2.03, r + row * r * 1.74, rnd.uniform(-.06, .06)
            g.loft([[Vector((x, y + math.cos(a) * q, z + math.sin(a) * q)) for a in (2 * math.pi * i / 16 for i in range(16))]
                    for x, q in ((-ln / 2 + e, r * .86), (-ln / 2 + e, r), (ln / 2 + e, r), (ln / 2 + e, r * .86))], mat, caps=False, smooth=False)
    g.box((0, 0, r), (ln * .97, r * 2 * n * .6, .02), m.plain((.01, .01, .01), 1))


def blocks(rnd):
    """Pale blocks, kerbs or boxed tiles on pallets."""
    s = rnd.choice([(.6, .24, .2), (.4, .2, .2), (.5, .15, .3), (.8, .8, .02), (.4, .4, .25)])
    cols = [(.5, .5, .48), (.62, .61, .58), (.38, .37, .35), (.42, .28, .15)]
    col, nz = tint(rnd, cols), rnd.randrange(2, 7)
    nx, ny = max(1, int(rnd.uniform(.8, 1.6) / s[0])), max(1, int(rnd.uniform(.7, 1.3) / s[1]))
    lots = ([], [])
    for z in range(nz if s[2] > .1 else nz * 5):
        for x in range(nx):
            for y in range(ny):
                if z < nz - 1 or rnd.random() < .7:
                    lots[rnd.randrange(2)].append((((x - nx / 2 + .5) * s[0] * 1.02, (y - ny / 2 + .5) * s[1] * 1.03, .1 + z * s[2] * 1.01), (s[0] * .99, s[1] * .97, s[2]), rnd.uniform(-1, 1)))
    for k, lot in enumerate(lots):
        if lot:
            g.boxes(lot, m.plain(tuple(v * (1 - .1 * k) for v in col), .92, vary=.1))
    g.boxes([((0, y, 0), (nx * s[0], .1, .1), 0) for y in (-.3, 0, .3)], m.plain((.34, .23, .12), .9))


def boards(rnd):
    """Formwork sheets, flat or leaning on each other."""
    n, col = rnd.randrange(6, 24), tint(rnd, [(.25, .12, .07), (.45, .30, .16), (.12, .08, .06)])
    mat = m.plain(col, .7, vary=.2)
    g.boxes([((rnd.gauss(0, .03), rnd.gauss(0, .03), .08 + k * .02), (1.83, .92, .017), rnd.gauss(0, 1.5)) for k in range(n)], mat)
    g.boxes([((x, 0, 0), (.1, .9, .08), 0) for x in (-.7, .7)], m.plain((.4, .28, .15), .9))


def _one(rnd):
    """One sort of material; returns about how far it reaches."""
    k = rnd.randrange(11)
    if k in (0, 1):
        return mound(rnd, rnd.uniform(.7, 1.9), rnd.uniform(.45, 1.1), [(.46, .34, .19), (.50, .40, .26), (.38, .27, .16), (.35, .33, .30)])[0]
    if k == 2:
        return mound(rnd, rnd.uniform(.7, 1.6), rnd.uniform(.4, .9), [(.36, .36, .35), (.27, .27, .27), (.42, .40, .36)], rnd.randrange(80, 220))[0]
    if k == 3:
        for q in range(rnd.randrange(1, 4)):
            with g.placed((q * 1.35, rnd.uniform(-.15, .15), 0), rnd.uniform(-6, 6)):
                things.brick_stack(rnd.randrange(3, 6), rnd.randrange(4, 8), rnd.randrange(5, 14), rnd.randrange(999))
        return 1.0
    if k == 4:
        things.timber(rnd.randrange(999), rnd.uniform(1.8, 4))
        return 1.2
    if k == 5:
        for q in range(rnd.randrange(1, 4)):
            with g.placed((0, q * .35, 0), rnd.uniform(-4, 4)):
                things.rebar(rnd.uniform(2.5, 5), rnd.randrange(999))
        return 1.3
    if k == 6:
        for q in range(rnd.randrange(1, 3)):
            with g.placed((q * 1.5, rnd.uniform(-.1, .1), 0), rnd.uniform(-10, 10)):
                things.cement_bags(rnd.randrange(999))
        return 1.0
    (rubble, pipes, blocks, boards)[k - 7](rnd)
    return 1.2


def material_pile(rnd):
    """Material dumped on the way: one sort, several, or a heap under a green net."""
    how = rnd.random()
    with part("material_pile"):
        if how < .2:
            r, h = rnd.uniform(.9, 2.3), rnd.uniform(.5, 1.2)
            if rnd.random() < .5:
                mound(rnd, r * .85, h * .9, [(.46, .34, .19), (.35, .33, .30)])
            col = tint(rnd, NET_GREENS) if rnd.random() < .8 else tint(rnd, [(.02, .02, .02), (.03, .12, .35)])
            off, flat, humps = Vector((rnd.uniform(0, 9), rnd.uniform(0, 9), 0)), rnd.uniform(1.2, 3.5), rnd.uniform(.1, .3)

            def f(u, v):
                a, t = 2 * math.pi * u, v
                at = Vector((math.cos(a) * t, math.sin(a) * t, 0))
                n, fine = noise.noise(at * 2.2 + off), noise.noise(at * 9 + off)
                rr = r * t * (1.05 + .2 * noise.noise(Vector((math.cos(a) * 1.4, math.sin(a) * 1.4, 5)) + off) + .03 * math.sin(a * 13 + 9 * n) * t)
                lift = (1 - t ** flat) * (1 + humps * 2 * n) + .07 * fine * (1 - t * .5) + .02 * noise.noise(at * 25 + off)
                return rr * math.cos(a), rr * math.sin(a) * .8, max(.012 + .01 * abs(fine), h * lift + .03)
            sheet(f, 96, 30, net(col, rnd.choice([.02, .1, .25])))
            for _ in range(rnd.randrange(0, 9)):
                a = rnd.uniform(0, 6.28)
                g.box((math.cos(a) * r * .9, math.sin(a) * r * .72, .035), (.24, .115, .06), m.plain((.38, .12, .07), .9), turn_deg=rnd.uniform(0, 180))
        elif how < .6:
            _one(rnd)
        else:
            x = 0
            for _ in range(rnd.randrange(2, 5)):
                with g.placed((x, rnd.uniform(-.8, .8), 0), rnd.uniform(0, 180) if rnd.random() < .5 else rnd.uniform(-15, 15)):
                    x += _one(rnd) * rnd.uniform(1.1, 1.6)
            if rnd.random() < .3:
                with g.placed((x * .5, -.9, 0)):
                    wares.tarp(rnd, 1.6, 1.1, .5, net(tint(rnd, NET_GREENS), .05), .4)


def scaffold(rnd):
    """Tubes in bays and storeys with planks, braces and, on some, a net or a wall behind."""
    bays, floors = rnd.randrange(1, 5), rnd.randrange(1, 4)
    bw, fh, d = rnd.uniform(1.2, 2.1), rnd.uniform(1.6, 1.95), rnd.uniform(.75, 1.3)
    metal = m.plain(tint(rnd, [(.5, .5, .5), (.25, .12, .07), (.60, .42, .03), (.03, .15, .4), (.5, .06, .03), (.35, .35, .36)]), .5, .4, vary=.2)
    w, top = bays * bw, floors * fh
    with part("scaffold"):
        xs, bars = [(k - bays / 2) * bw for k in range(bays + 1)], []
        rail = top + rnd.uniform(.3, 1.2)
        for x in xs:
            for y in (-d / 2, d / 2):
                bars.append(((x, y, 0), (x, y, rail)))
            bars += [((x, -d / 2, z), (x, d / 2, z)) for z in [fh * (f + 1) for f in range(floors)] + [.2]]
        for f in range(floors):
            z = fh * (f + 1)
            bars += [((-w / 2 - .15, y, z), (w / 2 + .15, y, z)) for y in (-d / 2, d / 2)]
            if f == floors - 1 or rnd.random() < .5:
                bars += [((-w / 2, -d / 2, z + q), (w / 2, -d / 2, z + q)) for q in (.5, 1.0) if z + q <= rail + .05]
            for k in range(bays):
                if rnd.random() < .6:
                    a, b = (xs[k], xs[k + 1]) if rnd.random() < .5 else (xs[k + 1], xs[k])
                    bars.append(((a, -d / 2 - .03, z - fh + .1), (b, -d / 2 - .03, z)))
                    if rnd.random() < .5:
                        bars.append(((b, -d / 2 - .03, z - fh + .1), (a, -d / 2 - .03, z)))
        rods(bars, rnd.uniform(.022, .03), metal, 7)
        plank = m.plain(tint(rnd, [(.45, .31, .17), (.5, .5, .5), (.5, .42, .2), (.35, .25, .15)]), .8, vary=.2)
        lot = [((x + bw / 2, (q - 1) * d / 3.2, fh * (f + 1) + .03), (bw * 1.04, d / 3.5, .04), 0) for f in range(floors) for x in xs[:-1] if rnd.random() < .75 for q in range(3)]
        if lot:
            g.boxes(lot, plank)
        g.boxes([((x, y, 0), (.14, .14, .015), 0) for x in xs for y in (-d / 2, d / 2)], metal)
        if rnd.random() < .35:
            mat, z0 = net(tint(rnd, NET_GREENS + [(.03, .12, .40)]), rnd.uniform(.05, .35)), fh * rnd.choice([0, 0, 1]) if floors > 1 else 0
            cover = w if rnd.random() < .6 else bw * max(1, bays - 1)
            sheet(lambda u, v: (-w / 2 + cover * u, -d / 2 - .06 - .03 * math.sin(u * 30 + v * 5), z0 + .1 + (rail - z0 - .1) * v), 40, 10, mat)
    if rnd.random() < .3:
        with part(None):
            g.box((0, d / 2 + .45, 0), (w + rnd.uniform(.6, 2), .2, rail + rnd.uniform(-.2, .8)), m.plain(tint(rnd, [(.5, .48, .44), (.42, .30, .22), (.58, .56, .52), (.3, .3, .3)]), .9, vary=.15, scale=2))
    if rnd.random() < .25:
        from vendors import somebody
        somebody(rnd, (rnd.uniform(-.4, .4) * w, rnd.choice([-d / 2 - .5, 0]), 0), rnd.uniform(0, 360))


def _corrugated(x0, x1, h, mat, z0=0.0, pitch=.2):
    n = max(8, int((x1 - x0) / pitch * 6))
    prof = [0, .03, .03, .03, 0, 0]
    sheet(lambda u, v: (x0 + (x1 - x0) * u, -prof[int(round(u * n)) % 6], z0 + (h - z0) * v), n, 1, mat, smooth=False)


def _fence(rnd, n, pw, h, style):
    """A straight run of n panels along x from 0."""
    blue_green = [(.03, .14, .42), (.03, .20, .50), (.03, .26, .12), (.05, .30, .18), (.55, .55, .53)]
    col = tint(rnd, blue_green if style == "sheet" else [(.62, .62, .60), (.58, .60, .60), (.05, .28, .10)], .12)
    mat, frame = m.plain(col, .45, vary=.06, scale=1.5), m.plain(rnd.choice([(.6, .6, .58), (.45, .45, .46), tuple(v * .6 for v in col), (.5, .04, .03)]), .5)
    foot = rnd.random()
    z0 = .06 if foot < .5 else .3
    for k in range(n):
        with g.placed((k * pw, 0, 0), 0):
            if style == "sheet":
                _corrugated(.03, pw - .03, h, mat, z0, rnd.choice([.2, .25]))
                sheet(lambda u, v: (.03 + (pw - .06) * u, .012, z0 + (h - z0) * v), 1, 1, mat)
            else:
                g.box((pw / 2, 0, z0), (pw - .05, .04, h - z0), mat)
                if style == "mesh":
                    continue
            g.boxes([((pw / 2, -.02, h - .02), (pw, .07, .07), 0), ((pw / 2, -.02, z0), (pw, .07, .06), 0), ((0, 0, 0), (.08, .09, h + .08), 0), ((pw, 0, 0), (.08, .09, h + .08), 0)], frame)
            if rnd.random() < .2:
                g.box((pw / 2, -.06, h * .4), (pw * .6, .01, h * .35), m.plain(tint(rnd, VIVID + [(.62, .6, .55)]), .6, vary=.4, scale=7))
    if foot >= .5:
        dark = m.plain(rnd.choice([(.38, .37, .35), (.5, .5, .48)]), .9, vary=.1)
        g.box((n * pw / 2, 0, 0), (n * pw, .22, .3), dark)
        if foot > .75:
            g.boxes([((q * .6 + .15, -.112, 0), (.3, .006, .3), 0) for q in range(int(n * pw / .6))], m.plain((.60, .42, .02), .6))


def _mesh_fence(rnd, n, pw, h):
    """Wire panels in a coloured frame."""
    mat = m.plain(tint(rnd, [(.62, .20, .01), (.60, .42, .03), (.55, .05, .03), (.05, .3, .12), (.6, .6, .6)]), .5)
    for k in range(n):
        x = k * pw
        rods([((x + .03, 0, .12), (x + .03, 0, h)), ((x + pw - .03, 0, .12), (x + pw - .03, 0, h)), ((x + .03, 0, h), (x + pw - .03, 0, h)), ((x + .03, 0, .15), (x + pw - .03, 0, .15))], .02, mat)
        rods([((x + .03 + (pw - .06) * q / 16, 0, .15), (x + .03 + (pw - .06) * q / 16, 0, h)) for q in range(1, 16)], .005, mat, 4)
        g.box((x + pw / 2, 0, h * .55), (pw - .1, .01, .2), m.plain((.6, .6, .58), .6))
        g.boxes([((x + .03, 0, 0), (.25, .5, .12), 0)], m.plain((.4, .4, .38), .9))


def water_barrier(rnd, col, ln=1.5, h=.8):
    """A moulded barrier filled with water."""
    mat = m.plain(col, .45, vary=.06)
    outline = [(-.22, 0), (.22, 0), (.22, .12), (.12, .3), (.08, h), (-.08, h), (-.12, .3), (-.22, .12)]
    g.loft([[Vector((x, y * q, z)) for y, z in outline] for x, q in ((-ln / 2, .9), (-ln / 2 + .06, 1), (ln / 2 - .06, 1), (ln / 2, .9))], mat, smooth=False)
    dark = m.plain(tuple(v * .5 for v in col), .6)
    for s in (-1, 1):
        g.boxes([((x, s * .105, h * .55), (.3, .03, .14), 0) for x in (-ln * .25, ln * .25)], dark)
        g.box((0, s * .115, h * .42), (ln * .2, .02, .1), m.plain((.65, .65, .62), .4))


def hoarding(rnd):
    """A site fence: sheet, white panel or mesh, straight or round a corner; or a row of barriers."""
    k = rnd.random()
    with part("hoarding"):
        if k < .62:
            style = "sheet" if rnd.random() < .68 else "panel"
            n, pw, h = rnd.randrange(2, 7), rnd.uniform(1.2, 3.0), rnd.uniform(1.7, 2.6)
            with g.placed((-n * pw / 2, 0, 0)):
                state = rnd.getstate()
                _fence(rnd, n, pw, h, style)
                if rnd.random() < .3:
                    same = type(rnd)()
                    same.setstate(state)
                    with g.placed((0, 0, 0), rnd.choice([90, 90, 60])):
                        _fence(same, rnd.randrange(1, 4), pw, h, style)
        elif k < .74:
            n, pw, h = rnd.randrange(2, 6), rnd.uniform(1.5, 2.2), rnd.uniform(1.1, 1.9)
            with g.placed((-n * pw / 2, 0, 0)):
                _mesh_fence(rnd, n, pw, h)
        elif k < .92:
            n, bend = rnd.randrange(2, 7), rnd.uniform(-8, 8)
            cols = [tint(rnd, [(.62, .16, .01), (.55, .04, .03), (.6, .4, .03)]), (.64, .64, .61)]
            x, y, a, ln = 0.0, 0.0, 0.0, rnd.choice([1.2, 1.5, 2.0])
            for q in range(n):
                with g.placed((x, y, 0), a):
                    water_barrier(rnd, cols[q % 2 if rnd.random() < .97 else 0], ln, rnd.uniform(.8, .82))
                a += bend
                x, y = x + math.cos(math.radians(a)) * ln * 1.02, y + math.sin(math.radians(a)) * ln * 1.02
        else:
            for q in range(rnd.randrange(2, 5)):
                with g.placed((q * 2.1, rnd.uniform(-.1, .1), 0), rnd.uniform(-5, 5)):
                    things.barrier()
