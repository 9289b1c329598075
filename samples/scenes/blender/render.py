"""Builds one sample scene in Blender and renders its plates and sprites.

    blender -b -noaudio -P render.py -- --scene litter --out DIR [--spp 48] [--sprite-spp 20]
        [--only plates|sprites] [--threads 1] [--every 1] [--keep]

Out, in DIR: `plate_<state>.exr` (linear RGBA; every state but the first only where it differs
from it), `pos_<state>.exr` (world xyz of each pixel), `<track>_<n>.exr` (walkers and cars with
their shadow, premultiplied, cropped) and `meta.json` (camera, boxes, sprite positions).
`--keep` leaves pictures that are already there.
"""
import argparse
import fcntl
import json
import math
import os
import sys

import bpy
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import geometry as g  # noqa: E402
import machines  # noqa: E402
import materials as m  # noqa: E402
import objects as things  # noqa: E402
import people  # noqa: E402
import scenes as plan  # noqa: E402
import street  # noqa: E402


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--scene", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--spp", type=int, default=48)
    p.add_argument("--sprite-spp", type=int, default=20)
    p.add_argument("--only", default="")
    p.add_argument("--states", default="")
    p.add_argument("--tracks", default="")
    p.add_argument("--every", type=int, default=1, help="render only every so many steps of a walk")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--scale", type=float, default=1.0)
    p.add_argument("--keep", action="store_true")
    return p.parse_args(sys.argv[sys.argv.index("--") + 1:])


def setup(args, spec):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    g.reset()
    m.reset()
    sc = bpy.context.scene
    sc.render.engine = "CYCLES"
    sc.cycles.device = "CPU"
    sc.cycles.use_denoising = False
    sc.cycles.max_bounces, sc.cycles.diffuse_bounces, sc.cycles.glossy_bounces = 4, 2, 2
    sc.cycles.transmission_bounces, sc.cycles.transparent_max_bounces = 1, 4
    sc.cycles.caustics_reflective = sc.cycles.caustics_refractive = False
    sc.cycles.sample_clamp_indirect = 4.0
    sc.cycles.use_adaptive_sampling = True
    sc.cycles.adaptive_threshold, sc.cycles.adaptive_min_samples = 0.03, 12
    sc.cycles.seed = 7
    sc.render.resolution_x, sc.render.resolution_y = plan.SIZE
    sc.render.resolution_percentage = int(100 * args.scale)
    sc.render.threads_mode, sc.render.threads = "FIXED", args.threads
    sc.render.use_persistent_data = True
    sc.render.image_settings.file_format = "OPEN_EXR"
    sc.render.image_settings.color_mode, sc.render.image_settings.color_depth = "RGBA", "16"
    sc.view_settings.view_transform = "Raw"
    w = bpy.data.worlds.new("sky")
    sc.world, w.use_nodes = w, True
    nt = w.node_tree
    co, sep, ramp = (nt.nodes.new(k) for k in ("ShaderNodeTexCoord", "ShaderNodeSeparateXYZ", "ShaderNodeValToRGB"))
    nt.links.new(co.outputs["Generated"], sep.inputs[0])
    nt.links.new(sep.outputs[2], ramp.inputs[0])
    ramp.color_ramp.elements[0].color = (.72, .76, .80, 1)
    ramp.color_ramp.elements[1].color = (.30, .46, .80, 1)
    nt.links.new(ramp.outputs[0], nt.nodes["Background"].inputs[0])
    nt.nodes["Background"].inputs[1].default_value = 0.85
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle, sun.color = 4.6, math.radians(.9), (1, .94, .84)
    so = bpy.data.objects.new("sun", sun)
    so.rotation_euler = Vector(plan.sun_direction(spec)).to_track_quat("Z", "Y").to_euler()
    sc.collection.objects.link(so)
    cam = bpy.data.cameras.new("cam")
    cam.sensor_width, cam.lens = 36.0, spec["f_px"] / plan.SIZE[0] * 36.0
    cam.clip_end = 300
    co = bpy.data.objects.new("cam", cam)
    co.location = spec["eye"]
    co.rotation_euler = (Vector(spec["look"]) - Vector(spec["eye"])).to_track_quat("-Z", "Y").to_euler()
    sc.collection.objects.link(co)
    sc.camera = co
    bpy.context.view_layer.update()
    return sc, sun, w


