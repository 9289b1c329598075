#!/usr/bin/env python3
"""A flame graph out of `perf script`, as an SVG that stands alone.

    perf record -e cpu-clock -F 199 --call-graph fp -p PID -- sleep 20
    perf script | benches/flame.py --title "before" > before.svg

Threads are merged by name, so that a hundred cameras are one tower. With --table the share of each thread and of
each library's own time is printed instead.
"""
import argparse
import collections
import html
import re
import sys

WIDTH, ROW, LEAST = 1200, 17, 0.4
HEAD = re.compile(r"^(\S.*?)\s+\d+(?:/\d+)?\s")
FRAME = re.compile(r"^\s+[0-9a-f]+ (.+) \((.*)\)$")


def stacks(lines):
    """Yields the thread's name, the frames from its root, and the library of the innermost."""
    thread, frames, library = None, [], ""
    for line in lines:
        frame = FRAME.match(line)
        if frame:
            name = re.sub(r"\+0x[0-9a-f]+$", "", frame[1])
            name = re.sub(r"::h[0-9a-f]{16}$", "", name)
            where = frame[2].rsplit("/", 1)[-1]
            library = library or where
            frames.append(where if name == "[unknown]" else name)
        elif line.strip():
            thread = re.sub(r"[-:\d]+\S*$", "", HEAD.match(line)[1].strip()) if HEAD.match(line) else thread
        elif frames:
            yield thread or "?", frames[::-1], library
            frames, library = [], ""
    if frames:
        yield thread or "?", frames[::-1], library


def tree(samples):
    root = [0, {}]
    for thread, frames, _ in samples:
        root[0] += 1
        node = root
        last = None
        for name in [thread, *frames]:
            # Unknown frames of one library in a row say no more than one.
            if name == last:
                continue
            last = name
            node = node[1].setdefault(name, [0, {}])
            node[0] += 1
    return root


def draw(node, name, x, depth, scale, out):
    width = node[0] * scale
    if width < LEAST:
        return depth
    hue = 20 + sum(map(ord, name.split("::")[0])) % 40
    share = 100 * node[0] / out["all"]
    label = html.escape(name)
    fits = int(width / 6.6)
    shown = html.escape(name if len(name) <= fits else name[: max(fits - 1, 0)] + "…") if fits > 2 else ""
    out["boxes"].append(
        f'<g><title>{label} {share:.1f} %</title><rect x="{x:.1f}" y="{depth}" width="{width:.1f}" '
        f'height="1" fill="hsl({hue},85%,68%)"/><text x="{x + 3:.1f}" y="{depth}">{shown}</text></g>'
    )
    deepest = depth
    for child, below in sorted(node[1].items()):
        deepest = max(deepest, draw(below, child, x, depth + 1, scale, out))
        x += below[0] * scale
    return deepest


def svg(samples, title):
    root = tree(samples)
    out = {"all": max(root[0], 1), "boxes": []}
    deepest = draw(root, "all", 0, 0, WIDTH / out["all"], out)
    height = (deepest + 1) * ROW + 40

    def place(match):
        y = height - (int(match[1]) + 1) * ROW - 6
        return f'y="{y}"'

    boxes = []
    for box in out["boxes"]:
        box = re.sub(r'y="(\d+)" width', lambda m: place(m) + " width", box).replace('height="1"', f'height="{ROW - 1}"')
        boxes.append(re.sub(r'y="(\d+)">', lambda m: f'y="{height - (int(m[1]) + 1) * ROW + 6}">', box))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="monospace" font-size="11"><rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="8" y="20" font-size="15">{html.escape(title)} — {root[0]} samples</text>'
    )
    return head + "\n".join(boxes) + "</svg>\n"


def table(samples):
    threads, libraries = collections.Counter(), collections.Counter()
    for thread, _, library in samples:
        threads[thread] += 1
        libraries[(thread, library)] += 1
    total = sum(threads.values())
    for thread, count in threads.most_common(12):
        print(f"{100 * count / total:6.1f} %  {thread}")
        own = [(name, n) for (of, name), n in libraries.most_common() if of == thread][:5]
        for name, n in own:
            print(f"          {100 * n / total:6.1f} %  {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--title", default="profile")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    samples = list(stacks(sys.stdin))
    if not samples:
        sys.exit("no samples: give the output of `perf script`")
    if arguments.table:
        table(samples)
    else:
        sys.stdout.write(svg(samples, arguments.title))


if __name__ == "__main__":
    main()
