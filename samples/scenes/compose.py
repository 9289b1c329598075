"""Plates and sprites to a clip with its ground truth.

    python compose.py --build DIR --out DIR [SCENE ...] [--stills]

In: what blender/render.py wrote to DIR/<scene>/. Out: `<scene>.mp4` (H.264, 1280x720, 10
frames a second, a closed key frame every 2 s, no B frames) and `<scene>.truth.json`. Frames
are mixed in linear light, then seen through a camera: vignette, slight blur, sensor noise that
is new in every frame. The same renders and seed give the same frames.
"""
import argparse
import json
import os
import subprocess
import zlib

import numpy as np

import scenes as plan
from picture import clean, cv2, light, read_exr, show

W, H = plan.SIZE
FADE_S = 0.5
VENDOR_HOLD_S = (2.5, 7.0)
CLOUDY_SHADOW = 0.12


class Plates:
    """The states of one scene as display pictures, with what stands above the ground in each."""

    def __init__(self, folder, spec):
        self.folder, self.spec = folder, spec
        self.meta = json.load(open(os.path.join(folder, "meta.json")))
        first = next(iter(spec["states"]))
        self.base = self._read(first)
        self.pos = self._read(first, "pos")
        self.pictures = {}

    def _read(self, name, what="file"):
        return read_exr(os.path.join(self.folder, self.meta["plates"][name][what]))[..., :3]

    def linear(self, name, under=None):
        p = self.meta["plates"][name]
        if p["box"] is None:
            return self._read(name), self._read(name, "pos")
        im, pos = (self.base.copy(), self.pos.copy()) if under is None else [v.copy() for v in under]
        x, y = p["box"][:2]
        for whole, part in ((im, self._read(name)), (pos, self._read(name, "pos"))):
            whole[y:y + part.shape[0], x:x + part.shape[1]] = part
        return im, pos

    def display(self, name):
        """(display float 0..1, occluder depth in metres along the view, inf on the ground)"""
        if name not in self.pictures:
            under = self.linear("stall") if name.startswith("vendor") else None
            im, pos = self.linear(name, under)
            seen = clean((show(im) * 255 + .5).astype(np.uint8)).astype(np.float32) / 255
            depth = (pos[..., ::-1] - np.array(self.meta["eye"], np.float32)) @ np.array(self.meta["forward"], np.float32)
            depth[(pos[..., 0] < .12) | (depth < .1)] = np.inf  # BGR of a position: z comes first
            self.pictures[name] = seen, depth
        return self.pictures[name]


class Actors:
    """Walkers and cars: which sprite is where at a time."""

    def __init__(self, folder, spec, meta):
        self.folder, self.spec, self.meta, self.cache = folder, spec, meta, {}
        ground, px = zip(*meta["ground"])
        self.image_from_ground = cv2.findHomography(np.array(ground, float), np.array(px, float))[0]

    def at(self, t):
        """[(sprite, metres behind the wanted place)] on the picture at t, the farthest first."""
        out = []
        for name, start in self.spec["timeline"]["actors"]:
            tr = self.spec["tracks"][name]
            speed = tr.get("speed", 1.22)
            have = [s for s in self.meta["sprites"].get(name, []) if os.path.exists(os.path.join(self.folder, s["file"]))]
            walked = (t - start) * speed
            if not have or not have[0]["walked"] - .2 <= walked <= have[-1]["walked"] + .2:
                continue
            best = min(have, key=lambda s: abs(s["walked"] - walked))
            out.append((best, walked - best["walked"], have))
        return sorted(out, key=lambda o: -o[0]["depth"])

    def picture(self, s):
        if s["file"] not in self.cache:
            im = read_exr(os.path.join(self.folder, s["file"]))
            rgb = (show(im[..., :3]) * 255).astype(np.uint8)
            self.cache[s["file"]] = light(clean(rgb, 3).astype(np.float32) / 255), np.clip(im[..., 3], 0, 1)
        return self.cache[s["file"]]


def slide(s, metres, have, image_from_ground):
    """Pixels to shift a sprite so that it stands `metres` further along its track."""
    i = have.index(s)
    o, sign = (have[i + 1], 1) if i + 1 < len(have) else (have[i - 1], -1)
    whole = 2 < s["body"][0] and s["body"][2] < W - 2 and s["body"][3] < H - 2
    if len(have) < 2 or not whole:  # a sprite cut by the picture's edge would show the cut
        return 0, 0
    here = np.array(s["at"])
    along = (np.array(o["at"]) - here) * sign / abs(o["walked"] - s["walked"])
    p = cv2.perspectiveTransform(np.array([[here, here + along * metres]]), image_from_ground)[0]
    return tuple(round(float(v)) for v in p[1] - p[0])


