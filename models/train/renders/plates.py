"""Renders empty streets, the backgrounds on which sprites are laid.

    blender -b -noaudio -P plates.py -- --out DIR --packages SITE --first 0 --count 1 [--spp 24] [--threads 1]

In: seeds; palettes, paving, trees, camera and sun vary. Out: DIR/street_NNN.jpg, 640 x 384, with
nothing on the street that a rule could mind. Pictures that are there already are left alone.
"""
import argparse
import os
import random
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True)
    p.add_argument("--packages", required=True)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--count", type=int, default=1)
    p.add_argument("--spp", type=int, default=24)
    p.add_argument("--threads", type=int, default=1)
    return p.parse_args(sys.argv[sys.argv.index("--") + 1:])


ARGS = arguments()
sys.path[:0] = [HERE]
sys.path.append(ARGS.packages)
import bpy  # noqa: E402
import kit  # noqa: E402
import machines  # noqa: E402
import numpy as np  # noqa: E402
import street  # noqa: E402
import studio  # noqa: E402
from mathutils import Vector  # noqa: E402
from PIL import Image  # noqa: E402

SIZE = (640, 384)
PAVING = [(.34, .335, .32), (.36, .22, .17), (.42, .38, .32), (.24, .24, .25), (.45, .44, .42), (.30, .26, .22)]


def style(rnd):
    c = kit.tint(rnd, PAVING)
    return dict(seed=rnd.randrange(1000, 9999), palette=rnd.choice(list(street.PALETTES)), far_palette=rnd.choice(list(street.PALETTES)),
                paving=(c, tuple(.86 * v for v in c), rnd.choice([(.6, .3), (.4, .2), (.3, .3), (.2, .1)])), bond=rnd.choice([0, .5]),
                asphalt=rnd.uniform(.05, .11), blind_strip=rnd.uniform(-1.2, 1.2), awnings=rnd.random() < .7, crossing=[rnd.uniform(-12, 12)] if rnd.random() < .4 else [],
                trees=[(x + rnd.uniform(-.5, .5), -1.75, rnd.uniform(.85, 1.15)) for x in range(-26, 27, rnd.choice([8, 11, 13]))] if rnd.random() < .7 else [],
                lamps=[rnd.uniform(-14, 14)], bollards=[k * 1.5 - 6 for k in range(8)] if rnd.random() < .25 else [],
                covers=[(rnd.uniform(-6, 6), rnd.choice([-5, -1.3]))], patches=[(rnd.uniform(-5, 5), -5.8, 1.6, 1.0)])


def camera(sc, rnd):
    """Over the road or the footway, 4 to 8 m up, the footway or the road in view."""
    along = rnd.random() < .45
    eye = Vector((rnd.uniform(6, 13) * rnd.choice((-1, 1)), rnd.uniform(-3, .5) if along else rnd.uniform(-10.5, -6), rnd.uniform(4, 8)))
    look = Vector((rnd.uniform(-2, 2), rnd.uniform(-3.5, .5) if along else rnd.uniform(-1.5, .5), .3))
    cam = bpy.data.cameras.new("cam")
    cam.sensor_width, cam.lens, cam.clip_end = 36.0, rnd.uniform(22, 34), 300
    ob = bpy.data.objects.new("cam", cam)
    ob.location, ob.rotation_euler = eye, (look - eye).to_track_quat("-Z", "Y").to_euler()
    sc.collection.objects.link(ob)
    sc.camera = ob


def plate(k, scratch):
    rnd = random.Random(7000 + k)
    sc = studio.clear(ARGS.threads, ARGS.spp)
    sc.render.film_transparent = False
    street.build(style(rnd))
    if rnd.random() < .5:
        with kit.g.placed((rnd.uniform(-6, 6), -3.9, -.12)):
            machines.car(kit.tint(rnd, kit.DULL + [(.6, .6, .6)] * 4), rnd.choice(["sedan", "van"]))
    studio.light(sc, rnd)
    sc.cycles.max_bounces, sc.cycles.diffuse_bounces = 3, 2
    camera(sc, rnd)
    sc.render.resolution_x, sc.render.resolution_y = (int(v * studio.SUPER) for v in SIZE)
    bpy.context.view_layer.update()
    film = studio.render(sc, os.path.join(scratch, "film.exr"))
    grey = film[..., :3].mean(2)
    exposure = rnd.uniform(.17, .30) / float(np.minimum(grey, np.quantile(grey, .95)).mean())  # a street in the shade is exposed as a camera would
    picture = studio.develop(film, film[..., 3] * 0, SIZE, exposure)
    part = os.path.join(ARGS.out, f".street_{k:03d}.jpg")
    Image.fromarray(picture[..., :3]).save(part, "JPEG", quality=95)
    os.replace(part, os.path.join(ARGS.out, f"street_{k:03d}.jpg"))
    print("PLATE", k, flush=True)


def main():
    os.makedirs(ARGS.out, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="plates")
    try:
        for k in range(ARGS.first, ARGS.first + ARGS.count):
            if not os.path.exists(os.path.join(ARGS.out, f"street_{k:03d}.jpg")):
                plate(k, scratch)
    finally:
        shutil.rmtree(scratch)


main()
