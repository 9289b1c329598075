#!/usr/bin/env bash
# Installs the system packages that building and running Shirong needs, on Debian 12 and Ubuntu 24.04.
# Asks for root only when something is missing, and says what. Prints nothing when all is there.
set -euo pipefail

packages=(
    build-essential pkg-config
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstrtspserver-1.0-dev
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
    gstreamer1.0-libav
    opencv-doc # vtest.avi: a real fixed street camera for the demo
)
if ! command -v cargo >/dev/null; then
    echo "Rust is missing: install it by rustup (https://rustup.rs), 1.95 or newer, then run this again." >&2
    exit 1
fi
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Missing system packages: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "This is not Debian or Ubuntu: install their equivalents by hand, then run this again." >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Run as root: apt-get update && apt-get install ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing them needs root:"
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
