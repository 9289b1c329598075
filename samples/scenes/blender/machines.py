"""Vehicles and an excavator.

In: paint colour and the current placement (front along +x, wheels on z = 0).
Out: objects in the current group.
"""
import math

from mathutils import Matrix, Vector

import geometry as g
import materials as m

# x, half width, bottom, belt, top, half width at the top
SEDAN = [(-2.28, .74, .38, .72, .78, .68), (-2.20, .83, .30, .88, .95, .74), (-1.72, .885, .24, .93, 1.03, .74),
         (-1.05, .90, .22, .95, 1.41, .60), (-.98, .90, .22, .95, 1.43, .60), (-.06, .905, .22, .94, 1.47, .61),
         (.02, .905, .22, .94, 1.465, .61), (.62, .90, .22, .93, 1.40, .61), (.70, .90, .22, .93, 1.37, .61),
         (1.36, .885, .22, .90, .985, .74), (2.02, .85, .24, .80, .86, .72), (2.22, .78, .28, .66, .72, .64),
         (2.30, .70, .34, .56, .60, .58)]
SEDAN_GLASS = {"side": (4, 6, 7), "rear": (2,), "front": (8,)}
VAN = [(-2.05, .78, .34, .95, 1.70, .70), (-1.98, .82, .28, 1.0, 1.84, .72), (-1.9, .83, .26, 1.0, 1.86, .72),
       (-.72, .84, .26, 1.0, 1.90, .73), (-.64, .84, .26, 1.0, 1.90, .73), (.42, .84, .26, 1.0, 1.88, .73),
       (.50, .84, .26, 1.0, 1.87, .73), (1.22, .835, .26, .98, 1.76, .70), (1.28, .835, .26, .98, 1.72, .70),
       (1.86, .80, .27, .92, 1.02, .72), (2.12, .74, .30, .70, .76, .64), (2.18, .70, .36, .58, .62, .6)]
VAN_GLASS = {"side": (2, 4, 6), "rear": (0,), "front": (8,)}


def car(col=(.45, .45, .46), kind="sedan"):
    st, gl = (SEDAN, SEDAN_GLASS) if kind == "sedan" else (VAN, VAN_GLASS)
    body, pane, dark = m.paint(col), m.glass((.012, .016, .018), .05), m.plain((.02, .02, .02), .6)
    rings = []
    for x, w, zb, belt, top, wt in st:
        half = [(w * .86, zb), (w, zb + .14), (w * 1.005, (zb + belt) / 2), (w * .975, belt), (wt, top - .035), (wt * .86, top), (0, top + .015)]
        pts = half + [(-y, z) for y, z in reversed(half[:-1])]
        rings.append([Vector((x, y, z)) for y, z in pts])
    n = len(rings[0])  # 13 points: faces 3 and 8 are the side glass, 4..7 the roof or screens
    fm = []
    for k in range(len(st) - 1):
        for i in range(n):
            is_glass = (i in (3, 8) and k in gl["side"]) or (i in (4, 5, 6, 7) and k in gl["front"] + gl["rear"])
            fm.append(1 if is_glass else 2 if i == n - 1 else 0)
    ob = g.loft(rings, [body, pane, dark], face_mats=fm)
    ob.data.use_auto_smooth, ob.data.auto_smooth_angle = True, math.radians(38)
    wx = (-1.36, 1.38) if kind == "sedan" else (-1.25, 1.38)
    hub = m.plain((.42, .42, .43), .35, .9)
    for x in wx:
        for s in (-1, 1):
            w = .905 if kind == "sedan" else .845
            g.tube([(x, s * (w - .30), .36), (x, s * (w + .006), .36)], [.385, .385], dark, n=26)
            g.tube([(x, s * (w - .22), .315), (x, s * (w - .02), .315), (x, s * (w + .015), .315)], [.315, .315, .29], m.plain((.025, .025, .025), .85), n=26)
            g.tube([(x, s * (w - .1), .315), (x, s * (w + .018), .315)], [.205, .195], hub, n=20)
            for q in range(5):
                a = 2 * math.pi * q / 5
                g.box((x + math.cos(a) * .12, s * (w + .018), .315 + math.sin(a) * .12 - .03), (.06, .008, .06), dark)
    f, r = st[-2], st[0]
    lens, red = m.plain((.7, .72, .75), .08, spec=.9), m.plain((.45, .01, .01), .2, spec=.7)
    for s in (-1, 1):
        g.box((f[0] - .06, s * .60, f[3] - .13), (.22, .26, .13), lens, bevel=.03, turn_deg=-s * 18)
        g.box((r[0] + .04, s * .62, r[3] - .08), (.12, .26, .17), red, bevel=.02)
        g.box((.82, s * .99, .93), (.12, .2, .14), body, bevel=.03)
        g.box((-.25, s * .903, .80), (.17, .02, .03), dark)
        g.box((.55, s * .903, .80), (.17, .02, .03), dark)
    plate = m.plain((.03, .12, .45), .5)
    g.box((f[0] + .065, 0, .40), (.02, .44, .13), plate)
    g.box((r[0] - .02, 0, .60), (.02, .44, .13), plate)
    g.box((f[0] + .05, 0, .52), (.04, .9, .12), dark)
    g.box((f[0] + .03, 0, .30), (.06, 1.2, .10), dark)


