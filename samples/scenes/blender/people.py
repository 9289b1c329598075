"""People and what they carry, posed by a few angles.

In: a `Look` (colours, build, hair, hat, load) and a pose (angles in degrees, forward = +y,
feet at z = 0). Out: the person's objects in the current group. A walk is `walk_pose(phase)`
with the phase 0..1 over two steps. Nobody is modelled on anybody.
"""
import math
from dataclasses import dataclass, field

from mathutils import Matrix, Vector

import geometry as g
import materials as m

STRIDE_M = 1.36  # ground covered by one full cycle (two steps)


@dataclass
class Look:
    shirt: tuple = (0.2, 0.3, 0.5)
    trousers: tuple = (0.05, 0.06, 0.09)
    shoes: tuple = (0.03, 0.03, 0.03)
    skin: tuple = (0.55, 0.33, 0.22)
    hair: tuple = (0.012, 0.01, 0.009)
    long_hair: bool = False
    long_sleeves: bool = False
    skirt: tuple = None
    hat: str = ""  # "", "cap", "straw"
    hat_col: tuple = (0.6, 0.45, 0.2)
    apron: tuple = None
    load: str = ""  # "", "backpack", "handbag", "umbrella"
    load_col: tuple = (0.1, 0.15, 0.4)
    height: float = 1.70
    girth: float = 1.0


@dataclass
class Pose:
    """Angles of hip, knee, shoulder and elbow, left then right; lean and head turn."""
    hip: tuple = (2, -2)
    knee: tuple = (4, 4)
    shoulder: tuple = (4, 2)
    elbow: tuple = (12, 12)
    spread: tuple = (7, 7)
    lean: float = 2.0
    twist: float = 0.0
    head_turn: float = 0.0
    head_nod: float = 0.0


def walk_pose(phase, look=Look()):
    def leg(a):
        return 24 * math.cos(a) + 2, 7 + 52 * max(0.0, -math.sin(a + 0.35)) ** 1.3
    a = 2 * math.pi * phase
    (h0, k0), (h1, k1) = leg(a), leg(a + math.pi)
    s = 22 * math.cos(a)
    shoulder, elbow, spread = (-s + 3, s + 3), (20 - s * 0.4, 20 + s * 0.4), (6, 6)
    if look.load == "umbrella":
        shoulder, elbow, spread = (-s * 0.6, 22), (18, 112), (6, 2)
    return Pose((h0, h1), (k0, k1), shoulder, elbow, spread, lean=4, twist=-5 * math.cos(a))


def mix(a, b, t):
    """The pose between two poses."""
    def one(x, y):
        return tuple(p + (q - p) * t for p, q in zip(x, y)) if isinstance(x, tuple) else x + (y - x) * t
    return Pose(**{k: one(getattr(a, k), getattr(b, k)) for k in Pose.__dataclass_fields__})


def _swing(length, deg, out_deg=0.0):
    """A bone hanging down, swung forward by `deg` and sideways by `out_deg`."""
    a, o = math.radians(deg), math.radians(out_deg)
    return Vector((math.sin(o) * math.cos(a), math.sin(a), -math.cos(a) * math.cos(o))) * length


def _oval(c, rx, ry, n=14, tilt=Matrix.Identity(3)):
    return [Vector(c) + tilt @ Vector((rx * math.cos(t), ry * math.sin(t), 0))
            for t in (2 * math.pi * i / n for i in range(n))]


