#!/usr/bin/env bash
# Puts libonnxruntime.so into .runtime/onnxruntime of this checkout, out of the PyPI wheel, pinned and
# checked by sha256. Prints nothing when it is there already. With the argument `openvino` the build that has
# OpenVINO's provider goes into .runtime/onnxruntime-openvino, with `gpu` the one with CUDA's and TensorRT's into
# .runtime/onnxruntime-gpu.
set -euo pipefail
cd "$(dirname "$0")/.."

package=onnxruntime${1:+-$1}
case "$package $(uname -m)" in
"onnxruntime x86_64") version=1.32.0 platform=manylinux_2_28_x86_64 sha256=99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8 ;;
"onnxruntime aarch64") version=1.32.0 platform=manylinux_2_28_aarch64 sha256=e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054 ;;
"onnxruntime-openvino x86_64") version=1.24.1 platform=manylinux_2_28_x86_64 sha256=d617fac2f59a6ab5ea59a788c3e1592240a129642519aaeaa774761dfe35150e ;;
"onnxruntime-gpu x86_64") version=1.31.1 platform=manylinux_2_28_x86_64 sha256=05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7 ;;
*)
    echo "no wheel of $package is pinned for $(uname -m): build it and set SHIRONG_ONNXRUNTIME" >&2
    exit 1
    ;;
esac

folder=.runtime/$package
stamp="$version $sha256"
[ -e "$folder/libonnxruntime.so" ] && [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ] && exit 0

echo "Fetching $package $version from PyPI"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
    --platform "$platform" --dest "$work" "$package==$version" || {
    echo "ONNX Runtime cannot be had from PyPI here: bring the wheel's libonnxruntime.so by hand and set" >&2
    echo "SHIRONG_ONNXRUNTIME to it, or make PyPI reachable for pip" >&2
    exit 1
}
wheel=$(echo "$work"/*.whl)
echo "$sha256  $wheel" | sha256sum --check --quiet || {
    echo "the wheel's sha256 is not the pinned one; nothing was installed" >&2
    exit 1
}
rm -rf "$folder"
mkdir -p "$folder"
python3 - "$wheel" "$folder" <<'PYTHON'
import pathlib, sys, zipfile

wheel, folder = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
for name in wheel.namelist():
    base = pathlib.PurePosixPath(name).name
    if ".so" in base and base.startswith(("libonnxruntime", "libopenvino", "libtbb")):
        (folder / base).write_bytes(wheel.read(name))
    elif base in ("LICENSE", "ThirdPartyNotices.txt"):
        (folder / base).write_bytes(wheel.read(name))
PYTHON
library=$(cd "$folder" && ls libonnxruntime.so.* | head -n 1)
[ -e "$folder/libonnxruntime.so" ] || ln -s "$library" "$folder/libonnxruntime.so"
echo "$stamp" >"$folder/stamp"
