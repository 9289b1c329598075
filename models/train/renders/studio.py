"""Light, camera and film for one sprite.

In: the objects built at the origin on z = 0 and a seeded random. Out: RGBA u8 [H, W, 4], sRGB with
straight alpha, the soft shadow part of the alpha, and the boxes of what is seen, in its pixels.
Never keeps anything from one sprite to the next.
"""
import math
import os

import bpy
import numpy as np
from mathutils import Matrix, Vector

import geometry as g
import kit
import materials as m

SUPER = 1.5  # rendered so much larger, then averaged down
MARGIN = .05  # empty rim, part of the long side
SHADE_PERCENT = 25  # the shadow's picture, part of the enlarged one
SHADOW_REACH = .30  # a shadow beyond the thing is kept this far, part of the thing's long side


def clear(threads, spp):
    """An empty scene with Cycles ready."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    g.reset()
    m.reset()
    kit.reset()
    sc = bpy.context.scene
    sc.render.engine = "CYCLES"
    sc.cycles.device, sc.cycles.use_denoising, sc.cycles.samples = "CPU", False, spp
    sc.cycles.max_bounces, sc.cycles.diffuse_bounces, sc.cycles.glossy_bounces = 2, 1, 1
    sc.cycles.transmission_bounces, sc.cycles.transparent_max_bounces = 1, 5
    sc.cycles.caustics_reflective = sc.cycles.caustics_refractive = False
    sc.cycles.sample_clamp_direct, sc.cycles.sample_clamp_indirect = 8.0, 2.5
    sc.cycles.use_adaptive_sampling = False  # at so few samples it only costs
    sc.cycles.pixel_filter_type, sc.cycles.filter_width = "BLACKMAN_HARRIS", 1.4
    sc.render.threads_mode, sc.render.threads = "FIXED", threads
    sc.render.film_transparent = True
    sc.render.image_settings.file_format = "OPEN_EXR"
    sc.render.image_settings.color_mode, sc.render.image_settings.color_depth = "RGBA", "16"
    sc.view_settings.view_transform = "Raw"
    return sc


def light(sc, rnd):
    """Sun and sky; returns the direction to the sun (None when overcast) and the exposure."""
    overcast = rnd.random() < .35
    up, around = math.radians(rnd.uniform(28, 75)), rnd.uniform(0, 2 * math.pi)
    to_sun = Vector((math.cos(around) * math.cos(up), math.sin(around) * math.cos(up), math.sin(up)))
    sky = rnd.uniform(.6, 1.1)
    w = bpy.data.worlds.new("sky")
    sc.world, w.use_nodes = w, True
    w.cycles.sampling_method, w.cycles.sample_map_resolution = "MANUAL", 32  # the default map costs more than the picture
    nt = w.node_tree
    co, sep, ramp = (nt.nodes.new(k) for k in ("ShaderNodeTexCoord", "ShaderNodeSeparateXYZ", "ShaderNodeValToRGB"))
    nt.links.new(co.outputs["Generated"], sep.inputs[0])
    nt.links.new(sep.outputs[2], ramp.inputs[0])
    grey = rnd.uniform(.7, 1) if overcast else rnd.uniform(0, .5)
    for k, c in enumerate(((.72, .76, .80), (.34, .48, .78))):
        mean = sum(c) / 3
        ramp.color_ramp.elements[k].color = (*[v + (mean - v) * grey for v in c], 1)
    nt.links.new(ramp.outputs[0], nt.nodes["Background"].inputs[0])
    nt.nodes["Background"].inputs[1].default_value = sky
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy = rnd.uniform(.2, .9) if overcast else rnd.uniform(2.2, 5.0)
    sun.angle = math.radians(rnd.uniform(12, 40) if overcast else rnd.uniform(.6, 2.5))
    sun.color = (1, rnd.uniform(.88, .98), rnd.uniform(.74, .95))
    ob = bpy.data.objects.new("sun", sun)
    ob.rotation_euler = to_sun.to_track_quat("Z", "Y").to_euler()
    sc.collection.objects.link(ob)
    white = sun.energy * math.sin(up) / math.pi + sky * .65
    exposure = .88 / white * 2 ** rnd.uniform(-.55, .45)
    return (None if overcast else to_sun), exposure


def catcher(sc):
    """Ground to throw light back, and to catch the shadow."""
    me = bpy.data.meshes.new("ground")
    me.from_pydata([(-60, -60, 0), (60, -60, 0), (60, 60, 0), (-60, 60, 0)], [], [(0, 1, 2, 3)])
    me.materials.append(m.plain((.26, .26, .25), .95))
    ob = bpy.data.objects.new("ground", me)
    sc.collection.objects.link(ob)


def world_points():
    """[N, 3] of every part's vertices, and the part of each."""
    pts, ids = [], []
    for name, obs in g.GROUPS.items():
        if not name.startswith("part"):
            continue
        for ob in obs:
            ob.pass_index = int(name[4:]) + 1
            if ob.type == "MESH":
                v = np.empty(len(ob.data.vertices) * 3, np.float32)
                ob.data.vertices.foreach_get("co", v)
                mw = np.array(ob.matrix_world)
                pts.append(v.reshape(-1, 3) @ mw[:3, :3].T + mw[:3, 3])
                ids.append(np.full(len(pts[-1]), ob.pass_index))
    return np.concatenate(pts), np.concatenate(ids)


