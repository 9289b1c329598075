"""Street trade: stalls of every sort, and wares laid out on the ground.

In: a seeded random. Out: one stall or one lay-out round the origin, its customers' side towards -y,
with what belongs to it (vendor, umbrella, table, chair, goods beside it) as parts of their own.
"""
import math

import objects as things
import people
import wares
from furnish import canopy_apart, chair_of, canopy_tent, parasol
from kit import CARD, CLOTHES, DULL, PLASTIC, VIVID, Vector, fat_wheel, g, m, open_box, part, rods, sign_text, sheet, spoked, steel, tint
from riding import tricycle

SKIN = [(.55, .33, .22), (.48, .28, .18), (.60, .38, .27), (.40, .23, .15)]
WORDS = ["NOODLES", "FRUIT", "5 YUAN", "BBQ", "TEA", "SALE", "10", "DUMPLINGS", "JUICE", "2 for 10"]


def look_of(rnd):
    """Somebody: clothes, build and hat by chance."""
    return people.Look(shirt=tint(rnd, CLOTHES), trousers=tint(rnd, DULL), shoes=tint(rnd, DULL), skin=tint(rnd, SKIN, .08),
                       hair=rnd.choice([(.012, .01, .009)] * 3 + [(.2, .2, .2)]), long_hair=rnd.random() < .3,
                       long_sleeves=rnd.random() < .5, hat=rnd.choice(["", "", "", "cap", "straw"]), hat_col=tint(rnd, CLOTHES),
                       apron=tint(rnd, VIVID) if rnd.random() < .25 else None, height=rnd.uniform(1.55, 1.78), girth=rnd.uniform(.92, 1.15))


def pose_of(rnd, kind="stand"):
    """Standing at work, seated on a stool, or squatting."""
    arms = dict(shoulder=(rnd.uniform(0, 55), rnd.uniform(0, 55)), elbow=(rnd.uniform(10, 70), rnd.uniform(10, 70)), spread=(rnd.uniform(4, 16), rnd.uniform(4, 16)),
                head_turn=rnd.uniform(-45, 45), head_nod=rnd.uniform(-5, 25))
    if kind == "seat":
        return people.Pose(hip=(84, 80), knee=(84, 78), lean=rnd.uniform(0, 18), **arms)
    if kind == "squat":
        return people.Pose(hip=(112, 108), knee=(138, 132), lean=rnd.uniform(20, 34), **arms)
    return people.Pose(hip=(rnd.uniform(-2, 5), rnd.uniform(-5, 3)), knee=(4, 4), lean=rnd.uniform(0, 12), twist=rnd.uniform(-8, 8), **arms)


def somebody(rnd, at, turn, kind="stand"):
    with part("person", apart=True), g.placed(at, turn):
        people.person(look_of(rnd), pose_of(rnd, kind))
    if kind == "seat":
        with part("chair", apart=True), g.placed(at, turn):
            things.stool((0, 0, -.02), tint(rnd, PLASTIC))


def _table(rnd, w, d, h, label="table"):
    """A trestle table; a skirt hides the legs of some."""
    top = m.plain(tint(rnd, [(.36, .22, .11), (.5, .5, .5), (.60, .58, .54), (.45, .30, .18)]), .7, vary=.2)
    with part(label):
        g.box((0, 0, h - .035), (w, d, .035), top, bevel=.005)
        metal = steel(rnd)
        rods([p for x in (-w * .44, w * .44) for p in (((x, -d * .42, 0), (x, d * .3, h - .04)), ((x, d * .42, 0), (x, -d * .3, h - .04)))], .017, metal)
        rods([((x, y, 0), (x, y, h - .03)) for x in (-w * .46, w * .46) for y in (-d * .45, d * .45)], .018, metal)
        style = rnd.random()
        if style < .62:
            drop = rnd.uniform(.18, .7) if style < .3 else h - .04
            mat, n = m.cloth(tint(rnd, VIVID + DULL)), rnd.uniform(8, 20)
            for x0, y0, x1, y1 in ((-w, -d, w, -d), (-w, d, w, d), (-w, -d, -w, d), (w, -d, w, d)):
                sheet(lambda u, v: ((x0 + (x1 - x0) * u) * .505 + .012 * math.sin(u * n * 3) * v * (y0 != y1),
                                    (y0 + (y1 - y0) * u) * .51 + .015 * math.sin(u * n * 3) * v * (x0 != x1), h - drop * v), 30, 4, mat)


