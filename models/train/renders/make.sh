#!/bin/sh
# Renders training sprites and empty streets.
#   models/train/renders/make.sh OUT [--count N]
# In: seeds only. Out: OUT/<class>_<i>.png and .json, OUT/backgrounds/street_<k>.jpg; what is there already
# is kept, so a run can be stopped (TERM) and started again. Needs blender 3.4 and python3-venv (numpy, Pillow).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: make.sh OUT [--count N]}
count=40
[ "${2:-}" != --count ] || count=${3:?--count needs a number}
for tool in blender python3; do
    command -v $tool >/dev/null || { echo "$tool is missing: apt-get install blender python3-venv" >&2; exit 2; }
done
mkdir -p "$out"
site=${SPRITE_SITE_PACKAGES:-}
if [ -z "$site" ]; then  # the interpreter inside Debian's blender is the system's python3
    [ -x "$out/.venv/bin/pip" ] || /usr/bin/python3 -m venv "$out/.venv"
    "$out/.venv/bin/pip" install -q -r "$here/requirements.txt"
    site=$(echo "$out"/.venv/lib/python3*/site-packages)
fi

run() {  # run SCRIPT ARGUMENT...: Blender tells every sample it takes; keep what the script says
    script=$1; shift
    nice -n 10 blender -b -noaudio -P "$here/$script" -- --packages "$site" "$@" 2>&1 | grep --line-buffered -E '^(SPRITE|PLATE|FAILED|Traceback|  |[A-Z][A-Za-z]*Error)' || true
}

share() {  # share K: half of the sprites, ten a class first, then five a class and a street in turn
    have=10 street=$1
    while :; do
        [ $have -le "$count" ] || have=$count
        run render_sprites.py --out "$out" --share "$1/2" --count $have
        [ $have -lt "$count" ] || break
        run plates.py --out "$out/backgrounds" --first "$street"
        have=$((have + 5)) street=$((street + 2))
    done
}

trap 'trap - TERM INT; kill 0' TERM INT
share 0 & share 1 &
wait
