"""The six sample cameras as data: street, camera, states of the scene, walkers, timeline, truth.

Plain Python, imported both inside Blender (to build and render) and outside (to compose).
World axes in metres: x east along the street, y north, z up, footway surface at z = 0.
A scene's world origin lies at `ground_offset_m` (east, north) in the county's local frame.
"""
import math

ORIGIN_LONLAT = (118.6500, 34.9200)  # EPSG:4490, of local ground (0, 0)
SIZE = (1280, 720)
FPS = 10
DURATION_S = 80
STEP_M = 0.17  # a walker is rendered once every so many metres: an eighth of a stride

# ---- people ------------------------------------------------------------------------------------
LOOKS = {
    "vendor": dict(shirt=(.10, .16, .30), trousers=(.06, .06, .07), hat="straw", apron=(.50, .05, .04), girth=1.1, height=1.66,
                   long_sleeves=True),
    "woman_red": dict(shirt=(.50, .04, .05), trousers=(.03, .04, .08), long_hair=True, load="handbag", load_col=(.30, .18, .08), height=1.63),
    "man_white": dict(shirt=(.62, .62, .60), trousers=(.05, .06, .10), height=1.75),
    "man_dark": dict(shirt=(.05, .07, .10), trousers=(.16, .14, .11), long_sleeves=True, load="backpack", load_col=(.04, .12, .10), height=1.74),
    "woman_skirt": dict(shirt=(.60, .52, .20), trousers=(.05, .05, .05), skirt=(.08, .12, .30), long_hair=True, height=1.62, girth=.95),
    "man_blue": dict(shirt=(.06, .20, .48), trousers=(.30, .26, .18), hat="cap", hat_col=(.04, .04, .05), height=1.72, girth=1.08),
    "umbrella": dict(shirt=(.35, .10, .30), trousers=(.04, .04, .06), load="umbrella", load_col=(.05, .16, .50), long_hair=True, height=1.64),
    "worker": dict(shirt=(.70, .22, .02), trousers=(.05, .07, .14), hat="cap", hat_col=(.65, .48, .02), long_sleeves=True, height=1.72),
}

# ---- streets -----------------------------------------------------------------------------------
GREY_SLAB = ((.34, .335, .32), (.29, .285, .275), (.6, .3))
RED_SLAB = ((.36, .22, .17), (.31, .19, .15), (.4, .2))
WARM_SLAB = ((.42, .38, .32), (.36, .33, .28), (.3, .3))
STREETS = {
    "stall": dict(seed=3, palette="brick", paving=GREY_SLAB, trees=[(-13.2, -1.75, 1.0), (9.0, -1.75, 1.05), (19, -1.75, 1.1), (-19, -1.75, 1)],
                  lamps=[14.0], bollards=[], awnings=False, covers=[(-3, -5.0), (3.4, -1.4)], patches=[(5, -5.5, 1.6, 1.0)], blind_strip=.6),
    "litter": dict(seed=8, palette="cream", paving=RED_SLAB, trees=[(7.2, -1.75, 1.0), (-8.5, -1.75, 1.0), (-18, -1.75, 1)],
                   lamps=[-4.6], bollards=[], covers=[(3.0, -4.8)], patches=[(-3, -6, 1.2, 1.6)], blind_strip=-.9),
    "bin": dict(seed=5, palette="white", paving=WARM_SLAB, trees=[(-6.0, -1.75, 1.0), (9, -1.75, 1.0)], lamps=[3.6], bollards=[],
                covers=[(-2.2, -1.3)], blind_strip=-.5),
    "site": dict(seed=12, palette="grey", paving=GREY_SLAB, trees=[(-10.5, -1.75, 1.1), (11.5, -1.75, 1.0)], lamps=[7.5], bollards=[],
                 covers=[(-5, -6)], patches=[(2, -5.2, 2.4, .8)], blind_strip=1.2),
    "clean": dict(seed=17, palette="brick", paving=WARM_SLAB, trees=[(-3.6, -1.75, 1.0), (6.4, -1.75, 1.05), (14.5, -1.75, 1.0)],
                  lamps=[10.4], bollards=[], covers=[(1.5, -6.2)], crossing=[-7.0], blind_strip=.4),
}

