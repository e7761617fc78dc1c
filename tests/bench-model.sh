#!/bin/bash
# The folder of a model of a named real shape and random weights, made where it is not there.
# Usage: tests/bench-model.sh BUILD BIN SHAPE. Prints the folder.
set -eu
build=$1 bin=$2 shape=$3
folder=$build/bench/$shape
mkdir -p "$build/bench"
if [ ! -e "$folder" ]; then
    echo "bench: making $shape with random weights" >&2
    CAPMILL_SHARE=$(dirname "$0")/../share "$bin/model-init" --random --like "$shape" "$folder" >&2
fi
echo "$folder"
