#!/bin/sh
# Builds hostservices.wasm. Needs cargo and rustc with a WASI target:
#   rustup:  rustup target add wasm32-wasip1
#   Debian:  apt-get install cargo rustc libstd-rust-dev-wasm32 clang lld wasi-libc libclang-rt-dev-wasm32
# The same toolchain gives the same bytes. The committed module is from Debian 12 (rustc 1.63.0, clang 14.0.6).
set -eu
cd "$(dirname "$0")"

libraries=$(rustc --print sysroot)/lib/rustlib
if [ -d "$libraries/wasm32-wasip1" ]; then
  target=wasm32-wasip1
elif [ -d "$libraries/wasm32-wasi" ]; then
  target=wasm32-wasi
else
  echo "This rustc has no WASI target; the head of build.sh says how to get one" >&2
  exit 1
fi

# Debian's target has neither linker nor C library of its own. WASI_SYSROOT is for those outside their usual place.
if [ ! -d "$libraries/$target/lib/self-contained" ]; then
  export CARGO_TARGET_WASM32_WASI_LINKER=clang CARGO_TARGET_WASM32_WASIP1_LINKER=clang
  export RUSTFLAGS="-C linker-flavor=gcc -C link-arg=--target=wasm32-wasi${WASI_SYSROOT:+ -C link-arg=--sysroot=$WASI_SYSROOT}"
fi

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cargo build --target "$target" --release --locked --offline --target-dir "$build"
cp "$build/$target/release/hostservices.wasm" hostservices.wasm
chmod 644 hostservices.wasm
sha256sum hostservices.wasm
