#!/bin/bash
# Measure a reward's work on the local core with and without sharing what its prompts
# have in common (tests/c/bench-judge.c says what is measured, and what is a sample).
# Usage: tests/bench-judge.sh BUILD BIN. Prints a table; JSON goes to BUILD/bench-judge.json.
# BENCH_CAPTIONS: how many of the 8 captions (2).
set -eu
cd "$(dirname "$0")/.."
build=$1 bin=$2
shape=qwen3-0.6b
export CAPMILL_SHARE=$PWD/share
model=$(tests/bench-model.sh "$build" "$bin" "$shape")

echo "bench: judging with $shape" >&2
"$build/tests/bench-judge" "$model" 2 "${BENCH_CAPTIONS:-2}" >"$build/bench-judge.json"
jq -r '
    ["what", "figure", "unit", "asked", "met"],
    ["judging, prefix shared, \(.threads) threads", .shared_questions_s, "questions/s", "", ""],
    ["judging, each prompt alone", .unshared_questions_s, "questions/s", "", ""],
    ["  ratio", .ratio, "", "4", (if .ratio >= 4 then "yes" else "NO" end)]
    | @tsv' "$build/bench-judge.json" | column -t -s "$(printf '\t')"
echo "captions of 500 tokens, questions of 60, 4 orders; unshared: a sample of the prompts"