def put(frame, depth, actors, item, cloud):
    s, metres, have = item
    rgb, a = actors.picture(s)
    dx, dy = slide(s, metres, have, actors.image_from_ground)
    x0, y0 = s["box"][0] + dx, s["box"][1] + dy
    x1, y1 = min(W, x0 + a.shape[1]), min(H, y0 + a.shape[0])
    cx, cy = max(0, -x0), max(0, -y0)
    rgb, a = rgb[cy:y1 - y0, cx:x1 - x0], a[cy:y1 - y0, cx:x1 - x0]
    x0, y0 = max(0, x0), max(0, y0)
    if a.size == 0:
        return
    solid = np.clip((rgb.sum(2) - .004) / .02, 0, 1) * (a > .9)
    if cloud:
        a = a * (solid + (1 - solid) * (1 - cloud * (1 - CLOUDY_SHADOW)))
        rgb = rgb * (1 + cloud * (np.array([.62, .52, .45], np.float32) - 1))
    a = np.where(a < .04, 0, a)
    a = a * (depth[y0:y1, x0:x1] > s["depth"] - .3)
    part = frame[y0:y1, x0:x1]
    frame[y0:y1, x0:x1] = show(light(part) * (1 - a[..., None]) + rgb * (a > 0)[..., None])


def vendor_script(seed, start, end):
    """[(from_s, plate)]: the vendor shifts between three poses at uneven intervals."""
    rnd = np.random.default_rng(seed)
    out, t, pose = [], start, 0
    while t < end:
        out.append((t, f"vendor{3 * pose}"))
        t += rnd.uniform(*VENDOR_HOLD_S)
        out += [(t, f"vendor{3 * pose + 1}"), (t + .2, f"vendor{3 * pose + 2}")]
        t += .4
        pose = (pose + 1) % 3
    return out


def state_at(spec, t, vendor):
    """(plate, next plate, mix 0..1)"""
    rows = [(r[0], r[1], r[2] if len(r) > 2 else FADE_S) for r in spec["timeline"]["states"]]

    def dress(name, when):
        if name == "stall" and vendor:
            return [n for s, n in vendor if s <= max(when, vendor[0][0])][-1]
        return name
    now, following, k = rows[0][1], None, 0.0
    for start, name, fade in rows[1:]:
        if t >= start:
            now = name
        elif t > start - fade:
            following, k = name, 1 - (start - t) / fade
    return dress(now, t), dress(following, t) if following else None, k