# ---- cameras: at, looking at, focal length in pixels, sun azimuth (from north, clockwise) and height ----
SCENES = {
    "stall-east": dict(
        world="stall", ground_offset_m=(30, 20), eye=(8.0, -10.2, 5.8), look=(-.35, .1, .45), f_px=1130, sun=(205, 50),
        states=dict(empty=[], stall=["stall"]), key=["stall"], foot_m=(0, .5),
        tracks=dict(
            a=dict(who="man_white", path=[(-7.5, -1.3), (9, -1.2)]),
            b=dict(who="woman_red", path=[(9, -1.65), (-8, -1.5)]),
            car=dict(kind="car", car=("sedan", (.55, .56, .57)), path=[(9, -4.9), (-16, -4.9)], speed=8.5)),
        vendor=True,
        event=dict(id="stall-1", kind="street_vendor", matter="09006", what="a fruit stall under an umbrella trades on the footway", seen_by_weights=True),
        timeline=dict(states=[(0, "empty"), (10.0, "stall")],
                      actors=[("a", 2.5), ("b", 18.0), ("car", 27.0), ("a", 38.0), ("car", 47.3), ("b", 56.0), ("car", 69.0)])),
    "stall-west": dict(
        world="stall", ground_offset_m=(30, 20), eye=(-10.0, -6.3, 5.3), look=(.2, .35, .45), f_px=1130, sun=(205, 50),
        states=dict(empty=[], stall=["stall"]), key=["stall"], foot_m=(0, .5),
        tracks=dict(
            a=dict(who="man_dark", path=[(9.5, -1.3), (-6.5, -1.4)]),
            b=dict(who="woman_skirt", path=[(-6.5, -1.7), (9.5, -1.5)]),
            car=dict(kind="car", car=("sedan", (.58, .58, .56)), path=[(19, -4.9), (-6.5, -4.9)], speed=8.5)),
        vendor=True,
        event=dict(id="stall-1", kind="street_vendor", matter="09006", what="a fruit stall under an umbrella trades on the footway", seen_by_weights=True),
        timeline=dict(states=[(0, "empty"), (10.0, "stall")],
                      actors=[("b", 1.5), ("a", 16.0), ("car", 31.0), ("b", 41.0), ("car", 53.3), ("a", 61.0)])),
    "litter": dict(
        world="litter", ground_offset_m=(180, 20), eye=(-3.2, -10.0, 5.5), look=(.45, -.1, .15), f_px=1250, sun=(160, 46),
        states=dict(empty=[], heap=["heap"]), key=["heap"], foot_m=(.6, .3),
        tracks=dict(
            a=dict(who="man_blue", path=[(-5.5, -1.2), (7.5, -1.1)]),
            b=dict(who="woman_skirt", path=[(7.0, -1.6), (-5.5, -1.5)]),
            car=dict(kind="car", car=("sedan", (.03, .05, .10)), path=[(11, -4.8), (-9, -4.8)], speed=8.0)),
        event=dict(id="litter-1", kind="litter", matter="06010", what="bags, cartons and loose rubbish dumped on the footway and left", seen_by_weights=True),
        timeline=dict(states=[(0, "empty"), (10.0, "heap")],
                      actors=[("b", 1.0), ("car", 15.0), ("a", 24.7), ("car", 40.3), ("b", 47.0), ("a", 63.0), ("car", 74.3)])),
    "bin": dict(
        world="bin", ground_offset_m=(330, 20), eye=(3.6, -8.2, 4.5), look=(-.25, .35, .35), f_px=1480, sun=(215, 48),
        states=dict(clean=["bin_shut"], fuller=["bin_ajar", "bin_fill0"], over=["bin_open", "bin_fill1", "bin_foot"]),
        key=["bin_open", "bin_fill1", "bin_foot"], foot_m=(0, .8),
        tracks=dict(
            a=dict(who="woman_red", path=[(4.2, -.9), (-5.5, -.9)]),
            b=dict(who="man_dark", path=[(-5.5, -1.5), (4.0, -1.5)])),
        event=dict(id="bin-1", kind="overflowing_bin", matter="06042", what="a wheeled bin overflows, bags lie at its foot", seen_by_weights=True),
        timeline=dict(states=[(0, "clean"), (8.0, "fuller"), (14.0, "over")],
                      actors=[("b", .5), ("a", 20.6), ("b", 37.0), ("a", 55.0), ("b", 70.0)])),
    "site": dict(
        world="site", ground_offset_m=(480, 20), eye=(-4.3, -11.0, 6.0), look=(.35, .15, .55), f_px=1420, sun=(190, 52),
        states=dict(empty=[], site=["material", "machine"]), key=["material", "machine"], foot_m=(.2, .3),
        tracks=dict(
            a=dict(who="worker", path=[(-5.2, -1.85), (6.5, -1.8)]),
            b=dict(who="man_white", path=[(6.6, -1.95), (-5.4, -1.9)]),
            car=dict(kind="car", car=("sedan", (.35, .03, .03)), path=[(10, -5.2), (-9, -5.2)], speed=8.0)),
        event=dict(id="site-1", kind="piled_material", matter="08006", what="sand, bricks, timber, steel and an excavator arrive on the footway and stay",
                   seen_by_weights=True, unseen="sand, bricks, timber, steel: no class names them"),
        timeline=dict(states=[(0, "empty"), (10.0, "site")],
                      actors=[("b", 1.0), ("a", 16.0), ("car", 33.0), ("a", 42.0), ("b", 58.0), ("car", 72.3)])),
    "clean": dict(
        world="clean", ground_offset_m=(630, 20), eye=(-6.4, -9.9, 5.5), look=(.6, -.9, .35), f_px=1040, sun=(170, 47),
        states=dict(clean=["parked"], cloud=["parked"]), key=[], foot_m=None,
        tracks=dict(
            a=dict(who="man_white", path=[(-5.6, .4), (10, .6)]),
            b=dict(who="woman_red", path=[(10, -.7), (-6.2, -.6)]),
            c=dict(who="umbrella", path=[(9, 1.2), (-6, 1.3)]),
            d=dict(who="man_blue", path=[(-6.0, -.2), (10, -.1)]),
            car=dict(kind="car", car=("sedan", (.50, .50, .51)), path=[(15, -6.1), (-10, -6.1)], speed=8.0)),
        event=None,
        timeline=dict(states=[(0, "clean"), (33.0, "cloud", 5.0), (47.0, "clean", 6.0)],
                      actors=[("a", .5), ("b", 6.5), ("car", 12.3), ("c", 18.0), ("d", 24.5), ("a", 36.0), ("c", 42.0), ("b", 51.0),
                              ("car", 50.3), ("d", 60.0), ("c", 63.0), ("car", 68.3), ("b", 73.0)])),
}
PARKED_CAR = dict(at=(3.4, -3.95), turn=180, kind="van", col=(.60, .60, .58))


