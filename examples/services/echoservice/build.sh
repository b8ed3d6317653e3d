#!/bin/sh
# Builds the echo service for Linux on x86-64 and ARM64 as static executables, with Zig's C compiler (it brings
# musl for both). Needs python3 with venv and pip, unless ZIG names the command of an installed Zig.
# The same version of Zig gives the same bytes, whatever the machine and the directory.
set -eu
cd "$(dirname "$0")"
zig_version=0.15.2

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
if [ -z "${ZIG:-}" ]; then
  python3 -m venv "$build/venv"
  "$build/venv/bin/pip" install --quiet --disable-pip-version-check "ziglang==$zig_version"
  ZIG="$build/venv/bin/python -m ziglang"
fi
if [ "$($ZIG version)" != "$zig_version" ]; then
  echo "Zig is $($ZIG version), wanted $zig_version" >&2
  exit 1
fi

# $1: architecture in Zig's words, $2: in those of Node
build_for() {
  mkdir -p "bin/linux-$2"
  $ZIG cc -target "$1-linux-musl" -static -Os -s -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror \
    -ffunction-sections -fdata-sections -Wl,--gc-sections -o "$build/echoservice" src/*.c
  install -m 755 "$build/echoservice" "bin/linux-$2/echoservice"
}

build_for x86_64 x64
build_for aarch64 arm64
sha256sum bin/*/echoservice | tee SHA256SUMS