class Camera:
    """Vignette, blur, gain wander and sensor noise; noise is drawn anew for every frame."""

    def __init__(self, seed):
        self.rnd = np.random.default_rng(seed)
        y, x = np.mgrid[:H, :W].astype(np.float32)
        r2 = ((x - W / 2) / W) ** 2 + ((y - H / 2) / W) ** 2
        self.vignette = (1 - .42 * r2)[..., None]
        self.tiles = [self.rnd.normal(0, 1, (H + 64, W + 64)).astype(np.float32) for _ in range(6)]
        self.chroma = [cv2.resize(self.rnd.normal(0, 1, (H // 2 + 64, W // 2 + 64, 3)).astype(np.float32), (W + 128, H + 128)) for _ in range(4)]

    def shoot(self, display):
        im = cv2.GaussianBlur(display, (3, 3), .55) * self.vignette * 255
        tile = self.tiles[self.rnd.integers(6)]
        y, x = self.rnd.integers(64, size=2)
        n = tile[y:y + H, x:x + W]
        y, x = self.rnd.integers(64, size=2)
        c = self.chroma[self.rnd.integers(4)][y:y + H, x:x + W]
        im += (n * 2.0)[..., None] + c * .8
        return np.clip(im + .5, 0, 255).astype(np.uint8)


def encoder(path):
    return subprocess.Popen(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{W}x{H}", "-r", str(plan.FPS),
         "-i", "-", "-an", "-c:v", "libx264", "-profile:v", "main", "-preset", "medium", "-threads", "2", "-pix_fmt", "yuv420p", "-g", "20", "-keyint_min", "20",
         "-sc_threshold", "0", "-bf", "0", "-flags", "+cgop", "-crf", "27", "-maxrate", "480k", "-bufsize", "1600k", "-x264-params",
         "ipratio=1.6:aq-mode=1", "-movflags", "+faststart", "-metadata", "title=Shirong sample scene (rendered)", path], stdin=subprocess.PIPE)


def truth(scene_id, spec, meta):
    east, north = spec["ground_offset_m"]

    def far_apart(points, count):
        chosen = [min(points, key=lambda p: p[1][0] + p[1][1])]
        while len(chosen) < count:
            chosen.append(max(points, key=lambda p: min((p[1][0] - q[1][0]) ** 2 + (p[1][1] - q[1][1]) ** 2 for q in chosen)))
        return chosen
    ground = [p for p in meta["ground"] if p[0][0] == int(p[0][0])]
    control = [dict(pixel=[round(v, 3) for v in px], lonlat=[round(v, 9) for v in plan.lonlat(east + x, north + y)])
               for (x, y), px in far_apart(ground, 12)]
    zones = {name: zone(meta["edges"][name]) for name in ("footway", "road")}
    events = []
    if spec["event"]:
        boxes = [meta["boxes"][k] for k in spec["key"] if meta["boxes"].get(k)]
        box = [min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)]
        e, n = east + spec["foot_m"][0], north + spec["foot_m"][1]
        start = [r[0] for r in spec["timeline"]["states"]][-1]
        events.append(dict(spec["event"], from_s=start, to_s=float(plan.DURATION_S), ground_m=[e, n],
                           lonlat=[round(v, 9) for v in plan.lonlat(e, n)], box_px=box))
        if "attendant_px" in meta:
            events[0]["attendant_px"] = meta["attendant_px"]
        if spec["event"]["kind"] == "piled_material":
            zones["site"] = zones["footway"]
    return dict(clip=f"{scene_id}.mp4", camera=scene_id, fps=plan.FPS, duration_s=plan.DURATION_S, size=[W, H],
                control_points=control, zones=zones, events=events)


def zone(edge):
    """The part of a strip that the picture shows, as a normalised polygon."""
    ahead = [(xy, px) for xy, px in edge if px[2] > 1.0]
    ys = sorted({xy[1] for xy, _ in ahead})
    low = [px for xy, px in sorted(ahead) if xy[1] == ys[0]]
    high = [px for xy, px in sorted(ahead) if xy[1] == ys[-1]]
    ring = [(p[0], p[1]) for p in low] + [(p[0], p[1]) for p in reversed(high)]
    for axis, limit, sign in ((0, 0, 1), (0, W, -1), (1, 0, 1), (1, H, -1)):  # clip to the picture
        out = []
        for a, b in zip(ring, ring[1:] + ring[:1]):
            da, db = sign * (a[axis] - limit), sign * (b[axis] - limit)
            if da >= 0:
                out.append(a)
            if (da >= 0) != (db >= 0):
                k = da / (da - db)
                out.append(tuple(u + (v - u) * k for u, v in zip(a, b)))
        ring = out
    thin = cv2.approxPolyDP(np.array(ring, np.float32)[:, None], 1.0, True)[:, 0]
    return [[round(float(x) / W, 4), round(float(y) / H, 4)] for x, y in thin]


def compose(scene_id, build, out, stills):
    spec = plan.SCENES[scene_id]
    folder = os.path.join(build, scene_id)
    plates = Plates(folder, spec)
    actors = Actors(folder, spec, plates.meta)
    seed = zlib.crc32(scene_id.encode())
    vendor = vendor_script(seed, 9.5, plan.DURATION_S) if spec.get("vendor") and "vendor0" in plates.meta["plates"] else None
    camera = Camera(seed)
    os.makedirs(out, exist_ok=True)
    final = os.path.join(out, f"{scene_id}.mp4")
    part = os.path.join(out, f".{scene_id}.part.mp4")
    pipe = None if stills else encoder(part)
    for i in range(plan.FPS * plan.DURATION_S) if not stills else (0, 60, 200, 260, 400, 430, 600):
        t = i / plan.FPS
        now, following, k = state_at(spec, t, vendor)
        frame, depth = plates.display(now)
        if following:
            frame = frame * (1 - k) + plates.display(following)[0] * k
            depth = depth if k < .5 else plates.display(following)[1]
        else:
            frame = frame.copy()
        cloud = (k if following == "cloud" else 1 - k) if "cloud" in (now, following) else 0.0
        for item in actors.at(t):
            put(frame, depth, actors, item, cloud)
        shot = camera.shoot(frame)
        if stills:
            cv2.imwrite(os.path.join(out, f"{scene_id}.{i:03d}.png"), shot)
        else:
            pipe.stdin.write(shot.tobytes())
    if pipe:
        pipe.stdin.close()
        if pipe.wait():
            raise SystemExit(f"ffmpeg failed on {scene_id}")
        with open(part + ".json", "w") as f:
            json.dump(truth(scene_id, spec, plates.meta), f, indent=1)
        os.replace(part, final)
        os.replace(part + ".json", os.path.join(out, f"{scene_id}.truth.json"))
        print(f"{final}: {os.path.getsize(final) / 1e6:.2f} MB", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--stills", action="store_true", help="a few frames as PNG instead of a clip")
    p.add_argument("scenes", nargs="*", default=list(plan.SCENES))
    a = p.parse_args()
    for s in a.scenes or plan.SCENES:
        compose(s, a.build, a.out, a.stills)


if __name__ == "__main__":
    main()
