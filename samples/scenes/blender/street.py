"""The street itself: road, curb, footway, shop fronts, trees and lamps.

World axes in metres: x along the street, y across it, z up. The footway's surface is z = 0 and
runs over |y| <= 2.4; the road lies 12 cm lower at y < -2.4; shop fronts stand at y = 2.4.
In: a style (colours and seed). Out: objects in the group "street".
"""
import math
import random

import bpy
from mathutils import Vector, noise

import geometry as g
import materials as m

HALF_FOOTWAY_M = 2.4
CURB_M = 0.12
ROAD_M = 8.4

PALETTES = {
    "brick": dict(wall=((.36, .17, .12), (.30, .13, .095)), sign=[(.5, .03, .03), (.02, .12, .32), (.03, .25, .10)]),
    "cream": dict(wall=((.62, .55, .43), (.57, .50, .39)), sign=[(.02, .2, .33), (.6, .32, .02), (.42, .02, .05)]),
    "grey": dict(wall=((.36, .37, .38), (.31, .32, .33)), sign=[(.5, .06, .02), (.02, .22, .2), (.12, .05, .3)]),
    "white": dict(wall=((.68, .67, .64), (.63, .62, .60)), sign=[(.02, .25, .12), (.55, .05, .03), (.03, .1, .4)]),
}
NAMES = ["TEA HOUSE", "NOODLES", "PHARMACY", "HARDWARE", "BAKERY", "PHONE  24H", "FRUIT  MARKET", "PHOTO PRINT",
         "FLOWERS", "BOOKS", "TAILOR", "DUMPLINGS"]


def build(style):
    rnd = random.Random(style["seed"])
    pal = PALETTES[style["palette"]]
    _ground(style)
    _marks(style, rnd)
    _fronts(style, rnd, pal, y=HALF_FOOTWAY_M, facing=-1, span=(-34, 34))
    if style.get("far_side", True):
        y = -HALF_FOOTWAY_M - ROAD_M - 3.2
        far = PALETTES[style.get("far_palette", "grey")]
        with g.group("far"):
            _fronts(style, rnd, far, y=y, facing=1, span=(-44, 60))
    for x, y, s in style.get("trees", []):
        tree(x, y, s, rnd.randrange(999))
    for x in style.get("lamps", []):
        lamp(x, -2.05)
    for x in style.get("bollards", []):
        g.tube([(x, -2.1, 0), (x, -2.1, .78), (x, -2.1, .82)], [.06, .06, .035], m.plain((.35, .35, .33), .6), n=14)
        g.tube([(x, -2.1, .58), (x, -2.1, .68)], [.063, .063], m.plain((.7, .45, .02), .5), n=14)


def _ground(style):
    a = style.get("asphalt", .075)
    road = m.worn((a * .7,) * 3, (a * 1.35, a * 1.35, a * 1.4))
    g.mesh([(x, y, -CURB_M) for x, y in ((-70, -40), (70, -40), (70, -HALF_FOOTWAY_M), (-70, -HALF_FOOTWAY_M))],
           [(0, 1, 2, 3)], road)
    c1, c2, size = style["paving"]
    pave = m.bricks(c1, c2, tuple(.55 * v for v in c2), size[0], size[1], gap_m=.008, offset=style.get("bond", .5))
    g.mesh([(x, y, 0) for x, y in ((-70, -2.3), (70, -2.3), (70, 2.4), (-70, 2.4))], [(0, 1, 2, 3)], pave)
    # a strip of ribbed yellow blocks for the blind, as on every Chinese footway
    strip = m.bricks((.52, .36, .07), (.47, .32, .06), (.2, .15, .05), .30, .30, gap_m=.008, offset=0)
    y = style.get("blind_strip", .7)
    g.mesh([(x, yy, .004) for x, yy in ((-70, y), (70, y), (70, y + .3), (-70, y + .3))], [(0, 1, 2, 3)], strip)
    curb = m.plain((.40, .40, .385), rough=.9, vary=.2, scale=5, bump=.2)
    stones = [((x + .5, -2.36, -CURB_M), (.985, .14, CURB_M + .012), 0) for x in range(-70, 70)]
    g.boxes(stones, curb, bevel=.012)
    g.mesh([(x, y, -CURB_M + .004) for x, y in ((-70, -2.72), (70, -2.72), (70, -2.43), (-70, -2.43))], [(0, 1, 2, 3)],
           m.worn((.16,) * 3, (.22,) * 3, fine=40))
    far = -HALF_FOOTWAY_M - ROAD_M
    g.mesh([(x, y, 0) for x, y in ((-70, far - 3.4), (70, far - 3.4), (70, far), (-70, far))], [(0, 1, 2, 3)], pave)
    g.boxes([((x + .5, far, -CURB_M), (.985, .14, CURB_M + .012), 0) for x in range(-70, 70)], curb, bevel=.012)


