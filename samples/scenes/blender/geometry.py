"""Mesh building blocks for the sample streets.

In: sizes in metres and materials. Out: Blender objects linked to the scene, placed by the
matrix on top of the `placed` stack and listed under the name on top of the `group` stack.
Everything is built from plain vertex lists, so the same seed gives the same street.
"""
import math
from contextlib import contextmanager

import bpy
from mathutils import Matrix, Vector, noise

GROUPS = {}
_places = [Matrix.Identity(4)]
_groups = ["street"]


def reset():
    GROUPS.clear()


@contextmanager
def placed(at=(0, 0, 0), turn_deg=0.0, scale=1.0):
    """Everything made inside stands at `at`, turned about the vertical."""
    m = Matrix.Translation(at) @ Matrix.Rotation(math.radians(turn_deg), 4, "Z") @ Matrix.Scale(scale, 4)
    _places.append(_places[-1] @ m)
    try:
        yield
    finally:
        _places.pop()


@contextmanager
def group(name):
    """Everything made inside can be shown or hidden as one."""
    _groups.append(name)
    try:
        yield GROUPS.setdefault(name, [])
    finally:
        _groups.pop()


def mesh(verts, faces, mats, face_mats=None, smooth=False, bevel=0.0, subsurf=0):
    """An object from vertices [N, 3] and faces (vertex indices)."""
    me = bpy.data.meshes.new("m")
    me.from_pydata([tuple(v) for v in verts], [], [tuple(f) for f in faces])
    for m in mats if isinstance(mats, (list, tuple)) else [mats]:
        me.materials.append(m)
    if face_mats is not None:
        me.polygons.foreach_set("material_index", face_mats)
    if smooth:
        me.polygons.foreach_set("use_smooth", [True] * len(me.polygons))
    me.update()
    ob = bpy.data.objects.new("o", me)
    ob.matrix_world = _places[-1]
    bpy.context.scene.collection.objects.link(ob)
    GROUPS.setdefault(_groups[-1], []).append(ob)
    if bevel:
        b = ob.modifiers.new("b", "BEVEL")
        b.width, b.segments, b.limit_method = bevel, 2, "ANGLE"
    if subsurf:
        s = ob.modifiers.new("s", "SUBSURF")
        s.levels = s.render_levels = subsurf
    return ob


BOX_FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def box_verts(at, size, turn=None):
    """Eight corners of a box whose bottom centre is `at`."""
    hx, hy, h = size[0] / 2, size[1] / 2, size[2]
    vs = [Vector((x, y, z)) for x in (-hx, hx) for y in (-hy, hy) for z in (0, h)]
    if turn is not None:
        vs = [turn @ v for v in vs]
    return [v + Vector(at) for v in vs]


def box(at, size, mat, bevel=0.0, turn_deg=0.0, tilt_deg=0.0):
    turn = Matrix.Rotation(math.radians(turn_deg), 3, "Z") @ Matrix.Rotation(math.radians(tilt_deg), 3, "X")
    return mesh(box_verts(at, size, turn), BOX_FACES, mat, bevel=bevel)


def boxes(list_of_at_size_turn, mat, bevel=0.0):
    """Many boxes as one object: [(at, size, turn_deg)]."""
    verts, faces = [], []
    for at, size, turn_deg in list_of_at_size_turn:
        k = len(verts)
        verts += box_verts(at, size, Matrix.Rotation(math.radians(turn_deg), 3, "Z"))
        faces += [tuple(i + k for i in f) for f in BOX_FACES]
    return mesh(verts, faces, mat, bevel=bevel)


def loft(rings, mats, caps=True, smooth=True, subsurf=0, face_mats=None):
    """A skin over rings of equal length, each a closed loop of points."""
    n = len(rings[0])
    verts = [p for r in rings for p in r]
    faces = [(k * n + i, k * n + (i + 1) % n, (k + 1) * n + (i + 1) % n, (k + 1) * n + i)
             for k in range(len(rings) - 1) for i in range(n)]
    if caps:
        faces += [tuple(reversed(range(n))), tuple(range((len(rings) - 1) * n, len(rings) * n))]
        if face_mats is not None:
            face_mats = list(face_mats) + [0, 0]
    return mesh(verts, faces, mats, face_mats, smooth=smooth, subsurf=subsurf)


