#!/bin/sh
# Renders and composes the sample clips into samples/clips.
#   samples/scenes/make.sh [BUILD_FOLDER] [--model FILE.onnx] [--draft] [SCENE ...]
# In: the scripts here. Out: ../clips/<scene>.mp4 and .truth.json. Needs blender (3.4) and ffmpeg.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/.build
case "${1:-}" in ''|-*) ;; */*) build=$1; shift ;; esac
for tool in blender ffmpeg python3; do
    command -v $tool >/dev/null || { echo "$tool is missing: apt-get install blender ffmpeg python3-venv" >&2; exit 2; }
done
mkdir -p "$build"
if ! cmp -s "$here/requirements.txt" "$build/venv/requirements.txt"; then
    python3 -m venv "$build/venv"
    "$build/venv/bin/pip" install -q -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$build/venv/requirements.txt"
fi
exec "$build/venv/bin/python" "$here/build.py" --build "$build" --out "$here/../clips" "$@"
