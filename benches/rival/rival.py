#!/usr/bin/env python3
"""The fair rival: what a capable engineer puts together in an afternoon from the
libraries that people like — PyAV, ONNX Runtime or OpenVINO, trackers, supervision.

It does the same work as one camera set of ours: read N streams (files or RTSP),
decode key frames only (or every frame with --all), letterbox, detect with a YOLOX
model, track, test a zone, and report what stayed in the zone for the dwell.
It prints one JSON line: looks, findings, wall and CPU seconds without its start, waits, memory, threads.

    python rival.py --model city.onnx --engine openvino --streams 8 clip.mp4 [clip2.mp4 …]
    python rival.py --model city.onnx --streams 24 --secs 20 rtsp://127.0.0.1:8554/0 […]

Each stream is read on a worker thread; a file is read as fast as it decodes, and ends. Cameras do not: they are
measured for --secs, which begin some seconds after each had its first look. Waits are those of a decoded picture.
"""
import argparse
import json
import os
import queue
import resource
import statistics
import sys
import threading
import time
import traceback

import av
import cv2
import numpy as np
import supervision as sv
from trackers import ByteTrackTracker


# After every camera had a look: what came at once at the start is worked off before anything is measured.
SETTLE_SECS = 10
# Longest that nothing may come.
SILENCE_SECS = 120


def letterbox(image, size, step):
    """Square, or with `step` only as large as the picture needs, in its multiples."""
    height, width = image.shape[:2]
    scale = min(size / height, size / width)
    across, down = (-(-int(side * scale) // step) * step for side in (width, height)) if step else (size, size)
    canvas = np.full((down, across, 3), 114, np.uint8)
    resized = cv2.resize(image, (round(width * scale), round(height * scale)))
    canvas[: resized.shape[0], : resized.shape[1]] = resized
    return canvas, scale


class Yolox:
    """YOLOX raw-grid decoder; input [1,3,H,W] BGR 0..255, output [1,N,5+C]."""

    def __init__(self, path, engine, threads, size, step):
        self.size, self.step, self.shape = size, step, None
        if engine == "ort":
            import onnxruntime as ort

            options = ort.SessionOptions()
            options.intra_op_num_threads = threads

            def compiled(height, width):
                options.add_free_dimension_override_by_name("height", height)
                options.add_free_dimension_override_by_name("width", width)
                session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
                name = session.get_inputs()[0].name
                return lambda x: session.run(None, {name: x})[0]
        else:
            import openvino as ov


            def compiled(height, width):
                core = ov.Core()
                model = core.read_model(path)
                model.reshape([1, 3, height, width])
                hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
                network = core.compile_model(model, "CPU", hints)
                request = network.create_infer_request()
                return lambda x: request.infer([x])[network.output(0)]

        self.compiled = compiled

    def prepare(self, shape):
        """For tensors of that height and width; all cameras of one comparison have the same."""
        self.shape, self.infer = shape, self.compiled(*shape)
        grid, stride = [], []
        for step in (8, 16, 32):
            down, across = shape[0] // step, shape[1] // step
            y, x = np.mgrid[:down, :across]
            grid.append(np.stack([x, y], -1).reshape(-1, 2))
            stride.append(np.full((down * across, 1), step))
        self.grid, self.stride = np.concatenate(grid), np.concatenate(stride)

    def __call__(self, image, score_min=0.4, iou_max=0.5):
        tensor, scale = letterbox(image, self.size, self.step)
        if tensor.shape[:2] != self.shape:
            self.prepare(tensor.shape[:2])
        raw = self.infer(np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], np.float32))[0]
        scores = raw[:, 4:5] * raw[:, 5:]
        label, score = scores.argmax(1), scores.max(1)
        keep = score > score_min
        centre = (raw[keep, :2] + self.grid[keep]) * self.stride[keep]
        size = np.exp(raw[keep, 2:4]) * self.stride[keep]
        boxes = np.concatenate([centre - size / 2, centre + size / 2], 1) / scale
        found = sv.Detections(
            xyxy=boxes.astype(np.float32), confidence=score[keep].astype(np.float32), class_id=label[keep]
        )
        return found.with_nms(iou_max)


def opened(path):
    return av.open(path, options={"rtsp_transport": "tcp"} if path.startswith("rtsp://") else {})


def read(index, path, every_frame, fps, room, out):
    try:
        read_to_end(index, path, every_frame, fps, room, out)
        out.put((index, None, None, None))
    except Exception as error:  # told by whoever reads the queue
        out.put((index, None, error, None))


