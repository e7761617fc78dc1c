#!/bin/bash
# Speed on a GPU beside its limits, and beside PyTorch where that is; all in one run.
# Usage: tests/bench-gpu.sh BUILD: from BUILD/gpu-kit.tar.gz (make gpu-kit), which may have been
# made on another machine. Prints a table; JSON goes to BUILD/bench-gpu.json, one object a line.
# BENCH_GPU_SHAPES: captioner and judge (qwen3-vl-4b qwen2.5-3b; random weights, 14 GB in
# BENCH_GPU_DIR, /dev/shm). BENCH_GPU_SMALL=1: tiny sizes of the models given as folders.
set -eu
cd "$(dirname "$0")/.."
build=$1
kit=$(mktemp -d)
made=("$kit")
trap 'rm -rf "${made[@]}"' EXIT
tar -C "$kit" -xzf "$build/gpu-kit.tar.gz"
dir=${BENCH_GPU_DIR:-/dev/shm}
device=${CAPMILL_TEST_DEVICE:-cuda}
read -r captioner judge <<<"${BENCH_GPU_SHAPES:-qwen3-vl-4b qwen2.5-3b}"
export CAPMILL_CUDA=${CAPMILL_CUDA:-$kit/lib/capmill-cuda.so} CAPMILL_SHARE=$PWD/share
export LD_LIBRARY_PATH=$kit/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
out=$build/bench-gpu.json

model() { # SHAPE or folder: a folder with weights, in $folder
    folder=$1
    [ ! -d "$1" ] || return 0
    folder=$dir/bench-gpu.$1
    made+=("$folder")
    [ -d "$folder" ] || "$kit/bin/model-init" --random --like "$1" "$folder"
}
model "$captioner" && captioner=$folder
model "$judge" && judge=$folder
"$kit/tests/bench-gpu" "$device" "$captioner" "$judge" ${BENCH_GPU_SMALL:+small} | tee "$out" >/dev/null
if [ -z "${BENCH_GPU_SMALL:-}" ] && python3 -c 'import torch, transformers' 2>/dev/null; then
    python3 tests/bench-gpu-peer.py "$captioner" "$out" | tee -a "$out.peer" >/dev/null
    cat "$out.peer" >>"$out"
    rm "$out.peer"
fi