def _beside(rnd, w, d):
    """Stock on the ground next to the stall."""
    with part("goods", apart=True), g.placed((rnd.choice((-1, 1)) * (w / 2 + .45), rnd.uniform(-.5, .3), 0), rnd.uniform(-12, 12)):
        k = rnd.random()
        if k < .5:
            wares.crates(rnd, .6, rnd.uniform(.5, 1.2))
        elif k < .75:
            wares.sacks(rnd, .5, 1.0)
        else:
            for q in range(rnd.randrange(2, 5)):
                things.carton((rnd.uniform(-.2, .2), (q % 2) * .45 - .2, (q // 2) * .32), (.5, .38, .31), rnd.uniform(-10, 10), rnd.randrange(99), rnd.random() < .4)


def _shade(rnd, w, d, kind):
    if kind == "umbrella":
        n = 2 if w > 2.3 and rnd.random() < .5 else 1
        for k in range(n):
            parasol(rnd, ((k + .5) * w / n - w / 2 + rnd.uniform(-.15, .15), rnd.uniform(.1, d * .45), 0), rnd.uniform(1.15, 1.75), rnd.uniform(2.15, 2.6), whole=False)
    elif kind == "roof":
        frame, h = steel(rnd), rnd.uniform(1.95, 2.3)
        rods([((x, y, 0), (x, y, h)) for x in (-w / 2, w / 2) for y in (-d / 2, d / 2)], .02, frame)
        stripes = [m.plain(tint(rnd, VIVID), .8), m.plain((.62, .60, .55), .8)]
        lip, n = rnd.uniform(.1, .4), 10
        verts = [(x, y, z) for q in range(n + 1) for x in ((q / n - .5) * (w + .3),) for y, z in ((d / 2 + .1, h + .12), (-d / 2 - lip, h - .08), (-d / 2 - lip - .01, h - .28))]
        faces = [(q * 3 + r, q * 3 + r + 1, q * 3 + r + 4, q * 3 + r + 3) for q in range(n) for r in (0, 1)]
        g.mesh(verts, faces, stripes, [q % 2 if w < 3 else 0 for q in range(n) for _ in (0, 1)])


def trestle(rnd):
    """One or two tables of wares, in the open or under an umbrella."""
    w, d, h = rnd.uniform(1.2, 3.0), rnd.uniform(.6, 1.1), rnd.uniform(.55, .82)
    shade = rnd.choice(["umbrella", "umbrella", "", "", "roof"])
    with part("stall"):
        _table(rnd, w, d, h)
        split, kind = rnd.randrange(1, 4), rnd.choice(wares.ON_TABLE)
        for k in range(split):
            with g.placed(((k + .5) * w / split - w / 2, 0, h)):
                kind(rnd, w / split * .96, d * .94)
            kind = kind if rnd.random() < .6 else rnd.choice(wares.ON_TABLE)
        _shade(rnd, w, d, shade)
        if rnd.random() < .35:
            g.box((rnd.uniform(-.3, .3) * w, -d / 2 - .03, h - .32), (.6, .015, .3), m.plain(tint(rnd, VIVID), .7))
            sign_text(rnd.choice(WORDS), (0, -d / 2 - .05, h - .2), .12, m.plain((.7, .7, .65), .6))
    return w, d


def rack(rnd):
    """Clothes on rails, or shelves of small goods."""
    w = rnd.uniform(1.4, 2.4)
    with part("stall"):
        for k in range(rnd.randrange(1, 4)):
            with g.placed((rnd.uniform(-.2, .2), k * .7 - .3, 0), rnd.uniform(-6, 6)):
                wares.hanging(rnd, w, rnd.uniform(1.35, 1.75))
        if rnd.random() < .6:
            with g.placed((0, -.95, 0)):
                _table(rnd, w * .8, .6, .6)
                with g.placed((0, 0, .6)):
                    rnd.choice([wares.clothes, wares.shoes, wares.trinkets])(rnd, w * .78, .56)
        if rnd.random() < .4:
            _shade(rnd, w, 1.6, rnd.choice(["umbrella", "roof"]))
    return w, 2.0


def shelf(rnd):
    """A stepped stand of crates from knee to chest."""
    w, n = rnd.uniform(1.4, 3.2), rnd.randrange(2, 5)
    wood = m.plain((.36, .24, .13), .8, vary=.25)
    with part("stall"):
        for k in range(n):
            z = .25 + .2 * k
            with g.placed((0, -.6 + .42 * k, 0)):
                rods([((x, y, 0), (x, y, z)) for x in (-w / 2 + .05, w / 2 - .05) for y in (-.18, .18)], .02, wood)
                g.box((0, 0, z), (w, .44, .02), wood)
                with g.placed((0, 0, z + .02)):
                    rnd.choice([wares.crates, wares.baskets, wares.crates, wares.packets])(rnd, w * .98, .42)
        _shade(rnd, w, 1.6, rnd.choice(["umbrella", "", "roof", "umbrella"]))
    return w, 1.8


def cart(rnd):
    """A food cart: a box on wheels, glass case or pots on top, most with a roof on posts."""
    w, d, h = rnd.uniform(1.1, 2.0), rnd.uniform(.65, .95), rnd.uniform(.75, .95)
    body, metal, dark = m.paint(tint(rnd, VIVID + [(.6, .6, .6)] * 4)), steel(rnd), m.plain((.02, .02, .02), .8)
    low, big = rnd.uniform(.12, .3), rnd.random() < .4
    with part("stall"):
        g.box((0, 0, low), (w, d, h - low), body, bevel=.02)
        g.box((0, 0, h), (w + .12, d + .1, .03), metal)
        g.box((0, -d / 2 - .01, low + .15), (w * .8, .01, (h - low) * .5), m.plain(tint(rnd, VIVID), .5))
        sign_text(rnd.choice(WORDS), (0, -d / 2 - .025, low + .22), .2, m.plain((.72, .70, .6), .6))
        for x in (-w * .36, w * .36):
            for y in (-d / 2 - .03, d / 2 + .03):
                if big and x < 0:
                    spoked((x, y, .3), .3, dark, metal)
                else:
                    fat_wheel((x, y, max(.07, low * .6)), max(.07, low * .6), .05, dark, metal)
        rods([((w / 2, y, h - .1), (w / 2 + .4, y, h)) for y in (-.25, .25)] + [((w / 2 + .4, -.25, h), (w / 2 + .4, .25, h))], .016, metal)
        with g.placed((-w * .2, 0, h + .03)):
            rnd.choice([wares.pots, wares.pots, wares.bottles, wares.packets])(rnd, w * .5, d * .9)
        if rnd.random() < .6:
            x, cw, ch = w * .25, w * .46, rnd.uniform(.35, .55)
            g.box((x, 0, h + .03), (cw * .9, d * .8, ch * .5), m.plain(tint(rnd, [(.55, .35, .12), (.6, .5, .3), (.4, .1, .05)]), .7, vary=.4, scale=14))
            g.box((x, 0, h + .03), (cw, d * .9, ch), _pane())
            rods([((x + sx * cw / 2, sy * d * .45, h), (x + sx * cw / 2, sy * d * .45, h + ch + .03)) for sx in (-1, 1) for sy in (-1, 1)], .015, metal)
            g.box((x, 0, h + ch + .03), (cw + .04, d * .94, .025), metal)
        _shade(rnd, w, d, rnd.choice(["roof", "roof", "umbrella", "", "roof"]))
        if rnd.random() < .4:
            gas = m.plain(tint(rnd, [(.3, .32, .33), (.05, .15, .4), (.5, .05, .03)]), .4)
            g.tube([(w / 2 + .3, .2, 0), (w / 2 + .3, .2, .05), (w / 2 + .3, .2, .42), (w / 2 + .3, .2, .52), (w / 2 + .3, .2, .6)], [.14, .16, .16, .07, .06], gas, n=14)
    return w + .6, d


def _pane():
    """Clear acrylic: seen through, with a sheen."""
    key = ("pane",)
    if key not in m._made:
        mat, nt, b = m._nodes("pane")
        b.inputs["Base Color"].default_value, b.inputs["Roughness"].default_value = (.5, .55, .56, 1), .08
        clear, mix = nt.nodes.new("ShaderNodeBsdfTransparent"), nt.nodes.new("ShaderNodeMixShader")
        mix.inputs[0].default_value = .75
        nt.links.new(b.outputs[0], mix.inputs[1])
        nt.links.new(clear.outputs[0], mix.inputs[2])
        nt.links.new(mix.outputs[0], nt.nodes["Material Output"].inputs[0])
        m._made[key] = mat
    return m._made[key]


def gazebo(rnd):
    """A pop-up tent with tables under it."""
    w, d = rnd.choice([(2, 2), (2.5, 2.5), (3, 3), (3, 2), (4, 2.5)])
    with part("stall"):
        with part(None):
            canopy_tent(rnd, w, d)
        for x, y, tw, turn in [(0, -d * .38, w * .9, 0)] + ([(-w * .38, .1, d * .6, 90)] if rnd.random() < .5 else []):
            with g.placed((x, y, 0), turn):
                _table(rnd, tw, .7, .74)
                with g.placed((0, 0, .74)):
                    rnd.choice(wares.ON_TABLE)(rnd, tw * .96, .66)
        if rnd.random() < .4:
            with g.placed((0, d * .3, 0)):
                wares.hanging(rnd, w * .7, 1.6)
    return w * .6, d * .4


def tricycle_stall(rnd):
    """A cargo tricycle turned shop: wares on the bed, often an umbrella or a roof."""
    with part("stall"):
        with part("cargo_tricycle"):
            x0, w, d, z = tricycle(rnd, load=None)
        with g.placed((x0, 0, z)):
            rnd.choice([wares.crates, wares.heaps, wares.greens, wares.steps, wares.pots, wares.baskets, wares.flowers])(rnd, w * .95, d * .95)
        with g.placed((x0, 0, 0)):
            _shade(rnd, w, d, rnd.choice(["umbrella", "roof", "", "umbrella"]))
    return w + .8, d


def stall(rnd):
    kind = rnd.choice([trestle, trestle, trestle, cart, cart, gazebo, tricycle_stall, shelf, rack, None])
    if kind is None:
        with canopy_apart(things), part("stall"):
            things.stall(rnd.randrange(999))
        w, d = 2.6, 1.0
    else:
        w, d = kind(rnd)
    if rnd.random() < .5:
        seat = rnd.random() < .35
        side = rnd.random()
        at = (rnd.uniform(-.4, .4) * w, d / 2 + rnd.uniform(.3, .6), 0) if side < .7 else (rnd.choice((-1, 1)) * (w / 2 + .4), rnd.uniform(-.3, .3), 0)
        somebody(rnd, at, 180 + rnd.uniform(-40, 40) if side < .7 else rnd.uniform(0, 360), "seat" if seat else "stand")
        if rnd.random() < .3:
            somebody(rnd, (rnd.uniform(-.5, .5) * w, -d / 2 - rnd.uniform(.45, .7), 0), rnd.uniform(-40, 40))
    elif rnd.random() < .3:
        with part("chair", apart=True), g.placed((rnd.uniform(-.5, .5) * w, d / 2 + .5, 0), rnd.uniform(0, 360)):
            chair_of(rnd)
    if rnd.random() < .4:
        _beside(rnd, w, d)


def goods(rnd):
    """Wares on a cloth on the ground, in rows; or crates and baskets set down."""
    w, d = rnd.uniform(.8, 2.8), rnd.uniform(.6, 1.5)
    loose = rnd.random() < .35
    with part("goods"):
        if not loose:
            mat = m.cloth(tint(rnd, VIVID + DULL * 2)) if rnd.random() < .6 else m.plain(tint(rnd, [(.05, .2, .5), (.6, .6, .58), (.5, .15, .1), (.1, .3, .15)]), .5, vary=.25, scale=3)
            wares.cloth_sheet(rnd, w, d, mat)
        split, kinds = (rnd.randrange(1, 4) if w > 1.3 else 1), [wares.crates, wares.baskets, wares.sacks, wares.flowers] if loose else wares.ON_GROUND
        kind = rnd.choice(kinds)
        for k in range(split):
            with g.placed(((k + .5) * w / split - w / 2, 0, .025 * (not loose)), rnd.uniform(-4, 4) if loose else 0):
                kind(rnd, w / split * rnd.uniform(.85, .98), d * rnd.uniform(.8, .97))
            kind = kind if rnd.random() < .5 else rnd.choice(kinds)
        if rnd.random() < .3:
            g.box((rnd.uniform(-.3, .3) * w, -d / 2 - .05, 0), (.4, .02, .28), m.plain(tint(rnd, [CARD, (.6, .6, .55)]), .8), tilt_deg=-15)
        if rnd.random() < .25:
            open_box((w / 2 + .3, 0, 0), (.5, .36, .25), m.plain(tint(rnd, PLASTIC), .6), turn=rnd.uniform(-30, 30))
    if rnd.random() < .45:
        at = (rnd.uniform(-.3, .3) * w, d / 2 + rnd.uniform(.35, .6), 0)
        somebody(rnd, at, 180 + rnd.uniform(-30, 30), rnd.choice(["squat", "squat", "seat", "stand"]))
    elif rnd.random() < .3:
        with part("chair", apart=True), g.placed((rnd.uniform(-.4, .4) * w, d / 2 + .4, 0)):
            things.stool(Vector((0, 0, 0)), tint(rnd, PLASTIC))