def sun_direction(scene):
    """Unit vector from the ground towards the sun."""
    az, el = (math.radians(v) for v in scene["sun"])
    return (math.sin(az) * math.cos(el), math.cos(az) * math.cos(el), math.sin(el))


def track_points(track):
    """Where a track's renders stand: [(x, y, heading_deg, metres walked)]."""
    step = STEP_M if track.get("kind") != "car" else track["speed"] / FPS
    out, done, carry = [], 0.0, 0.0
    for (x0, y0), (x1, y1) in zip(track["path"], track["path"][1:]):
        length = math.hypot(x1 - x0, y1 - y0)
        s = carry
        while s <= length:
            t = s / length
            out.append((x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, math.degrees(math.atan2(y1 - y0, x1 - x0)), done + s))
            s += step
        carry, done = s - length, done + length
    return out


def lonlat(east_m, north_m):
    """EPSG:4490 degrees of a local ground position; radii of curvature at the origin."""
    a, f = 6378137.0, 1 / 298.257222101
    e2 = f * (2 - f)
    lon0, lat0 = ORIGIN_LONLAT
    w = math.sqrt(1 - e2 * math.sin(math.radians(lat0)) ** 2)
    prime, meridian = a / w, a * (1 - e2) / w ** 3
    return (lon0 + math.degrees(east_m / (prime * math.cos(math.radians(lat0)))), lat0 + math.degrees(north_m / meridian))