def _marks(style, rnd):
    white = m.plain((.62, .62, .58), rough=.8, vary=.35, scale=14)
    z = -CURB_M + .006
    mid = -HALF_FOOTWAY_M - ROAD_M / 2

    def strip(x0, x1, y0, y1):
        g.mesh([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], [(0, 1, 2, 3)], white)
    for x in range(-66, 66, 6):
        strip(x, x + 2.6, mid - .06, mid + .06)
    strip(-70, 70, -3.0, -2.88)
    for x in style.get("crossing", []):
        for k in range(10):
            y = -3.2 - k * .85
            strip(x - 1.8, x + 1.8, y - .42, y)
    iron = m.plain((.055, .05, .048), rough=.6, vary=.4, scale=30, bump=.8, metal=.4)
    for x, y in style.get("covers", []):
        g.disc((x, y, z + .002 if y < -2.4 else .006), .34, iron)
    dark = m.plain((.04, .04, .042), rough=.95, vary=.3, scale=20)
    for x, y, w, d in style.get("patches", []):
        g.mesh([(x - w, y - d, z - .003), (x + w, y - d, z - .003), (x + w, y + d, z - .003), (x - w, y + d, z - .003)],
               [(0, 1, 2, 3)], dark)


def _fronts(style, rnd, pal, y, facing, span):
    """A row of shops. `facing` is the sign of y towards which they look."""
    wall = m.bricks(pal["wall"][0], pal["wall"][1], tuple(.7 * v for v in pal["wall"][1]), .24, .075, gap_m=.006,
                    upright=True, stain=.2)
    plinth = m.plain((.2, .2, .2), rough=.7, vary=.25, scale=4)
    frame = [m.plain(c, rough=.45, metal=.5) for c in ((.10, .10, .11), (.35, .36, .37), (.09, .06, .045))]
    pane = m.glass()
    ledge = m.plain((.42, .41, .38), rough=.85, vary=.15, scale=4)

    def yy(d):
        return y + facing * d
    x, i = span[0], 0
    while x < span[1]:
        w = rnd.uniform(4.2, 6.2)
        fr = frame[rnd.randrange(3)]
        # openings: window left, door right; wall around them
        door_w, sill = 1.1, .45
        x0, x1 = x + .25, x + w - .25
        dx0 = x1 - door_w
        g.boxes([((x + .125, yy(-.15), 0), (.25, .3, 3.3), 0), ((x + w - .125, yy(-.15), 0), (.25, .3, 3.3), 0)], wall)
        g.box(((x0 + dx0) / 2, yy(-.15), 0), (dx0 - x0, .26, sill), plinth)
        g.box((x + w / 2, yy(-.15), 2.75), (w, .3, .55), wall)
        win_w = dx0 - x0
        g.box(((x0 + dx0) / 2, yy(-.2), sill), (win_w, .05, 2.75 - sill), pane)
        g.box(((dx0 + x1) / 2, yy(-.2), 0.02), (door_w, .05, 2.7), pane)
        bars = [((x0 + win_w * k / 3, yy(-.16), sill), (.06, .08, 2.75 - sill), 0) for k in range(4)]
        bars += [(((x0 + dx0) / 2, yy(-.16), z), (win_w, .08, .06), 0) for z in (sill, 2.69)]
        bars += [((dx0 + .03, yy(-.16), 0), (.07, .08, 2.75), 0), ((x1 - .03, yy(-.16), 0), (.07, .08, 2.75), 0),
                 (((dx0 + x1) / 2, yy(-.16), 0), (door_w, .08, .12), 0),
                 (((dx0 + x1) / 2 - .3, yy(-.12), .95), (.03, .05, .5), 0)]
        g.boxes(bars, fr)
        for k in range(rnd.randrange(1, 4)):  # posters behind the glass
            c = rnd.choice([(.5, .08, .05), (.55, .42, .1), (.1, .3, .45), (.6, .6, .56), (.08, .3, .15)])
            px, pz = x0 + win_w * rnd.uniform(.15, .85), sill + rnd.uniform(.3, 1.2)
            g.box((px, yy(-.165), pz), (rnd.uniform(.3, .7), .012, rnd.uniform(.35, .8)), m.plain(c, .6, vary=.35, scale=5))
        g.box((x + w / 2, yy(-.5), 0), (w, .05, 2.7), m.plain((.035, .03, .028), .9, vary=.5, scale=2.5))
        sign = pal["sign"][i % len(pal["sign"])] if rnd.random() < .85 else (.55, .55, .52)
        g.box((x + w / 2, yy(.06), 2.85), (w - .35, .16, .72), m.plain(sign, .5, vary=.08, scale=2), bevel=.02)
        _text(NAMES[(i + style["seed"]) % len(NAMES)], (x + w / 2, yy(.15), 3.0), .42, facing,
              m.plain((.75, .72, .6) if max(sign) < .5 or True else (.1, .1, .1), .5))
        g.box((x + w / 2, yy(-.4), 3.3), (w, .8, 7), wall)
        g.box((x + w / 2, yy(.02), 3.62), (w, .2, .12), ledge)
        for fl in (4.3, 7.3):
            for k in range(2):
                wx = x + w * (.28 + .44 * k)
                g.box((wx, yy(.01), fl), (1.35, .04, 1.5), pane)
                g.boxes([((wx + d, yy(.03), fl), (.06, .07, 1.5), 0) for d in (-.68, 0, .68)]
                        + [((wx, yy(.03), fl + z), (1.4, .07, .06), 0) for z in (0, 1.46)], frame[1])
                g.box((wx, yy(.09), fl - .1), (1.55, .22, .08), ledge)
            if rnd.random() < .6:
                g.box((x + w * .5, yy(.28), fl - .3), (.8, .32, .58), m.plain((.6, .6, .57), .6, vary=.1), bevel=.02)
        if rnd.random() < .45 and style.get("awnings", True):
            c = rnd.choice([(.42, .04, .04), (.04, .16, .10), (.05, .1, .26)])
            a, b = yy(.06), yy(.95)
            mats = [m.plain(c, .85), m.plain((.6, .58, .52), .85)]
            n = 10
            vs = [(x + .2 + (w - .4) * q / n, yv, z) for q in range(n + 1) for yv, z in ((a, 2.82), (b, 2.42), (b, 2.26))]
            fs, fm = [], []
            for q in range(n):
                for r in range(2):
                    fs.append((q * 3 + r, q * 3 + r + 1, q * 3 + r + 4, q * 3 + r + 3))
                    fm.append(q % 2)
            g.mesh(vs, fs, mats, fm)
        x += w
        i += 1