def person(look, pose):
    k = look.height / 1.70
    skin = m.plain(look.skin, rough=0.55, spec=0.3)
    shirt, trousers = m.cloth(look.shirt), m.cloth(look.trousers)
    hair = m.plain(look.hair, rough=0.5, vary=0.4, scale=40, bump=0.6)
    shoes = m.plain(look.shoes, rough=0.5)
    gi = look.girth
    thigh, shin, ankle = 0.42, 0.41, 0.085
    low = 0.0
    legs = []
    for i, sx in ((0, -1), (1, 1)):
        hip = Vector((sx * 0.088, 0, 0))
        knee = hip + _swing(thigh, pose.hip[i], sx * 2.0)
        foot_a = pose.hip[i] - pose.knee[i]
        heel = knee + _swing(shin, foot_a)
        legs.append((hip, knee, heel, foot_a, sx))
        low = min(low, heel.z - ankle + min(0, -0.1 * math.sin(math.radians(foot_a))) * 0.3)
    pelvis = Vector((0, 0, -low))
    with g.placed((0, 0, 0), 0, k):
        for hip, knee, heel, foot_a, sx in legs:
            h, kn, he = hip + pelvis, knee + pelvis, heel + pelvis
            mid = (h + kn) / 2 + Vector((0, 0.012, 0))
            calf = kn + (he - kn) * 0.32 + Vector((0, -0.016, 0))
            leg_mat = trousers if look.skirt is None else skin
            g.tube([h + Vector((0, 0, 0.05)), h, mid, kn, calf, he + (kn - he) * .06, he - (kn - he) * .12],
                   [0.098 * gi, 0.096 * gi, 0.08 * gi, 0.063, 0.062, 0.05, .046], leg_mat, n=12, subsurf=1)
            t = Matrix.Rotation(math.radians(max(-32.0, min(28.0, foot_a * 0.7))), 3, "X")
            sole = [he + t @ Vector((x, y, z)) for y, w, top in
                    ((-0.075, .036, -.01), (-.03, .044, .035), (.06, .046, .0), (.14, .048, -.03), (.185, .03, -.045))
                    for x, z in ((-w, -.082), (w, -.082), (w, top), (-w, top))]
            g.loft([sole[4 * q:4 * q + 4] for q in range(5)], shoes, subsurf=2)
        # trunk: pelvis in trousers, above it the shirt, bent forward by the lean
        lean = Matrix.Rotation(math.radians(-pose.lean), 3, "X")
        tw = lean @ Matrix.Rotation(math.radians(pose.twist), 3, "Z")

        def at(z, y=0.0, x=0.0):
            return pelvis + tw @ Vector((x, y, z))
        g.loft([_oval(pelvis + Vector((0, 0, z)), rx * gi, ry * gi) for z, rx, ry in
                ((-.07, .13, .10), (-.02, .168, .122), (.06, .165, .12), (.13, .148, .11))],
               trousers, subsurf=1)
        hem = -0.06 if look.skirt is None else 0.05
        g.loft([_oval(at(z, y), rx * gi ** 0.7, ry * gi, tilt=tw) for z, y, rx, ry in
                ((hem, 0, .178, .132), (.06, .0, .17, .125), (.17, .005, .155, .112), (.30, .01, .172, .122),
                 (.42, .005, .186, .122), (.485, -.005, .18, .10), (.525, -.012, .125, .078), (.55, -.014, .07, .06))],
               shirt, subsurf=1)
        if look.skirt is not None:
            sw = (legs[0][1].y - legs[1][1].y)
            g.loft([_oval(pelvis + Vector((0, 0, z)), rx, ry) for z, rx, ry in
                    ((.12, .152, .118), (0, .185, .14), (-.25, .20, .15 + abs(sw) * .28), (-.5, .215, .16 + abs(sw) * .5))],
                   m.cloth(look.skirt), caps=False, subsurf=1)
        if look.apron is not None:
            g.loft([[at(z, y, x) for x, y in ((-w, .125 + e), (-w * .4, .142 + e), (w * .4, .142 + e), (w, .125 + e),
                                             (w, .12 + e), (-w, .12 + e))]
                    for z, w, e in ((-.35, .17, .03), (-.1, .17, .005), (.15, .14, .0), (.40, .10, .0))],
                   m.cloth(look.apron))
        g.tube([at(.52, -.01), at(.63, .008)], [.056, .052], skin, n=10, subsurf=1)
        head = at(.735, .02)
        hr = tw @ Matrix.Rotation(math.radians(pose.head_turn), 3, "Z") @ Matrix.Rotation(math.radians(-pose.head_nod), 3, "X")
        g.ellipsoid(head, (.076, .096, .12), skin, turn=hr)
        g.ellipsoid(head + hr @ Vector((0, .092, -.02)), (.014, .022, .02), skin, rows=6, n=8, turn=hr)
        for sx in (-1, 1):
            g.ellipsoid(head + hr @ Vector((sx * .078, -.004, -.01)), (.012, .02, .03), skin, rows=6, n=8, turn=hr)
            g.ellipsoid(head + hr @ Vector((sx * .03, .087, .012)), (.013, .008, .008), hair, rows=4, n=8, turn=hr)
        drop = -0.75 if look.long_hair else -0.28
        g.ellipsoid(head + hr @ Vector((0, -.012, .014)), (.089, .104, .128), hair, rows=14, n=20, turn=hr,
                    keep=lambda x, y, z: z > .42 or (y < .12 and z > drop))
        if look.long_hair:
            g.ellipsoid(head + hr @ Vector((0, -.07, -.12)), (.078, .045, .14), hair, turn=hr)
        if look.hat == "cap":
            g.ellipsoid(head + hr @ Vector((0, -.008, .03)), (.095, .112, .115), m.cloth(look.hat_col), turn=hr,
                        keep=lambda x, y, z: z > 0.1)
            g.ellipsoid(head + hr @ Vector((0, .12, .045)), (.075, .075, .012), m.cloth(look.hat_col), turn=hr)
        elif look.hat == "straw":
            hat = m.plain(look.hat_col, rough=.9, vary=.25, scale=60, bump=.5)
            g.ellipsoid(head + hr @ Vector((0, -.005, .06)), (.20, .21, .022), hat, turn=hr)
            g.ellipsoid(head + hr @ Vector((0, -.005, .06)), (.10, .115, .10), hat, turn=hr, keep=lambda x, y, z: z > 0)
        for i, sx in ((0, -1), (1, 1)):
            sh = at(.475, -.005, sx * .192 * gi ** .7)
            el = sh + tw @ _swing(.29, pose.shoulder[i], sx * pose.spread[i])
            wr = el + tw @ _swing(.25, pose.shoulder[i] + pose.elbow[i], -sx * 4)
            half = sh + (el - sh) * .75
            if look.long_sleeves:
                g.tube([sh + (at(.49) - sh) * .3, sh, el, wr, wr + (wr - el) * .16], [.06, .064, .050, .038, .036], shirt, subsurf=1)
            else:
                g.tube([half, el, wr, wr + (wr - el) * .25], [.042, .042, .03, .026], skin, subsurf=1)
                g.tube([sh + (at(.49) - sh) * .3, sh, half, half + (half - sh) * .2], [.06, .066, .058, .055], shirt, subsurf=1)
            hand = wr + (wr - el).normalized() * .07
            g.ellipsoid(hand, (.026, .036, .05), skin, rows=8, n=10)
            if look.load == "handbag" and i == 1:
                g.tube([hand, hand + Vector((0, 0, -.16))], [.008, .008], m.plain(look.load_col), n=6)
                g.box(hand + Vector((0, 0, -.42)), (.10, .30, .26), m.plain(look.load_col, rough=.5), bevel=.03)
            if look.load == "umbrella" and i == 1:
                top = Vector((hand.x - .07, hand.y - .10, 2.10))
                g.tube([hand + Vector((0, 0, -.1)), top], [.010, .008], m.plain((.3, .3, .3), .3, 1.0), n=6)
                canopy(top, .62, .30, [look.load_col, tuple(min(1, .25 + c) for c in look.load_col)], n=8)
        if look.load == "backpack":
            c = at(.2, -.19)
            g.blob(c + Vector((0, 0, -.02)), (.15, .09, .24), m.cloth(look.load_col), 3, rough=.06, knot=False)


