#!/usr/bin/env python3
"""Writes samples/cameras/ID.toml out of samples/clips/ID.truth.json: control points and zones as the scene
has them, rules as an integrator would set them for a clip that lasts a minute instead of a day.

    python samples/scenes/camera_files.py [samples/clips] [samples/cameras]

Comes in: the truth of each clip. Goes out: one camera file a clip. Never: anything that tells the
pipeline what happens in the clip.
"""
import json
import pathlib
import sys

RULES = {
    "stall-east": ["street_vendor", "litter"],
    "stall-west": ["street_vendor", "litter"],
    "litter": ["litter", "overflowing_bin", "street_vendor"],
    "bin": ["overflowing_bin", "litter"],
    "site": ["piled_material"],
    "clean": ["street_vendor", "litter", "overflowing_bin"],
}
NAMES = {
    "stall-east": "Sample street, stall seen from the east",
    "stall-west": "Sample street, the same stall seen from the west",
    "litter": "Sample street with dumped litter",
    "bin": "Sample street with a bin",
    "site": "Sample street with building work",
    "clean": "Sample street, busy and clean",
}
KINDS = {"footway": "footway", "road": "road", "site": "construction_watch"}
EXTRA = {"stall-west": 'user = "shirong"\npassword_file = "sample.password"\n', "bin": 'transport = "udp"\n'}
MORE = {
    "piled_material": [
        "# The model knows the excavator, not the sand: on a real street leave this out.",
        'classes = ["material_pile", "machinery"]',
    ],
}
DWELL_SECS = 20
SIGHTING_SECS = 20


def camera_file(truth):
    name = truth["camera"]
    out = [
        f"# Written by samples/scenes/camera_files.py from {name}.truth.json.",
        f'name = "{NAMES[name]}"',
        "",
        "[stream]",
        f'url = "rtsp://127.0.0.1:8554/{name}"',
        EXTRA.get(name, "").rstrip(),
        "",
        "[calibration]",
        f"image_size = {truth['size']}",
    ]
    for point in truth["control_points"]:
        out += ["[[calibration.point]]", f"pixel = {point['pixel']}", f"lonlat = {point['lonlat']}"]
    for zone, polygon in truth["zones"].items():
        out += ["", "[[zone]]", f'id = "{zone}"', f'kind = "{KINDS[zone]}"', f"polygon = {polygon}"]
    for rule in RULES[name]:
        out += ["", "[[rule]]", f'kind = "{rule}"'] + MORE.get(rule, [])
        out += ["# A clip lasts 80 s: on a real street leave this out."]
        out += [f"dwell_secs = {DWELL_SECS}", f"sighting_secs = {SIGHTING_SECS}"]
    return "\n".join(line for line in out if line is not None).replace("\n\n\n", "\n\n") + "\n"


def main():
    clips = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "samples/clips")
    cameras = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "samples/cameras")
    cameras.mkdir(parents=True, exist_ok=True)
    for path in sorted(clips.glob("*.truth.json")):
        truth = json.loads(path.read_text())
        (cameras / f"{truth['camera']}.toml").write_text(camera_file(truth))


if __name__ == "__main__":
    main()