def pixel(sc, p):
    v = world_to_camera_view(sc, sc.camera, Vector(p))
    return v.x * plan.SIZE[0], (1 - v.y) * plan.SIZE[1], v.z


def box_of(sc, spec, objects, pad, shadow=True):
    """Picture box [x0, y0, x1, y1] of objects and, by choice, of the shadow they cast."""
    to_sun = Vector(plan.sun_direction(spec))
    pts = []
    for ob in objects:
        step = max(1, len(ob.data.vertices) // 60) if ob.type == "MESH" else 1
        for v in list(ob.data.vertices)[::step] if ob.type == "MESH" else []:
            p = ob.matrix_world @ v.co
            pts.append(p)
            if shadow and p.z > 0:
                pts.append(p - to_sun * (p.z + .12) / to_sun.z)
    px = [pixel(sc, p) for p in pts]
    px = [(x, y) for x, y, d in px if d > .3]
    if not px:
        return None
    w, h = plan.SIZE
    x0, x1 = min(x for x, _ in px) - pad, max(x for x, _ in px) + pad
    y0, y1 = min(y for _, y in px) - pad, max(y for _, y in px) + pad
    b = [max(0, int(x0)), max(0, int(y0)), min(w, int(x1) + 1), min(h, int(y1) + 1)]
    return b if b[2] - b[0] > 3 and b[3] - b[1] > 3 else None


def key_objects(world):
    """The groups that come and go; each is shown by the states that name it."""
    if world == "stall":
        with g.group("stall"), g.placed((0, .5, 0), 4):
            things.stall(1)
    elif world == "litter":
        with g.group("heap"), g.placed((.6, .3, 0), 8):
            things.heap(2)
    elif world == "bin":
        for name, lid in (("bin_shut", 0), ("bin_ajar", 6), ("bin_open", 78)):
            with g.group(name), g.placed((0, .8, 0), 6):
                things.bin_240(lid_deg=lid)
        with g.group("bin_fill0"), g.placed((0, .8, 0), 6):
            things.bin_full(3, 0)
        with g.group("bin_fill1"), g.placed((0, .8, 0), 6):
            things.bin_full(3, 1)
        with g.group("bin_foot"), g.placed((0, .8, 0), 6):
            things.bin_foot(4)
    elif world == "site":
        with g.group("material"):
            with g.placed((-1.9, .85, 0)):
                things.sand(5)
            with g.placed((-3.5, -.25, 0), 12):
                things.brick_stack()
            with g.placed((.3, 1.75, 0), 2):
                things.timber()
            with g.placed((-1.0, -1.1, 0), -2):
                things.rebar()
            with g.placed((.15, -.15, 0), 20):
                things.cement_bags()
            for x in (-4.5, 5.0):
                with g.placed((x, .6, 0), 86):
                    things.barrier()
        with g.group("machine"), g.placed((3.1, .35, 0), 176, .8):
            machines.excavator(swing_deg=-8)
    elif world == "clean":
        c = plan.PARKED_CAR
        with g.group("parked"), g.placed((*c["at"], -.12), c["turn"]):
            machines.car(c["col"], c["kind"])


VENDOR_AT, VENDOR_TURN = (-1.78, -.35, 0), -62  # turned about z from facing +y


def vendor_poses():
    a = people.Pose(hip=(3, -2), knee=(3, 4), shoulder=(6, 28), elbow=(15, 62), spread=(9, 8), lean=3, head_turn=12, head_nod=6)
    b = people.Pose(hip=(0, 2), knee=(4, 2), shoulder=(10, 52), elbow=(22, 30), spread=(9, 4), lean=8, twist=-8, head_turn=-14, head_nod=16)
    c = people.Pose(hip=(2, 0), knee=(2, 5), shoulder=(-6, 4), elbow=(30, 18), spread=(14, 10), lean=1, twist=10, head_turn=40)
    seq = []
    for p, q in ((a, b), (b, c), (c, a)):
        seq += [people.mix(p, q, t) for t in (0, .35, .7)]
    return seq


def visible(names):
    for name, obs in g.GROUPS.items():
        for ob in obs:
            ob.hide_render = not (name in ("street", "far") or name in names)


def position_output(sc, folder, name):
    bpy.context.view_layer.use_pass_position = True
    sc.use_nodes = True
    nt = sc.node_tree
    nt.nodes.clear()
    rl, comp, out = (nt.nodes.new(k) for k in ("CompositorNodeRLayers", "CompositorNodeComposite", "CompositorNodeOutputFile"))
    nt.links.new(rl.outputs["Image"], comp.inputs[0])
    out.base_path = folder
    out.format.file_format, out.format.color_depth, out.format.color_mode = "OPEN_EXR", "32", "RGB"
    out.file_slots[0].path = name
    nt.links.new(rl.outputs["Position"], out.inputs[0])


def shoot(sc, path, box, spp, position_name=None):
    w, h = plan.SIZE
    sc.cycles.samples = spp
    sc.render.use_border = sc.render.use_crop_to_border = box is not None
    if box is not None:
        sc.render.border_min_x, sc.render.border_max_x = box[0] / w, box[2] / w
        sc.render.border_min_y, sc.render.border_max_y = 1 - box[3] / h, 1 - box[1] / h
    folder = os.path.dirname(path)
    if position_name:
        position_output(sc, folder, position_name + "#")
    else:
        sc.use_nodes = False
        bpy.context.view_layer.use_pass_position = False
    sc.frame_set(1)
    sc.render.filepath = path
    bpy.ops.render.render(write_still=True)
    if position_name:
        os.replace(os.path.join(folder, position_name + "1.exr"), os.path.join(folder, position_name + ".exr"))


def plates(args, spec, sc, sun, world, meta):
    first = next(iter(spec["states"]))
    wanted = args.states.split(",") if args.states else None

    def state(name, groups, box, spp):
        meta["plates"][name] = dict(file=f"plate_{name}.exr", pos=f"pos_{name}.exr", box=box)
        path = os.path.join(args.out, f"plate_{name}.exr")
        if (wanted and name not in wanted) or (args.keep and os.path.exists(path)):
            return
        visible(groups)
        shoot(sc, path, box, spp, f"pos_{name}")
        print("PLATE", name, box, flush=True)
    for name, groups in spec["states"].items():
        changed = [ob for k in set(groups) ^ set(spec["states"][first]) for ob in g.GROUPS.get(k, [])]
        box = None if name == first or not changed else box_of(sc, spec, changed, 30)
        if name == "cloud":
            sun.energy, world.node_tree.nodes["Background"].inputs[1].default_value = 0.35, 0.80
        state(name, groups, box, args.spp)
    sun.energy, world.node_tree.nodes["Background"].inputs[1].default_value = 4.6, 0.85
    if spec.get("vendor"):
        everyone = [ob for k in range(9) for ob in g.GROUPS[f"vendor{k}"]]
        box = box_of(sc, spec, everyone, 10)
        for k in range(9):
            state(f"vendor{k}", ["stall", f"vendor{k}"], box, args.spp)


def sprites(args, spec, sc, meta):
    """Walkers and cars alone over shadow catchers in the place of road, footway and wall."""
    for obs in g.GROUPS.values():
        for ob in obs:
            ob.hide_render = True
    grey = m.plain((.3, .3, .3), .9)
    with g.group("catcher"):
        g.mesh([(x, y, 0) for x, y in ((-60, -2.4), (60, -2.4), (60, 2.4), (-60, 2.4))], [(0, 1, 2, 3)], grey)
        g.mesh([(x, y, -.12) for x, y in ((-60, -30), (60, -30), (60, -2.4), (-60, -2.4))], [(0, 1, 2, 3)], grey)
        g.mesh([(-60, 2.4, 0), (60, 2.4, 0), (60, 2.4, 9), (-60, 2.4, 9)], [(0, 1, 2, 3)], grey)
    for ob in g.GROUPS["catcher"]:
        ob.is_shadow_catcher = True
    sc.render.film_transparent = True
    for name, tr in spec["tracks"].items():
        if args.tracks and name not in args.tracks.split(","):
            continue
        poses = []
        if tr.get("kind") == "car":
            with g.group(f"{name}0") as obs:
                machines.car(tr["car"][1], tr["car"][0])
            poses, turn, z = [obs], 0, -.12
        else:
            look = people.Look(**plan.LOOKS[tr["who"]])
            for k in range(8):
                with g.group(f"{name}{k}") as obs:
                    people.person(look, people.walk_pose(k / 8, look))
                poses.append(obs)
            turn, z = -90, 0
        base = [[ob.matrix_world.copy() for ob in obs] for obs in poses]
        meta["sprites"][name] = []
        for i, (x, y, heading, walked) in enumerate(plan.track_points(tr)):
            if len(poses) > 1 and i % args.every:
                continue
            k = i % len(poses)
            move = Matrix.Translation((x, y, z)) @ Matrix.Rotation(math.radians(heading + turn), 4, "Z")
            for q, obs in enumerate(poses):
                for ob, b in zip(obs, base[q]):
                    ob.hide_render = q != k
                    if q == k:
                        ob.matrix_world = move @ b
            bpy.context.view_layer.update()
            body = box_of(sc, spec, poses[k], 1, shadow=False)
            box = box_of(sc, spec, poses[k], 6)
            if body is None or box is None:
                continue
            file = f"{name}_{i:03d}.exr"
            meta["sprites"][name].append(dict(file=file, box=box, body=body, at=(x, y), walked=walked, depth=pixel(sc, (x, y, .8))[2]))
            path = os.path.join(args.out, file)
            if not (args.keep and os.path.exists(path)):
                shoot(sc, path, box, args.sprite_spp)
        for obs in poses:
            for ob in obs:
                ob.hide_render = True
        print("TRACK", name, len(meta["sprites"][name]), flush=True)


def main():
    args = arguments()
    spec = plan.SCENES[args.scene]
    os.makedirs(args.out, exist_ok=True)
    args.out = os.path.abspath(args.out)
    meta_path = os.path.join(args.out, "meta.json")
    meta = dict(plates={}, sprites={})
    sc, sun, world = setup(args, spec)
    street.build(plan.STREETS[spec["world"]])
    key_objects(spec["world"])
    if spec.get("vendor"):
        look = people.Look(**plan.LOOKS["vendor"])
        for k, pose in enumerate(vendor_poses()):
            with g.group(f"vendor{k}"), g.placed(VENDOR_AT, VENDOR_TURN):
                people.person(look, pose)
    bpy.context.view_layer.update()
    meta["eye"], meta["look"], meta["f_px"] = spec["eye"], spec["look"], spec["f_px"]
    meta["forward"] = list((sc.camera.matrix_world.to_3x3() @ Vector((0, 0, -1))))
    for k in spec["key"]:
        meta.setdefault("boxes", {})[k] = box_of(sc, spec, g.GROUPS[k], 0, shadow=False)
    if spec.get("vendor"):
        meta["attendant_px"] = box_of(sc, spec, [ob for k in range(9) for ob in g.GROUPS[f"vendor{k}"]], 0, shadow=False)
    w, h = plan.SIZE
    grid = [(x * .5, y) for x in range(-60, 61) for y in (-2.2, -1.1, 0, 1.1, 2.2)]
    meta["ground"] = [(p, pixel(sc, (*p, 0))[:2]) for p in grid
                      if 4 <= pixel(sc, (*p, 0))[0] <= w - 4 and 4 <= pixel(sc, (*p, 0))[1] <= h - 4 and pixel(sc, (*p, 0))[2] > 0]
    edges = {"footway": [(x, y) for x in range(-60, 61) for y in (-2.3, 2.35)], "road": [(x, y) for x in range(-60, 61) for y in (-10.6, -2.45)]}
    meta["edges"] = {k: [(p, pixel(sc, (*p, 0 if k == "footway" else -.12))) for p in v] for k, v in edges.items()}
    if args.only != "sprites":
        plates(args, spec, sc, sun, world, meta)
    if args.only != "plates":
        sprites(args, spec, sc, meta)
    with open(os.path.join(args.out, ".lock"), "w") as lock:  # another process may add to the same file
        fcntl.flock(lock, fcntl.LOCK_EX)
        old = json.load(open(meta_path)) if os.path.exists(meta_path) else {}
        for k in ("plates", "sprites"):
            meta[k] = {**old.get(k, {}), **meta[k]}
        with open(meta_path + ".tmp", "w") as f:
            json.dump(meta, f)
        os.replace(meta_path + ".tmp", meta_path)


main()
