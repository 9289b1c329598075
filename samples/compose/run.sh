#!/usr/bin/env bash
# Composes things into real footage, then scores the rules on it and replays vtest.avi in full: it must give no case.
# Everything lands under target/, nothing in the repository. Give a model's name or folder to use another one;
# MAKE=1 composes the clips anew, FAST=1 makes no videos, MIN=0.8 asks for less than nine of ten.
set -euo pipefail
cd "$(dirname "$0")/../.."

model=${1:-city-nano}
data=${DATA:-../shared/data}
sprites=${SPRITES:-models/train/sprites}
vtest=${VTEST:-/usr/share/doc/opencv-doc/examples/data/vtest.avi}
clips=target/composed
min=${MIN:-0.9}
venv=target/compose-venv

if [ ! -x $venv/bin/python ]; then
    python3 -m venv $venv
    $venv/bin/pip install --quiet --requirement samples/compose/requirements.txt
fi
if [ -n "${MAKE:-}" ] || [ ! -d $clips ]; then
    # Under its own name only once it is whole.
    rm -rf $clips.part
    $venv/bin/python samples/compose/compose_clips.py --vtest "$vtest" --car-park "$data/clips/car-park.mp4" \
        --garbage "$data/garbage" --sprites "$sprites" --out $clips.part
    rm -rf $clips
    mv $clips.part $clips
fi

cargo build --quiet --locked --bin shirong
shirong=target/debug/shirong
videos=()
[ -n "${FAST:-}" ] || videos=(--out target/composed-videos)
code=0
echo "== composed clips: precision and recall of $min or more"
$shirong eval --events $clips --model "$model" --min "$min" --json target/composed.json "${videos[@]}" || code=$?
echo "== vtest.avi in full: no line may say confirmed"
$shirong replay "$vtest" --camera samples/cameras/vtest.toml --model "$model" --every fps=2 \
    ${videos[0]:+--video target/composed-videos/vtest-full.mp4} > target/vtest-full.txt
grep -E 'confirmed|view' target/vtest-full.txt || true
if grep -q confirmed target/vtest-full.txt; then
    echo "vtest.avi gave a case" >&2
    exit 1
fi
exit $code