def aim(sc, rnd, pts, to_sun, long_px, front_deg=None):
    """Puts the street camera up and frames the thing; returns what the boxes need.

    The camera stands anywhere round it, or within `front_deg` of its front (-y).
    """
    lo, hi = pts.min(0), pts.max(0)
    mid = (lo + hi) / 2
    reach = float(np.linalg.norm((hi - lo)) / 2)
    pitch = math.radians(8 + 32 * rnd.random() ** 1.2)
    height = rnd.uniform(3, 8)
    dist = max((height - mid[2]) / math.sin(pitch), 2.2 * reach, 4.0)
    round_deg = rnd.uniform(0, 360)
    az = math.radians(round_deg if front_deg is None else 270 + (round_deg / 180 - 1) * front_deg)
    eye = Vector(mid) + Vector((math.cos(az) * math.cos(pitch), math.sin(az) * math.cos(pitch), math.sin(pitch))) * dist
    eye.z = max(eye.z, 1.6)
    turn = (Vector(mid) - eye).to_track_quat("-Z", "Y").to_matrix() @ Matrix.Rotation(math.radians(rnd.gauss(0, 1.0)), 3, "Z")
    t = np.array(turn)

    def plane(p):
        c = (p - np.array(eye)) @ t
        return np.stack([c[:, 0] / -c[:, 2], c[:, 1] / -c[:, 2]], 1), -c[:, 2]
    on_plane, depth = plane(pts)
    a, b = on_plane.min(0), on_plane.max(0)
    long = float((b - a).max())
    lo2, hi2 = a.copy(), b.copy()
    fall = np.array(to_sun) / to_sun.z if to_sun is not None else np.array((.25, .25, 1.))
    for s in ((1,) if to_sun is not None else (1, -1)):
        f = fall * np.array((s, s, 1))
        down, _ = plane(pts - f * pts[:, 2:3])
        lo2, hi2 = np.minimum(lo2, down.min(0)), np.maximum(hi2, down.max(0))
    lo2, hi2 = np.maximum(lo2, a - SHADOW_REACH * long), np.minimum(hi2, b + SHADOW_REACH * long)
    span = hi2 - lo2 + 2 * MARGIN * long
    f_px = long_px / long
    w, h = (max(24, int(math.ceil(v * f_px))) for v in span)
    big = [int(round(v * SUPER)) for v in (w, h)]
    cam = bpy.data.cameras.new("cam")
    cam.sensor_width, cam.clip_end = 36.0, 400
    cam.lens = f_px * SUPER / max(big) * 36.0
    mid2 = (lo2 + hi2) / 2
    cam.shift_x, cam.shift_y = (float(mid2[k]) * f_px * SUPER / max(big) for k in (0, 1))
    ob = bpy.data.objects.new("cam", cam)
    ob.matrix_world = Matrix.Translation(eye) @ turn.to_4x4()
    sc.collection.objects.link(ob)
    sc.camera = ob
    sc.render.resolution_x, sc.render.resolution_y, sc.render.resolution_percentage = *big, 100
    full = (on_plane - mid2) * f_px * np.array((1, -1)) + np.array((w, h)) / 2  # sprite pixels of every vertex
    return dict(size=(w, h), f_px=f_px, depth=float(np.median(depth)), full=full, pitch_deg=math.degrees(math.asin((eye.z - mid[2]) / (eye - Vector(mid)).length)))


def shoot(sc, folder):
    """Renders the thing, then small and apart its shadow (soft anyway, and a catcher doubles the cost of a pixel).

    Returns the linear premultiplied film [H, W, 4] and the part index [H, W], both enlarged, and the
    shadow's alpha [h, w] of the same field of view.
    """
    ground = bpy.data.objects["ground"]
    things = [(ob, ob.visible_camera) for obs in g.GROUPS.values() for ob in obs]
    bpy.context.view_layer.use_pass_object_index = True
    bpy.context.view_layer.pass_alpha_threshold = .05
    sc.use_nodes = True
    nt = sc.node_tree
    nt.nodes.clear()
    layers, comp, out = (nt.nodes.new(k) for k in ("CompositorNodeRLayers", "CompositorNodeComposite", "CompositorNodeOutputFile"))
    nt.links.new(layers.outputs["Image"], comp.inputs[0])
    out.base_path = folder
    out.format.file_format, out.format.color_depth, out.format.color_mode = "OPEN_EXR", "32", "RGB"
    out.file_slots[0].path = "index#"
    nt.links.new(layers.outputs["IndexOB"], out.inputs[0])
    sc.frame_set(1)
    ground.visible_camera = False
    film = render(sc, os.path.join(folder, "film.exr"))
    index = _pixels(os.path.join(folder, "index1.exr"))[..., 0]
    sc.use_nodes = False
    bpy.context.view_layer.use_pass_object_index = False
    ground.visible_camera = ground.is_shadow_catcher = True
    for ob, _ in things:
        ob.visible_camera = False
    sc.render.resolution_percentage = SHADE_PERCENT
    sc.cycles.samples, sc.cycles.max_bounces = 12, 0
    shade = render(sc, os.path.join(folder, "shade.exr"))[..., 3]
    return film, np.rint(index).astype(int), shade


