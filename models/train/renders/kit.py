"""Small parts and colours that every builder of a sprite shares, and the book of what is what.

In: sizes in metres, a seeded `random.Random`. Out: Blender objects through the builders of
`samples/scenes/blender`, each listed under the thing it belongs to. `part(label)` opens a thing
that gets a box; a part inside a part counts towards the outer box too, unless it stands `apart`.
"""
import math
import os
import sys
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../../samples/scenes/blender")]
import geometry as g  # noqa: E402
import materials as m  # noqa: E402
from mathutils import Matrix, Vector, noise  # noqa: E402

LABELS = []  # [(label or None, ids of the things it counts towards, itself included)]
_open = [()]

VIVID = [(.55, .03, .03), (.62, .22, .015), (.62, .45, .03), (.04, .30, .08), (.02, .13, .42), (.03, .32, .42), (.38, .05, .30),
         (.60, .20, .30), (.20, .42, .05), (.62, .62, .60)]
DULL = [(.30, .28, .25), (.16, .16, .17), (.40, .38, .34), (.10, .13, .20), (.22, .16, .11), (.13, .17, .11), (.45, .42, .36), (.05, .05, .06)]
CLOTHES = VIVID + DULL + [(.05, .07, .12), (.62, .60, .55), (.35, .30, .20), (.55, .45, .45), (.20, .25, .40)]
PLASTIC = [(.03, .14, .45), (.50, .03, .03), (.05, .32, .10), (.60, .42, .03), (.60, .12, .20), (.62, .62, .60), (.05, .30, .40)]
CARD = (.40, .27, .14)


def reset():
    LABELS.clear()
    del _open[1:]


@contextmanager
def part(label, apart=False):
    """Everything made inside is one thing with a box of its own; `None` has no box."""
    me = len(LABELS)
    over = (() if apart else _open[-1]) + (me,)
    LABELS.append((label, over))
    _open.append(over)
    try:
        with g.group(f"part{me}"):
            yield
    finally:
        _open.pop()


def tint(rnd, colours, by=.18):
    """One of the colours, shifted a little."""
    c = rnd.choice(colours)
    f = 1 + rnd.uniform(-by, by)
    return tuple(round(min(.8, max(.004, v * f * (1 + rnd.uniform(-by, by) * .4))), 3) for v in c)


def steel(rnd):
    c = rnd.uniform(.25, .6)
    return m.plain((c, c, c * 1.02), round(rnd.uniform(.3, .5), 2), .8)


def rod(a, b, r, mat, n=8):
    return g.tube([a, b], [r, r], mat, n=n)


def cyl(at, r, h, mat, r_top=None, n=18):
    x, y, z = at
    return g.tube([(x, y, z), (x, y, z + h)], [r, r if r_top is None else r_top], mat, n=n)


def rods(pairs, r, mat, n=6):
    """Many straight bars as one object: [(a, b)]."""
    verts, faces = [], []
    for a, b in pairs:
        a, b = Vector(a), Vector(b)
        along = (b - a).normalized()
        u = along.orthogonal().normalized()
        w = along.cross(u)
        k = len(verts)
        for p in (a, b):
            verts += [p + (u * math.cos(t) + w * math.sin(t)) * r for t in (2 * math.pi * i / n for i in range(n))]
        faces += [(k + i, k + (i + 1) % n, k + n + (i + 1) % n, k + n + i) for i in range(n)]
        faces += [tuple(k + i for i in reversed(range(n))), tuple(k + n + i for i in range(n))]
    return g.mesh(verts, faces, mat)


def sheet(f, nu, nv, mat, smooth=True):
    """A surface from f(u, v) -> xyz over the unit square."""
    verts = [Vector(f(i / nu, j / nv)) for i in range(nu + 1) for j in range(nv + 1)]
    k = nv + 1
    faces = [(i * k + j, (i + 1) * k + j, (i + 1) * k + j + 1, i * k + j + 1) for i in range(nu) for j in range(nv)]
    return g.mesh(verts, faces, mat, smooth=smooth)


