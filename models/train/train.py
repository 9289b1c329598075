#!/usr/bin/env python3
"""Labelled pictures in, an ONNX model with manifest and card out. See README.md beside this file."""
import argparse
import json
import pathlib
import tempfile

from eyes import export, recipe, smoke, teach

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", type=pathlib.Path, default=HERE / "recipe.toml", help="what to learn from (default: recipe.toml here)")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the run's folder; a run that was cut off goes on there")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--minutes", type=float, help="end after so long, if the steps are not done before")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare pictures; on a GPU as many as there are cores (1)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (2)")
    parser.add_argument("--smoke", action="store_true", help="instead of a recipe: 20 pictures made here and now, 12 steps")
    arguments = parser.parse_args()
    if arguments.smoke:
        with tempfile.TemporaryDirectory() as folder:
            run(recipe.load(smoke.write(pathlib.Path(folder), HERE.parent), arguments.steps), arguments, workers=0)
    else:
        run(recipe.load(arguments.recipe, arguments.steps), arguments, arguments.workers)


def run(what, arguments, workers):
    out = arguments.out.resolve()
    tuned, calibration = teach.train(what, out, threads=arguments.threads, workers=workers, minutes=arguments.minutes)
    network = teach.mixed(what, tuned)
    steps = json.loads((out / "final.json").read_text())["steps"]
    for name in (what.name, what.name + "-int8"):
        (out / name).mkdir(exist_ok=True)
    weights = out / what.name / f"{what.name}.onnx"
    export.write_onnx(network, what.side, weights)
    licences = [HERE.parent / "yolox-nano-coco" / "LICENSE-YOLOX.txt", HERE / "NOTICE"]
    export.write_folder(what, out / what.name, what.name, weights, licences, steps)
    int8 = out / f"{what.name}-int8" / f"{what.name}-int8.onnx"
    export.write_int8(weights, int8, calibration, what.side, what.float_until)
    export.write_folder(what, out / f"{what.name}-int8", f"{what.name}-int8", int8, licences, steps)
    print(f"{out / what.name}: shirong models check it, then shirong eval {out / 'held_out'}/NAME --model it")


if __name__ == "__main__":
    main()
