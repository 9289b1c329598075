#!/usr/bin/env python3
"""What OpenCV and PROJ make of the same numbers: expected.json for calib/tests/geometry_reference.rs.

Comes in: nothing; the seed is fixed. Goes out on stdout: JSON. Never: anything of Shirong's own.
"""
import json

import cv2
import numpy
import pyproj

SIZE = [1920, 1080]
ORIGIN = [118.65, 34.92]
random = numpy.random.default_rng(20260)


def rounded(array, digits):
    return numpy.round(numpy.asarray(array, dtype=float), digits).tolist()


def camera(height, pitch_deg, yaw_deg, focal):
    """OpenCV's rvec, tvec and matrix of a camera over the origin; the world is east, north, up."""
    pitch, yaw = numpy.radians([pitch_deg, yaw_deg])
    forward = numpy.array(
        [numpy.sin(yaw) * numpy.cos(pitch), numpy.cos(yaw) * numpy.cos(pitch), -numpy.sin(pitch)]
    )
    right = numpy.array([numpy.cos(yaw), -numpy.sin(yaw), 0.0])
    turn = numpy.stack([right, numpy.cross(forward, right), forward])
    shift = -turn @ numpy.array([0.0, 0.0, height])
    matrix = numpy.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1.0]])
    return turn, shift, matrix


def ground_at(turn, shift, matrix, pinhole):
    """Where a pinhole's pixel meets the ground."""
    rays = (turn.T @ numpy.linalg.inv(matrix) @ numpy.c_[pinhole, numpy.ones(len(pinhole))].T).T
    centre = -turn.T @ shift
    return (centre - rays * (centre[2] / rays[:, 2])[:, None])[:, :2]


def spread(count, top):
    """Pixels on a jittered raster below `top`."""
    columns = int(numpy.ceil(count**0.5))
    cells = [(i % columns, i // columns) for i in range(count)]
    rows = cells[-1][1] + 1
    cells = numpy.array(cells) + random.uniform(0.2, 0.8, (count, 2))
    return cells / [columns, rows] * [SIZE[0], SIZE[1] - top] + [0, top]


VIEWS = [(6.0, 25.0, 20.0, 1400.0), (3.5, 12.0, 200.0, 1100.0), (12.0, 50.0, 310.0, 1900.0)]


def homographies():
    """Noisy points, the homography of least squares in the picture, and where it shows other places."""
    cases = []
    for view in VIEWS:
        turn, shift, matrix = camera(*view)
        top = max(SIZE[1] / 2 - view[3] * numpy.tan(numpy.radians(view[1])) + 120, 40)
        pixels = spread(11, top)
        ground = rounded(ground_at(turn, shift, matrix, pixels), 4)
        pixels = rounded(pixels + random.normal(0, 1.0, pixels.shape), 3)
        found, _ = cv2.findHomography(numpy.array(ground), numpy.array(pixels), 0)
        others = spread(6, top)
        places = ground_at(turn, shift, matrix, others)
        shown = cv2.perspectiveTransform(places[None], found)[0]
        back = cv2.perspectiveTransform(others[None], numpy.linalg.inv(found))[0]
        cases.append({
            "pixels": pixels, "ground_m": ground,
            "places_m": rounded(places, 5), "shown": rounded(shown, 5),
            "others": rounded(others, 5), "back_m": rounded(back, 5),
        })
    return cases


LENSES = [(1400.0, [-0.32, 0.11, 0.0012, -0.0008]), (1000.0, [-0.21, 0.05, 0.0, 0.0]), (1900.0, [0.08, -0.04, -0.002, 0.001])]


def lenses():
    """Pixels of a picture and what a pinhole would have shown, both ways."""
    cases = []
    for focal, coefficients in LENSES:
        matrix = numpy.array([[focal, 0, 953.5], [0, focal, 547.25], [0, 0, 1.0]])
        distortion = numpy.array(coefficients)
        shown = rounded(spread(12, 0), 3)
        ends = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
        straight = cv2.undistortPointsIter(
            numpy.array(shown)[:, None], matrix, distortion, None, matrix, ends
        )[:, 0]
        cases.append({
            "centre": [953.5, 547.25], "focal_px": focal, "k1_k2_p1_p2": coefficients,
            "shown": shown, "pinhole": rounded(straight, 6),
        })
    return cases


def whole():
    """A camera with a known lens: control points and other places as OpenCV projects them."""
    turn, shift, matrix = camera(*VIEWS[0])
    focal, coefficients = LENSES[0]
    pinholes = spread(24, 160) * 0.8 + [192, 150]
    ground = numpy.array(rounded(ground_at(turn, shift, matrix, pinholes), 4))
    world = numpy.c_[ground, numpy.zeros(len(ground))]
    rotation, _ = cv2.Rodrigues(turn)
    shown = cv2.projectPoints(world, rotation, shift, matrix, numpy.array(coefficients))[0][:, 0]
    return {
        "centre": [SIZE[0] / 2, SIZE[1] / 2], "focal_px": focal, "k1_k2_p1_p2": coefficients,
        "ground_m": ground.tolist(), "shown": rounded(shown, 5),
    }


CODES = [4490, 4491, 4502, 4508, 4512, 4513, 4527, 4533, 4534, 4547, 4548, 4549, 4554, 32643, 32650, 32653]


def projections():
    cases = []
    for code in CODES:
        crs = pyproj.CRS.from_epsg(code)
        to_metres = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
        meridian = crs.coordinate_operation.params[1].value if crs.is_projected else 117.0
        for lon, lat in [(0.4, 22.1), (-1.3, 34.92), (1.5, 47.6), (-2.6, 30.2)]:
            place = [round(meridian + lon, 6), lat]
            if not 73 <= place[0] <= 136:
                continue
            cases.append({"epsg": code, "lonlat": place, "at": rounded(to_metres.transform(*place), 9)})
    return cases


def plane():
    """East and north of the origin along the ellipsoid, for places as far as a street camera sees."""
    geod = pyproj.Geod(a=6378137.0, rf=298.257222101)
    cases = []
    for bearing in range(0, 360, 45):
        for distance in [20.0, 100.0, 300.0]:
            lon, lat, _ = geod.fwd(*ORIGIN, bearing, distance)
            at = numpy.radians(bearing)
            cases.append({
                "lonlat": rounded([lon, lat], 12),
                "east_north_m": rounded([distance * numpy.sin(at), distance * numpy.cos(at)], 6),
            })
    return {"origin": ORIGIN, "cases": cases}


print(json.dumps({
    "with": {"opencv": cv2.__version__, "pyproj": pyproj.__version__, "proj": pyproj.proj_version_str},
    "size": SIZE, "homographies": homographies(), "lenses": lenses(), "whole": whole(),
    "projections": projections(), "plane": plane(),
}, indent=1))