def _text(words, at, size, facing, mat):
    cu = bpy.data.curves.new("t", "FONT")
    cu.body, cu.size, cu.align_x, cu.extrude = words, size, "CENTER", .01
    cu.materials.append(mat)
    ob = bpy.data.objects.new("t", cu)
    ob.location = at
    ob.rotation_euler = (math.pi / 2, 0, 0 if facing < 0 else math.pi)
    bpy.context.scene.collection.objects.link(ob)
    g.GROUPS.setdefault("street", []).append(ob)


def tree(x, y, size, seed):
    """A street tree: trunk, a few boughs and some thousand leaves."""
    rnd = random.Random(seed)
    bark = m.plain((.13, .10, .075), .95, vary=.4, scale=14, bump=1)
    z0 = 0 if y > -2.4 else -CURB_M
    g.box((x, y, z0), (1.1, 1.1, .015), m.plain((.06, .045, .03), .95, vary=.4, scale=20, bump=.8))
    top = Vector((x + rnd.uniform(-.15, .15), y, 3.1 * size))
    g.tube([(x, y, z0), (x, y, 1.2), top], [.15 * size, .115 * size, .09 * size], bark, n=12)
    tips = []
    for k in range(7):
        a = 2 * math.pi * k / 7 + rnd.uniform(-.3, .3)
        tip = top + Vector((math.cos(a), math.sin(a), rnd.uniform(.7, 1.6))) * size * rnd.uniform(.8, 1.25)
        g.tube([top - Vector((0, 0, .3)), (top + tip) / 2 + Vector((0, 0, .1)), tip], [.06, .04, .015], bark, n=6)
        tips.append(tip)
    tips.append(top + Vector((0, 0, 1.8 * size)))
    verts, faces, fm = [], [], []
    for _ in range(int(5200 * size)):
        c = rnd.choice(tips) + Vector([rnd.gauss(0, .46 * size) for _ in range(3)])
        u = Vector([rnd.gauss(0, 1) for _ in range(3)]).normalized() * .085
        w = u.cross(Vector([rnd.gauss(0, 1) for _ in range(3)])).normalized() * .05
        k = len(verts)
        verts += [c - u, c + w, c + u, c - w]
        faces.append((k, k + 1, k + 2, k + 3))
        fm.append(rnd.randrange(3))
    leaf = [m.plain(c, .6, spec=.3) for c in ((.055, .13, .025), (.08, .17, .03), (.04, .095, .022))]
    g.mesh(verts, faces, leaf, fm)


def lamp(x, y):
    steel = m.plain((.19, .2, .2), .5, .6)
    g.tube([(x, y, 0), (x, y, .5), (x, y, 6.6)], [.10, .075, .05], steel, n=14)
    g.tube([(x, y, 6.5), (x, y - .8, 6.9), (x, y - 1.7, 6.95)], [.04, .035, .03], steel, n=8)
    g.box((x, y - 1.9, 6.88), (.25, .6, .1), steel, bevel=.03)
