#!/usr/bin/env bash
# Installs a build, builds a separate project with find_package(tessera), and runs it.
# usage: run.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source_dir=$1 build_dir=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build_dir" --prefix "$scratch/installed" >/dev/null
cmake -S "$source_dir/tests/install/consumer" -B "$scratch/build" -G Ninja \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$scratch/installed" >/dev/null
cmake --build "$scratch/build" >/dev/null
out=$("$scratch/build/consumer" "$source_dir/examples/digits/lenet5_digits.ckpt")
[[ $out == $'f32[2,10]\n8 records' ]] || { echo "unexpected output: $out"; exit 1; }
"$scratch/installed/bin/tessera" --version