def tube(points, radii, mat, n=10, squash=1.0, side=(1, 0, 0), subsurf=0):
    """A limb or pole: rings around a polyline; `squash` is depth over width."""
    pts = [Vector(p) for p in points]
    rings = []
    for k, p in enumerate(pts):
        along = (pts[min(k + 1, len(pts) - 1)] - pts[max(k - 1, 0)]).normalized()
        u = Vector(side) - along * along.dot(Vector(side))
        if u.length < 1e-3:
            u = along.orthogonal()
        u.normalize()
        w = along.cross(u)
        r = radii[k] if isinstance(radii, (list, tuple)) else radii
        rings.append([p + (u * math.cos(a) + w * math.sin(a) * squash) * r
                      for a in (2 * math.pi * i / n for i in range(n))])
    return loft(rings, mat, subsurf=subsurf)


def ellipsoid(at, radii, mat, rows=10, n=16, keep=None, turn=None):
    """A ball squashed to `radii`; `keep(x, y, z)` on the unit ball drops faces."""
    verts, faces = [], []
    for i in range(rows + 1):
        t = math.pi * i / rows
        for j in range(n):
            a = 2 * math.pi * j / n
            verts.append(Vector((math.sin(t) * math.cos(a), math.sin(t) * math.sin(a), math.cos(t))))
    for i in range(rows):
        for j in range(n):
            f = (i * n + j, (i + 1) * n + j, (i + 1) * n + (j + 1) % n, i * n + (j + 1) % n)
            if keep is None or keep(*(sum((verts[q] for q in f), Vector()) / 4)):
                faces.append(f)
    out = [Vector((v.x * radii[0], v.y * radii[1], v.z * radii[2])) for v in verts]
    if turn is not None:
        out = [turn @ v for v in out]
    return mesh([v + Vector(at) for v in out], faces, mat, smooth=True)


def prism(outline_xz, y0, y1, mat, bevel=0.0):
    """A side view [(x, z)] given thickness from y0 to y1."""
    n = len(outline_xz)
    verts = [(x, y0, z) for x, z in outline_xz] + [(x, y1, z) for x, z in outline_xz]
    faces = [tuple(range(n)), tuple(reversed(range(n, 2 * n)))]
    faces += [((i + 1) % n, i, n + i, n + (i + 1) % n) for i in range(n)]
    return mesh(verts, faces, mat, bevel=bevel)


def disc(at, r, mat, axis="Z", n=24):
    pts = []
    for i in range(n):
        a = 2 * math.pi * i / n
        c, s = r * math.cos(a), r * math.sin(a)
        pts.append(Vector(at) + (Vector((c, s, 0)) if axis == "Z" else Vector((c, 0, s))))
    return mesh(pts, [tuple(range(n))], mat)


def blob(at, radii, mat, seed, rough=0.35, scale=2.2, knot=True, rows=20, n=28):
    """A filled bag: a ball with a flat foot, dents and folds, and a knot at its neck."""
    verts, faces = [], []
    off = Vector((seed * 3.1, seed * 1.7, seed * 5.3))
    for i in range(rows + 1):
        t = math.pi * i / rows
        for j in range(n):
            a = 2 * math.pi * j / n
            v = Vector((math.sin(t) * math.cos(a), math.sin(t) * math.sin(a), math.cos(t)))
            f = 1 + rough * (noise.noise(v * scale + off) + 0.5 * noise.noise(v * scale * 2.6 + off)
                             + 0.3 * noise.noise(v * scale * 6 + off))
            pleat = 1 - 0.12 * max(0.0, v.z) * math.sin(a * 9 + seed) ** 2
            neck = 0.28 * max(0.0, v.z - 0.8) * 5 if knot else 0.0
            p = Vector((v.x * radii[0], v.y * radii[1], v.z * radii[2])) * f * pleat
            p.z = max(p.z, -0.62 * radii[2]) + neck * radii[2]
            verts.append(p + Vector(at) + Vector((0, 0, 0.62 * radii[2])))
    for i in range(rows):
        for j in range(n):
            faces.append((i * n + j, (i + 1) * n + j, (i + 1) * n + (j + 1) % n, i * n + (j + 1) % n))
    return mesh(verts, faces, mat, smooth=True)
