#!/bin/bash
# qa-filter beside jq, which makes the same selection: 200 MB of rows, one core.
# Usage: tests/bench-filter.sh BUILD BIN. Prints a JSON object.
set -eu
cd "$(dirname "$0")/.."
build=$1 bin=$2 bytes=200000000 core=0
work=$build/bench
rows=$work/filter-rows.jsonl
mkdir -p "$work"
# the same rows each time; made anew where the program that makes them is newer
if [ ! -s "$rows" ] || [ "$build/tests/bench-filter" -nt "$rows" ]; then
    "$build/tests/bench-filter" $bytes >"$rows.new"
    mv "$rows.new" "$rows"
fi
select='.qa |= map(select(.visual.acc > 0.75 and .text.acc < 0.25)) | select(.qa | length > 0)'

# The bench is worth nothing unless both do the same.
head -n 4000 "$rows" >"$work/filter-sample.jsonl"
"$bin/qa-filter" "$work/filter-sample.jsonl" | jq -c . >"$work/filter-ours.jsonl"
jq -c "$select" "$work/filter-sample.jsonl" >"$work/filter-jq.jsonl"
cmp "$work/filter-ours.jsonl" "$work/filter-jq.jsonl" >&2
[ -s "$work/filter-jq.jsonl" ]

cat "$rows" >/dev/null # into memory
ours=$("$build/tests/bench-run" 9 taskset -c $core "$bin/qa-filter" "$rows")
theirs=$("$build/tests/bench-run" 2 taskset -c $core jq -c "$select" "$rows")
jq -n --argjson ours "$ours" --argjson theirs "$theirs" --argjson bytes "$(wc -c <"$rows")" \
    --argjson rows "$(wc -l <"$rows")" '
    {bytes: $bytes, rows: $rows, gb_per_s: ($bytes / $ours.wall_min_s / 1e9),
     gb_per_cpu_s: ($bytes / $ours.cpu_min_s / 1e9),
     jq_gb_per_s: ($bytes / $theirs.wall_min_s / 1e9),
     times_jq: ($theirs.wall_min_s / $ours.wall_min_s), max_rss: $ours.max_rss}'
