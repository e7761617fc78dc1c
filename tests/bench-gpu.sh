#!/bin/bash
# Speed on a GPU beside its limits, and beside PyTorch where that is; all in one run.
# Usage: tests/bench-gpu.sh BUILD: from BUILD/gpu-kit.tar.gz (make gpu-kit), which may have been
# made on another machine. Prints a table; JSON goes to BUILD/bench-gpu.json, one object a line.
# BENCH_GPU_SHAPES: captioner and judge (qwen3-vl-4b qwen2.5-3b; random weights, with a
# policy's versions 23 GB in BENCH_GPU_DIR, /dev/shm). BENCH_GPU_SMALL=1: tiny sizes of the
# models given as folders. BENCH_GPU_FACTOR: of the whole GRPO step, which is last, one of so
# many prompts is run (8); it needs 130 GB of the GPU.
set -euo pipefail
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
out=$build/bench-gpu.json
factor=${BENCH_GPU_FACTOR:-$([ -n "${BENCH_GPU_SMALL:-}" ] && echo 1 || echo 8)}

# The library's products are a limit that others are measured by: cuBLASLt is looked for in
# the toolkit and in PyTorch's packages, too, where the loader does not know of it.
cublaslt() {
    local packages
    packages=$(python3 -c 'import importlib.util as u; print(*u.find_spec("nvidia").submodule_search_locations)' 2>/dev/null) || packages=
    # shellcheck disable=SC2086  # folders are meant to be split
    find -L /usr/local/cuda/lib64 $packages -name 'libcublasLt.so.1[23]' -printf '%h\n' -quit 2>/dev/null || true
}
library=$(cublaslt)
path=$kit/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}${library:+:$library}
# The kit's libraries are for its own programs alone, not for this machine's.
in_kit() { LD_LIBRARY_PATH=$path "$@"; }

model() { # SHAPE or folder: a folder with weights, in $folder
    folder=$1
    [ ! -d "$1" ] || return 0
    folder=$dir/bench-gpu.$1
    made+=("$folder")
    [ -d "$folder" ] || in_kit "$kit/bin/model-init" --random --like "$1" "$folder"
}
model "$captioner"
captioner=$folder
model "$judge"
judge=$folder
in_kit "$kit/tests/bench-gpu" "$device" "$captioner" "$judge" ${BENCH_GPU_SMALL:+small} >"$out"
if [ -z "${BENCH_GPU_SMALL:-}" ] && python3 -c 'import torch, transformers' 2>/dev/null; then
    python3 tests/bench-gpu-peer.py "$captioner" "$out" >"$out.peer" || echo "PyTorch's part failed" >&2
    cat "$out.peer" >>"$out"
    rm "$out.peer"
fi
rate=$(sed -nE 's/^\{"what":"product, library","value":([^,]*),.*/\1/p' "$out")
policy=$(mktemp -d -p "$dir")
made+=("$policy")
in_kit "$kit/tests/bench-step" "$device" "$captioner" "$judge" "$policy" "$rate" "$factor" ${BENCH_GPU_SMALL:+small} >>"$out"