def canopy(top, radius, drop, cols, n=8, valance=0.0):
    """An umbrella's cloth: sagging panels between n ribs, `cols` in turn, tip at `top`."""
    mats = [m.plain(c, rough=.75, vary=.06, scale=3, spec=.25) for c in cols]
    rows, sub = 6, 4
    verts, faces, fm = [Vector(top)], [], []
    cnt = n * sub
    for r in range(1, rows + 1 + bool(valance)):
        t = min(r, rows) / rows
        for j in range(cnt):
            a = 2 * math.pi * j / cnt
            f = (j % sub) / sub
            sag = 4 * f * (1 - f)
            rr = radius * t * (1 - .075 * sag * t)
            z = -drop * (t ** 1.55) + .035 * radius * sag * t
            if r > rows:
                z -= valance * (1 - .35 * sag)
            verts.append(Vector(top) + Vector((rr * math.cos(a), rr * math.sin(a), z)))
    for j in range(cnt):
        faces.append((0, 1 + j, 1 + (j + 1) % cnt))
        fm.append((j // sub) % len(mats))
    for r in range(rows - 1 + bool(valance)):
        for j in range(cnt):
            b = 1 + r * cnt
            faces.append((b + j, b + cnt + j, b + cnt + (j + 1) % cnt, b + (j + 1) % cnt))
            fm.append((j // sub) % len(mats))
    return g.mesh(verts, faces, mats, fm, smooth=True)
