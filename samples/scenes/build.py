"""Renders what has changed, then composes the clips and shows them to the detector.

    python build.py --build DIR --out DIR [--model FILE.onnx] [--jobs 2] [--draft] [SCENE ...]

In: the scripts beside it. Out: clips and truth in the out folder. A render is done again only when
the scripts or the numbers it is made from have changed (their SHA-256 lies beside the pictures).
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import scenes as plan

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = {"plates": "geometry materials people machines objects street render".split(),
           "sprites": "geometry materials people machines render".split()}
QUALITY = {"plates": 16, "sprites": 6}  # samples a pixel
DRAFT = {"plates": 6, "sprites": 4}
EVERY = 2  # of the eight poses of a stride; 1 walks more smoothly for twice the time


def key(scene_id, part, track, spp):
    """A hash of everything that shapes these pictures."""
    spec = plan.SCENES[scene_id]
    view = {k: spec[k] for k in ("eye", "look", "f_px", "sun")}
    if part == "plates":
        data = dict(view, states=spec["states"], street=plan.STREETS[spec["world"]], vendor=spec.get("vendor") and plan.LOOKS["vendor"],
                    car=plan.PARKED_CAR)
    else:
        tr = spec["tracks"][track]
        data = dict(view, track=tr, look=plan.LOOKS.get(tr.get("who")), step=plan.STEP_M, every=EVERY)
    h = hashlib.sha256(json.dumps([data, spp], sort_keys=True).encode())
    for name in SCRIPTS[part]:
        h.update(open(os.path.join(HERE, "blender", name + ".py"), "rb").read())
    return h.hexdigest()


def render(job):
    scene_id, part, track, folder, spp = job
    stamp = os.path.join(folder, f".{part}{'-' + track if track else ''}.sha256")
    want = key(scene_id, part, track, spp)
    if os.path.exists(stamp) and open(stamp).read() == want:
        return
    cmd = ["nice", "-n", "15", "blender", "-b", "-noaudio", "--python-exit-code", "1", "-P", os.path.join(HERE, "blender", "render.py"), "--",
           "--scene", scene_id, "--out", folder, "--only", part, "--threads", "1", "--spp" if part == "plates" else "--sprite-spp", str(spp)]
    if track:
        cmd += ["--tracks", track, "--every", str(EVERY)]
    print("render", scene_id, part, track, flush=True)
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(cmd)}\n{done.stdout[-3000:]}")
    with open(stamp, "w") as f:
        f.write(want)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--model")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--draft", action="store_true", help="coarse renders, a quarter of the time")
    p.add_argument("scenes", nargs="*")
    a = p.parse_args()
    names = a.scenes or list(plan.SCENES)
    spp = DRAFT if a.draft else QUALITY
    jobs = [(s, "plates", "", os.path.join(a.build, s), spp["plates"]) for s in names]
    jobs += [(s, "sprites", t, os.path.join(a.build, s), spp["sprites"]) for s in names for t in plan.SCENES[s]["tracks"]]
    with ThreadPoolExecutor(a.jobs) as pool:
        list(pool.map(render, jobs))
    subprocess.run([sys.executable, os.path.join(HERE, "compose.py"), "--build", a.build, "--out", a.out, *names], check=True)
    if a.model:
        subprocess.run([sys.executable, os.path.join(HERE, "check.py"), "--model", a.model,
                        *[os.path.join(a.out, f"{s}.mp4") for s in names]], check=True)


if __name__ == "__main__":
    main()