def excavator(col=(.62, .33, .015), swing_deg=25.0):
    """A tracked excavator of about 8 t, bucket on the ground in front."""
    yellow, black = m.plain(col, .45, vary=.08, scale=2, coat=.3), m.plain((.02, .02, .02), .7)
    steel, pane = m.plain((.14, .13, .12), .55, .7, vary=.3, scale=8), m.glass((.02, .03, .032), .06)
    rubber = m.plain((.03, .03, .03), .9, vary=.4, scale=12, bump=.6)
    for s in (-1, 1):
        y0, y1 = s * .55, s * 1.0
        outline = [(-1.25, .12), (-1.05, 0), (1.05, 0), (1.25, .12), (1.32, .36), (1.22, .58), (1.02, .68), (-1.02, .68), (-1.22, .58), (-1.32, .36)]
        g.prism(outline, y0, y1, rubber, bevel=.03)
        g.boxes([((x * .14 - 1.05, s * .775, -.005), (.06, .47, .02), 0) for x in range(16)] +
                [((x * .14 - 1.0, s * .775, .675), (.06, .47, .03), 0) for x in range(15)], black)
        for x in (-.95, -.55, -.18, .18, .55, .95):
            r = .26 if abs(x) > .9 else .13
            z = .34 if abs(x) > .9 else .16
            g.tube([(x, s * .97, z), (x, s * 1.03, z)], [r, r * .9], steel, n=16)
        g.prism([(-.8, .3), (.8, .3), (.8, .5), (-.8, .5)], s * .95, s * 1.02, yellow)
    g.box((0, 0, .3), (1.2, 1.1, .35), black)
    g.tube([(0, 0, .6), (0, 0, .84)], [.5, .5], steel, n=24)
    with g.placed((0, 0, .84), swing_deg):
        g.box((-.25, 0, 0), (2.3, 1.95, .16), steel, bevel=.03)
        g.prism([(-1.55, .16), (-1.2, .16), (-1.2, 1.05), (-1.42, 1.0), (-1.58, .75)], -.97, .97, yellow, bevel=.06)
        g.box((-.75, 0, .16), (1.1, 1.9, .82), yellow, bevel=.07)
        g.box((.35, -.55, .16), (1.1, .8, .55), yellow, bevel=.05)
        g.box((-.8, -.6, .98), (.5, .3, .06), black)
        g.tube([(-1.0, .5, .95), (-1.0, .5, 1.3)], [.05, .05], black, n=10)
        # cab: posts and panes on the left
        cx, cy, w, d, h = .35, .52, 1.15, .86, 1.55
        g.box((cx, cy, .16), (w, d, .5), yellow, bevel=.04)
        g.box((cx, cy, .64), (w - .05, d - .05, .98), pane, bevel=.03)
        posts = [((cx + sx * (w / 2 - .04), cy + sy * (d / 2 - .04), .6), (.08, .08, 1.05), 0) for sx in (-1, 1) for sy in (-1, 1)]
        posts += [((cx - .12, cy + d / 2 - .03, .6), (.07, .06, 1.05), 0), ((cx - .12, cy - d / 2 + .03, .6), (.07, .06, 1.05), 0)]
        g.boxes(posts, yellow)
        g.box((cx, cy, .16 + h - .09), (w + .06, d + .06, .10), yellow, bevel=.04)
        g.box((cx + .0, cy + d / 2, .2), (.55, .03, .42), black)
        # boom, stick, bucket in the plane y = -.1
        y0, y1 = -.30, -.06
        boom = [(.75, .30), (.62, .62), (1.30, 1.95), (1.62, 2.28), (2.0, 2.38), (3.15, 1.98), (3.12, 1.78), (2.05, 2.02), (1.75, 1.88), (1.05, .42)]
        g.prism(boom, y0, y1, yellow, bevel=.025)
        stick = [(2.72, 2.36), (2.98, 2.44), (3.30, 2.0), (3.66, .62), (3.52, .55), (2.98, 1.72)]
        g.prism(stick, y0 + .03, y1 - .03, yellow, bevel=.02)
        for a, b, r in (((1.0, .45), (1.55, 1.62), .06), ((1.85, 2.42), (2.75, 2.42), .055), ((3.35, 1.85), (3.72, .85), .045)):
            a3, b3 = Vector((a[0], -.18, a[1])), Vector((b[0], -.18, b[1]))
            g.tube([a3, a3 + (b3 - a3) * .6], [r, r], black, n=12)
            g.tube([a3 + (b3 - a3) * .5, b3], [r * .6, r * .6], m.plain((.6, .6, .6), .15, 1.0), n=10)
        bucket = [(3.42, .62), (3.85, .72), (4.02, .35), (3.92, -.25), (3.62, -.62), (3.22, -.72), (3.02, -.62), (3.42, -.42), (3.6, -.1), (3.55, .3)]
        g.prism(bucket, -.58, .22, steel, bevel=.02)
        for k in range(4):
            g.box((2.96, -.5 + k * .21, -.70), (.16, .07, .06), steel)