def read_to_end(index, path, every_frame, fps, room, out):
    due = 0.0
    with opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.thread_count = 1
        if not every_frame:
            stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            if frame.pts is None:
                continue
            stamp = float(frame.pts * stream.time_base)
            if fps and stamp + 1e-3 < due:
                continue
            due = stamp + 1 / fps if fps else 0.0
            image, arrived = frame.to_ndarray(format="bgr24"), time.perf_counter()
            room.acquire()
            out.put((index, stamp, image, arrived))


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def threads():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--side", type=int, default=416, help="width and height of the model's input (416)")
    parser.add_argument("--trim", type=int, default=0, help="leave padding out down to multiples of so many pixels, as Shirong does")
    parser.add_argument("--engine", choices=["ort", "openvino"], default="openvino")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--dwell", type=float, default=10.0, help="seconds")
    parser.add_argument("--all", action="store_true", help="decode every frame")
    parser.add_argument("--fps", type=float, help="with --all: look so many times a second")
    parser.add_argument("--secs", type=float, help="for streams without an end: measure for so long once each had a look")
    args = parser.parse_args()

    detector = Yolox(args.model, args.engine, args.threads, args.side, args.trim)
    # The first run compiles; imports and it are its start, which is nobody's look.
    with opened(args.clips[0]) as container:
        stream = container.streams.video[0]
        detector(np.zeros((stream.height, stream.width, 3), np.uint8))
    started, cpu_before, looks, findings, waits, most_threads = time.perf_counter(), cpu_seconds(), 0, 0, [], 0
    # Of each, two pictures wait at most.
    pictures, rooms, seen = queue.Queue(), [threading.Semaphore(2) for _ in range(args.streams)], set()
    for index in range(args.streams):
        clip = args.clips[index % len(args.clips)]
        worker = (index, clip, args.all, args.fps, rooms[index], pictures)
        threading.Thread(target=read, args=worker, daemon=True).start()
    settled = time.perf_counter() + SETTLE_SECS
    state = [{"tracker": ByteTrackTracker(), "since": {}, "told": set(), "zone": None} for _ in range(args.streams)]
    open_streams = set(range(args.streams))
    is_measured = not args.secs
    while open_streams and not (args.secs and is_measured and time.perf_counter() - started >= args.secs):
        if args.secs and len(seen) < args.streams and time.perf_counter() - started > SILENCE_SECS + args.streams:
            raise RuntimeError(f"{len(seen)} of {args.streams} cameras had a look")
        index, stamp, image, arrived = pictures.get(timeout=SILENCE_SECS)
        if stamp is None:
            if image is not None or args.secs:
                raise RuntimeError(f"stream {index} ended: {image or 'its camera closed it'}")
            open_streams.discard(index)
            continue
        rooms[index].release()
        s = state[index]
        if s["zone"] is None:
            h, w = image.shape[:2]
            s["zone"] = sv.PolygonZone(np.array([[0, h // 3], [w, h // 3], [w, h], [0, h]]))
        tracked = s["tracker"].update(detector(image))
        inside = tracked[s["zone"].trigger(tracked)] if len(tracked) else tracked
        looks += 1
        for track in [] if inside.tracker_id is None else inside.tracker_id.tolist():
            s["since"].setdefault(track, stamp)
            if stamp - s["since"][track] >= args.dwell and track not in s["told"]:
                s["told"].add(track)
                findings += 1
        waits.append(1e3 * (time.perf_counter() - arrived))
        if looks % 16 == 1:
            most_threads = max(most_threads, threads())
        if not is_measured:
            seen.add(index)
            if len(seen) < args.streams:
                settled = time.perf_counter() + SETTLE_SECS
            elif time.perf_counter() >= settled:
                is_measured = True
                started, cpu_before, looks, waits = time.perf_counter(), cpu_seconds(), 0, []
    cpu_s = cpu_seconds() - cpu_before
    cuts = statistics.quantiles(waits, n=100, method="inclusive") if len(waits) > 1 else waits * 99
    print(
        json.dumps(
            {
                "engine": args.engine,
                "streams": args.streams,
                "looks": looks,
                "findings": findings,
                "wall_s": round(time.perf_counter() - started, 3),
                "cpu_s": round(cpu_s, 3),
                "start_cpu_s": round(cpu_before, 3),
                "decision_ms": {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]} if cuts else None,
                "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
                "threads": most_threads,
            }
        )
    )


if __name__ == "__main__":
    try:
        main()
        code = 0
    except Exception:
        traceback.print_exc()
        code = 1
    # At once: workers of cameras are still within their libraries.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
