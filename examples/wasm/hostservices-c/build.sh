#!/bin/sh
# Builds hostservices.wasm. Needs clang with the C library for WASI:
#   Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32
#   others: CC=…/clang of a WASI SDK
# The same toolchain gives the same bytes. The committed module is from Debian 12 (clang 14.0.6).
# Writes to the path given as the first argument, without one beside the source.
set -eu
cd "$(dirname "$0")"
"${CC:-clang}" --target=wasm32-wasi -std=c11 -Os -flto -Wall -Wextra -Werror -I ../include \
  -Wl,--strip-all -o "${1:-hostservices.wasm}" hostservices.c
chmod 644 "${1:-hostservices.wasm}"
sha256sum "${1:-hostservices.wasm}"
