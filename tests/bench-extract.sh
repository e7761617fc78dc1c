#!/bin/bash
# qa-extract on 200 MB of rows, one core. Usage: tests/bench-extract.sh BUILD BIN. Prints a
# JSON object.
set -eu
cd "$(dirname "$0")/.."
build=$1 bin=$2 bytes=200000000 core=0
work=$build/bench
rows=$work/extract-rows.jsonl
mkdir -p "$work"
# the same rows each time; made anew where the program that makes them is newer
if [ ! -s "$rows" ] || [ "$build/tests/bench-extract" -nt "$rows" ]; then
    "$build/tests/bench-extract" $bytes >"$rows.new"
    mv "$rows.new" "$rows"
fi

# The bench is worth nothing unless questions are found: five blocks a row, nine in ten good.
head -n 4000 "$rows" | "$bin/qa-extract" |
    jq -n -e '[inputs | {good: (.qa | length), bad: (.qa_rejects | length)}]
        | (map(.good) | add) / length | . > 4.4 and . < 4.6' >/dev/null

cat "$rows" >/dev/null # into memory
# Processor time: with one core to itself it is the wall's, and others do not count.
TIMEFORMAT='%3U + %3S'
least=''
for _ in 1 2 3 4 5 6 7; do
    spent=$({ time taskset -c $core "$bin/qa-extract" "$rows" >/dev/null; } 2>&1)
    least=$(jq -n "[$spent, ${least:-infinite}] | min")
done
jq -n --argjson seconds "$least" --argjson bytes "$(wc -c <"$rows")" --argjson rows "$(wc -l <"$rows")" \
    '{bytes: $bytes, rows: $rows, mb_per_s: ($bytes / $seconds / 1e6)}'