def hoop(at, r, thick, mat, axis="Y", n=28):
    """A ring: the rim or tyre of a thin wheel."""
    pts = []
    for i in range(n + 1):
        a = 2 * math.pi * i / n
        c, s = r * math.cos(a), r * math.sin(a)
        pts.append(Vector(at) + Vector({"Y": (c, 0, s), "Z": (c, s, 0), "X": (0, c, s)}[axis]))
    side = {"Y": (0, 1, 0), "Z": (0, 0, 1), "X": (1, 0, 0)}[axis]
    return g.tube(pts, thick, mat, n=6, side=side)


def spoked(at, r, mat_tyre, mat_steel, width=.022):
    """A bicycle wheel that rolls along x."""
    hoop(at, r - width, width, mat_tyre)
    hoop(at, r - 2.2 * width, width * .5, mat_steel, n=20)
    x, y, z = at
    rods([((x, y + s * .03, z), (x + math.cos(a) * (r - .05), y, z + math.sin(a) * (r - .05)))
          for i in range(12) for a, s in ((2 * math.pi * i / 12, (-1) ** i),)], .0035, mat_steel, n=4)
    rod((x, y - .05, z), (x, y + .05, z), .028, mat_steel)


def fat_wheel(at, r, width, mat_tyre, mat_hub):
    """A small motor wheel that rolls along x."""
    x, y, z = at
    h = width / 2
    g.tube([(x, y - h, z), (x, y - h * .7, z), (x, y + h * .7, z), (x, y + h, z)], [r * .86, r, r, r * .86], mat_tyre, n=22)
    g.tube([(x, y - h * 1.05, z), (x, y + h * 1.05, z)], [r * .52, r * .52], mat_hub, n=16)


def open_box(at, size, mat, wall=.02, turn=0.0):
    """A box without a lid: crate, tray or tub."""
    w, d, h = size
    with g.placed(at, turn):
        g.boxes([((0, -d / 2, 0), (w, wall, h), 0), ((0, d / 2, 0), (w, wall, h), 0), ((-w / 2, 0, 0), (wall, d, h), 0),
                 ((w / 2, 0, 0), (wall, d, h), 0), ((0, 0, 0), (w, d, .012), 0)], mat)


def sign_text(words, at, size, mat, turn=(math.pi / 2, 0, 0)):
    """Letters on a board; `turn` is an Euler rotation."""
    import bpy
    cu = bpy.data.curves.new("t", "FONT")
    cu.body, cu.size, cu.align_x, cu.extrude = words, size, "CENTER", .004
    cu.materials.append(mat)
    ob = bpy.data.objects.new("t", cu)
    from mathutils import Euler
    ob.matrix_world = g._places[-1] @ Matrix.Translation(at) @ Euler(turn).to_matrix().to_4x4()
    bpy.context.scene.collection.objects.link(ob)
    g.GROUPS.setdefault(g._groups[-1], []).append(ob)


def net(col, through=.25, fine=160.0):
    """Dust net or mesh: a cloth that lets part of the light past."""
    key = ("net", tuple(col), through)
    if key in m._made:
        return m._made[key]
    mat, nt, b = m._nodes("net")
    b.inputs["Base Color"].default_value = (*col, 1)
    b.inputs["Roughness"].default_value = .8
    clear, mix = nt.nodes.new("ShaderNodeBsdfTransparent"), nt.nodes.new("ShaderNodeMixShader")
    n = nt.nodes.new("ShaderNodeTexNoise")
    n.inputs["Scale"].default_value = 5.0
    nt.links.new(m._coords(nt, "Object"), n.inputs["Vector"])
    ramp = nt.nodes.new("ShaderNodeMapRange")
    ramp.inputs["From Min"].default_value, ramp.inputs["From Max"].default_value = .35, .65
    ramp.inputs["To Min"].default_value, ramp.inputs["To Max"].default_value = through * .6, min(.9, through * 1.4)
    nt.links.new(n.outputs["Fac"], ramp.inputs["Value"])
    nt.links.new(ramp.outputs[0], mix.inputs[0])
    nt.links.new(b.outputs[0], mix.inputs[1])
    nt.links.new(clear.outputs[0], mix.inputs[2])
    nt.links.new(mix.outputs[0], nt.nodes["Material Output"].inputs[0])
    m._made[key] = mat
    return mat
