#!/bin/bash
# Measure training steps of text decoders beside OpenBLAS' sgemm, groups behind one prompt
# beside separate sequences, and a step's memory beside model-info's plan
# (tests/c/bench-train.c says how).
# Usage: tests/bench-train.sh BUILD. Prints a table; JSON goes to BUILD/bench-train.json.
# BENCH_STEPS: how many steps of each (5; of the larger decoder 3, of its groups 1).
set -eu
cd "$(dirname "$0")/.."
build=$1 steps=${BENCH_STEPS:-5}
export OPENBLAS_CORETYPE=Haswell # AVX2 as our kernels are
work=$build/bench/train
mkdir -p "$work"
few=$((steps < 3 ? steps : 3))
bench() { "$build/tests/bench-train" "$work" "$@"; }

echo "bench: training steps" >&2
{
    bench 1 "$steps" step 8M
    bench 2 "$steps" step 8M
    bench 2 "$few" step 107M
    bench 2 "$few" group 8M
    bench 2 1 group 107M
    for model in 8M 107M; do
        bench 2 1 memory $model
        bench 2 1 memory-recompute $model
    done
} | jq -s . >"$build/bench-train.json"
rm -r "$work"

jq -r '
    def met($good): if $good then "yes" else "NO" end;
    def threads: "\(.threads) thread\(if .threads > 1 then "s" else "" end)";
    ["what", "figure", "unit", "asked", "met"],
    (.[] | select(.what == "step")
     | ["training step, \(.model), \(threads)", .tokens_s, "tokens/s", "", ""],
       ["  of OpenBLAS sgemm, as 6 N T", .of_sgemm, "", "0.75", met(.of_sgemm >= 0.75)],
       ["  time with recomputation", .recompute_time, "", "1.35", met(.recompute_time <= 1.35)]),
    (.[] | select(.what == "group")
     | ["prompt of 900, 8 x 500, \(.model), times separate", .ratio, "",
        (if .model == "107M" then "1.9", met(.ratio >= 1.9) else "", "" end)]),
    (.[] | select(.what == "memory")
     | ["memory of a step, \(.model)\(if .recompute then ", recomputed" else "" end)",
        (.peak / 1e6 | round), "MB", "", ""],
       ["  states, each parameter", .bytes_per_parameter, "bytes", "", ""],
       ["  the rest, each token", .bytes_per_token, "bytes", "", ""],
       ["  plan, of what it took", .planned_of_peak, "", "0.9 to 1.1",
        met(.planned_of_peak >= 0.9 and .planned_of_peak <= 1.1)])
    | @tsv' "$build/bench-train.json" | column -t -s "$(printf '\t')"
echo "8 x 256 tokens, fp32; of groups the small decoder shares less: its output layer and"
echo "attention, which work on each continuation, are half of a step"