def render(sc, path):
    """The picture as linear RGBA f32 [H, W, 4], top row first."""
    sc.render.filepath = path
    bpy.ops.render.render(write_still=True)
    return _pixels(path)


def _pixels(path):
    im = bpy.data.images.load(path, check_existing=False)
    im.colorspace_settings.name = "Raw"
    a = np.empty(im.size[0] * im.size[1] * 4, np.float32)
    im.pixels.foreach_get(a)
    a = a.reshape(im.size[1], im.size[0], 4)[::-1]
    bpy.data.images.remove(im)
    return a


def _fit(a, h, w):
    """Cuts or pads the far edges by the pixel that rounding leaves."""
    a = a[:h, :w]
    return np.pad(a, [(0, h - a.shape[0]), (0, w - a.shape[1])] + [(0, 0)] * (a.ndim - 2), mode="edge")


def _blur(a, r):
    for axis in (0, 1):
        pad = [(0, 0)] * a.ndim
        pad[axis] = (r, r)
        p = np.pad(a, pad, mode="edge")
        a = sum(np.take(p, range(k, k + a.shape[axis]), axis) for k in range(2 * r + 1)) / (2 * r + 1)
    return a


def _down(a, size):
    """Area average of an enlarged picture to `size` (w, h): SUPER is 3/2."""
    w, h = size
    a = _fit(a.repeat(2, 0).repeat(2, 1), 3 * h, 3 * w)
    return a.reshape(h, 3, w, 3, -1).mean((1, 3))


def _spread(a, size):
    """Bilinear enlargement of a small plane [h, w] to `size` (w, h)."""
    w, h = size
    y, x = (np.clip((np.arange(n) + .5) * m / n - .5, 0, m - 1) for n, m in ((h, a.shape[0]), (w, a.shape[1])))
    y0, x0 = np.minimum(y.astype(int), a.shape[0] - 2), np.minimum(x.astype(int), a.shape[1] - 2)
    fy, fx = (y - y0)[:, None], (x - x0)[None]
    top, low = a[y0], a[y0 + 1]
    rows = top * (1 - fy) + low * fy
    return rows[:, x0] * (1 - fx) + rows[:, x0 + 1] * fx


def develop(film, shade, size, exposure):
    """The sprite: the thing over its shadow, faded at the rim; sRGB, straight alpha."""
    w, h = size
    small = _down(np.nan_to_num(np.clip(film, 0, 12)), size)
    soft = np.clip((_spread(_blur(_blur(np.nan_to_num(shade), 1), 1), size) - .02) / .98, 0, 1) * .92
    y, x = np.mgrid[0:h, 0:w]
    edge = np.minimum(np.minimum(x, w - 1 - x), np.minimum(y, h - 1 - y)) / max(4, .07 * max(h, w))
    soft = (soft * np.clip(edge, 0, 1))[..., None]
    over = np.clip(small[..., 3:], 0, 1)
    a = over + (1 - over) * soft
    lin = small[..., :3] / np.maximum(over, 1e-4) * exposure
    lin = np.where(lin > .6, .6 + .4 * (1 - np.exp(-(lin - .6) / .4)), lin)
    # sRGB weights the shadow's black as an eye would see the mixture: blend after the curve
    srgb = np.where(lin <= .0031308, lin * 12.92, 1.055 * np.maximum(lin, 1e-6) ** (1 / 2.4) - .055)
    srgb = srgb * over / np.maximum(a, 1e-4)
    out = np.concatenate([np.where(a > .004, srgb, 0), a], 2)
    return np.clip(out * 255 + .5, 0, 255).astype(np.uint8)


def boxes(index, ids, seen, labels):
    """[label, x0, y0, x1, y1] of each part that is seen well enough, the main one first."""
    w, h = seen["size"]
    out, main = [], None
    for me, (label, _) in enumerate(labels):
        family = [k + 1 for k, (_, over) in enumerate(labels) if me in over]
        ys, xs = np.nonzero(np.isin(index, family))
        if label is None or len(xs) < 30:
            continue
        b = [xs.min() / SUPER, ys.min() / SUPER, (xs.max() + 1) / SUPER, (ys.max() + 1) / SUPER]
        pts = seen["full"][np.isin(ids, family)]
        whole = np.prod(pts.max(0) - pts.min(0)) if len(pts) else 1
        if main is not None and (min(b[2] - b[0], b[3] - b[1]) < 6 or (b[2] - b[0]) * (b[3] - b[1]) < .25 * whole):
            continue
        main = main or b
        out.append([label] + [round(float(v), 1) for v in (max(0, b[0]), max(0, b[1]), min(w, b[2]), min(h, b[3]))])
    return out
