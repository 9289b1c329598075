"""Renders sprites of street things for training the default detector.

    blender -b -noaudio -P render_sprites.py -- --out DIR --packages SITE [--count 40] [--share 0/2]
        [--only stall,goods] [--first 0] [--spp 10] [--threads 1]

In: nothing but seeds: sprite i of a class is the same on every machine. Out, in DIR: NAME.png (RGBA,
straight alpha, sRGB) and, after it, NAME.json {class, boxes, metres, pitch_deg}. Classes take turns,
so that a run stopped early has about as many of each; those of `DOUBLE` come twice as often.
`--share k/n` renders every n-th sprite. Sprites that are there already are left alone.
"""
import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True)
    p.add_argument("--packages", required=True, help="a site-packages folder with numpy and Pillow")
    p.add_argument("--count", type=int, default=40)
    p.add_argument("--share", default="0/1")
    p.add_argument("--only", default="")
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--spp", type=int, default=10)
    p.add_argument("--threads", type=int, default=1)
    return p.parse_args(sys.argv[sys.argv.index("--") + 1:])


ARGS = arguments()
sys.path[:0] = [HERE]
sys.path.append(ARGS.packages)
import bpy  # noqa: E402
import kit  # noqa: E402  (puts the sample scenes' builders on the path)
import engines  # noqa: E402
import furnish  # noqa: E402
import lookalikes  # noqa: E402
import riding  # noqa: E402
import site_things as site  # noqa: E402
import studio  # noqa: E402
import vendors  # noqa: E402
import waste  # noqa: E402
from PIL import Image  # noqa: E402

DOUBLE = dict(stall=vendors.stall, goods=vendors.goods, cargo_tricycle=riding.cargo_tricycle, material_pile=site.material_pile, scaffold=site.scaffold,
              hoarding=site.hoarding, machinery=engines.machinery)
SINGLE = dict(garbage=waste.garbage, garbage_bin=waste.garbage_bin, bin_overflow=waste.bin_overflow, traffic_cone=furnish.traffic_cone, table=furnish.table,
              chair=furnish.chair, umbrella=furnish.umbrella, negative=lookalikes.negative)
# how far round from the front (-y) the camera may go, where the back shows nothing of what matters
FRONT_DEG = dict(bin_overflow=105, scaffold=72, stall=130)


def plan(count, only):
    """[(class, i)] in the order of rendering."""
    for k in range(count):
        for cls in DOUBLE:
            yield from ((cls, i) for i in (2 * k, 2 * k + 1) if not only or cls in only)
        yield from ((cls, k) for cls in SINGLE if not only or cls in only)


def build(cls, i, rnd):
    if cls == "negative":
        lookalikes.negative(rnd, i)
    else:
        {**DOUBLE, **SINGLE}[cls](rnd)


def sprite(cls, i, out, scratch):
    """Builds, renders and writes one sprite."""
    name = f"{cls}_{i:03d}"
    rnd = random.Random(zlib.crc32(name.encode()))
    sc = studio.clear(ARGS.threads, ARGS.spp)
    sc.cycles.seed = i
    build(cls, i, rnd)
    bpy.context.view_layer.update()
    to_sun, exposure = studio.light(sc, rnd)
    studio.catcher(sc)
    pts, ids = studio.world_points()
    bpy.context.view_layer.update()
    seen = studio.aim(sc, rnd, pts, to_sun, rnd.uniform(256, 320), FRONT_DEG.get(cls))
    film, index, shade = studio.shoot(sc, scratch)
    picture = studio.develop(film, shade, seen["size"], exposure)
    boxes = studio.boxes(index, ids, seen, kit.LABELS)
    main = boxes[0] if boxes else [None, 0, 0, *seen["size"]]
    about = {"class": cls, "boxes": boxes, "metres": round((main[3] - main[1]) * seen["depth"] / seen["f_px"], 2), "pitch_deg": round(seen["pitch_deg"], 1)}
    part = os.path.join(out, f".{name}.png")
    Image.fromarray(picture, "RGBA").save(part, "PNG")
    os.replace(part, os.path.join(out, name + ".png"))
    part = os.path.join(out, f".{name}.json")
    with open(part, "w") as f:
        json.dump(about, f)
    os.replace(part, os.path.join(out, name + ".json"))


def main():
    os.makedirs(ARGS.out, exist_ok=True)
    share, of = (int(v) for v in ARGS.share.split("/"))
    only = set(ARGS.only.split(",")) - {""}
    scratch = tempfile.mkdtemp(prefix="sprites")
    try:
        for n, (cls, i) in enumerate(plan(ARGS.count, only)):
            if n % of != share or i < ARGS.first or os.path.exists(os.path.join(ARGS.out, f"{cls}_{i:03d}.json")):
                continue
            start = time.process_time()
            try:
                sprite(cls, i, ARGS.out, scratch)
            except Exception:  # one bad seed must not end the run; the next render does not depend on it
                traceback.print_exc()
                print("FAILED", cls, i, flush=True)
                continue
            print("SPRITE", cls, i, round(time.process_time() - start, 2), flush=True)
    finally:
        shutil.rmtree(scratch)


main()
