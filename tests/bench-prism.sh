#!/bin/bash
# Measure prism-eval's second stage on the local core: rows of one picture after the other,
# side by side and with what their prompts begin with computed once, beside --max-batch 1
# without sharing (tests/c/bench-prism.c says what is measured, and what is a sample).
# Usage: tests/bench-prism.sh BUILD BIN. Prints a table; JSON goes to BUILD/bench-prism.json.
# BENCH_CAPTIONS: how many captions, of 8 questions each (2).
set -eu
cd "$(dirname "$0")/.."
build=$1 bin=$2
shape=qwen3-0.6b
export CAPMILL_SHARE=$PWD/share
model=$(tests/bench-model.sh "$build" "$bin" "$shape")

echo "bench: prism-eval's second stage with $shape" >&2
"$build/tests/bench-prism" "$model" 2 "${BENCH_CAPTIONS:-2}" >"$build/bench-prism.json"
jq -r '
    ["what", "figure", "unit", "asked", "met"],
    ["stage 2, prefix shared, batch 16, \(.threads) threads", .shared_rows_s, "rows/s", "", ""],
    ["stage 2, prefix shared, batch 1", .narrow_rows_s, "rows/s", "", ""],
    ["stage 2, unshared, batch 1", .unshared_rows_s, "rows/s", "", ""],
    ["  ratio", .ratio, "", "3", (if .ratio >= 3 then "yes" else "NO" end)]
    | @tsv' "$build/bench-prism.json" | column -t -s "$(printf '\t')"
echo "captions of 500 tokens, 8 questions of 60 each, replies of 32; unshared: a sample of the rows"
