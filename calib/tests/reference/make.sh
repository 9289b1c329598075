#!/usr/bin/env bash
# Writes expected.json anew, with OpenCV and PROJ in a virtual environment of their own (VENV, by default below
# the target folder). Not part of `make test`: calib/tests/geometry_reference.rs reads what was written.
set -euo pipefail
cd "$(dirname "$0")"

venv=${VENV:-../../../target/geometry-reference}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
"$venv/bin/python" reference.py > expected.json.new
mv expected.json.new expected.json
