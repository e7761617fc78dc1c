#!/bin/bash
# Measure speed beside this machine's limits and peers, all in one run.
# Usage: tests/bench.sh BUILD BIN. Prints a table; JSON goes to BUILD/bench.json.
# BENCH_SHAPE: the model that decode and prefill run on (qwen3-vl-2b, 4.3 GB on disk).
set -eu
cd "$(dirname "$0")/.."
build=$1 bin=$2
shape=${BENCH_SHAPE:-qwen3-vl-2b}
export OPENBLAS_CORETYPE=Haswell # AVX2 as our kernels are
export CAPMILL_SHARE=$PWD/share
work=$build/bench
mkdir -p "$work"
say() { echo "bench: $*" >&2; }

say "kernels"
"$build/tests/bench-kernels" >"$work/kernels.json"
say "products with weights in blocks"
"$build/tests/bench-quant" >"$work/quant.json"
say "pictures and tokenizer"
"$build/tests/bench-media" >"$work/media.json"
"$build/tests/bench-text" >"$work/text.json"
model=$(tests/bench-model.sh "$build" "$bin" "$shape")
say "decode and prefill of $shape"
for threads in 1 2; do
    "$build/tests/bench-engine" "$model" $threads
done >"$work/engine.json"

say "qa-extract"
tests/bench-extract.sh "$build" "$bin" >"$work/extract.json"
say "qa-filter beside jq"
tests/bench-filter.sh "$build" "$bin" >"$work/filter.json"

say "answer-score"
tests/bench-answer.sh "$build" "$bin" >"$work/answer.json"
say "comparing mathematical answers"
"$build/tests/bench-math" >"$work/math.json"

say "start-up and memory"
picture=share/pocket/samples/images/0000.png
"$build/tests/bench-run" 21 "$bin/caption" -m pocket --temperature 0 --text $picture >"$work/start.json"
"$build/tests/bench-media" --write "$work/photo.jpg"
"$build/tests/bench-run" 1 "$bin/caption" -m "$model" --max-tokens 8 --ignore-eos "$work/photo.jpg" \
    >"$work/memory.json"
"$bin/caption" -m "$model" --dry-run --explain "$work/photo.jpg" 2>"$work/explain"
tokens=$(grep -oE 'prompt of [0-9]+' "$work/explain" | grep -oE '[0-9]+')
"$bin/model-info" --json --ctx $((tokens + 8)) "$model" >"$work/info.json"

jq -n --slurpfile kernels "$work/kernels.json" --slurpfile media "$work/media.json" \
    --slurpfile text "$work/text.json" --slurpfile engine "$work/engine.json" \
    --slurpfile start "$work/start.json" --slurpfile memory "$work/memory.json" \
    --slurpfile extract "$work/extract.json" --slurpfile filter "$work/filter.json" \
    --slurpfile math "$work/math.json" --slurpfile answer "$work/answer.json" \
    --slurpfile quant "$work/quant.json" \
    --slurpfile info "$work/info.json" --arg shape "$shape" --argjson tokens "$tokens" '
    {shape: $shape, kernels: $kernels[0], quant: $quant[0], media: $media[0], text: $text[0], engine: $engine,
     start: $start[0], extract: $extract[0], filter: $filter[0], math: $math[0], answer: $answer[0],
     memory: {prompt_tokens: $tokens, picture: "1024x768", max_rss: $memory[0].max_rss,
              weights: $info[0].memory.weights, kv: $info[0].memory.kv,
              over: ($memory[0].max_rss - $info[0].memory.weights - $info[0].memory.kv)}}
    ' >"$build/bench.json"

jq -r '
    def row($what; $got; $unit; $want; $good):
        [$what, ($got * 1000 | round / 1000 | tostring), $unit, $want,
         (if $good == null then "" elif $good then "yes" else "NO" end)] | @tsv;
    ["what", "figure", "unit", "asked", "met"],
    (.engine[] | "\(.threads) thread\(if .threads > 1 then "s" else "" end)" as $t
     | [row("read bandwidth, \($t)"; .read_gb_s; "GB/s"; ""; null),
        row("decode, batch 1, bf16, \($t)"; .decode_tokens_s; "tokens/s"; ""; null),
        row("  of read bandwidth"; .decode_share_of_read; ""; if .threads == 2 then "0.6" else "" end;
            if .threads == 2 then .decode_share_of_read >= 0.6 else null end),
        row("prefill, 512 tokens, \($t)"; .prefill_tokens_s; "tokens/s"; ""; null),
        row("  of OpenBLAS sgemm"; .prefill_share_of_sgemm; ""; "0.5"; .prefill_share_of_sgemm >= 0.5)][]),
    (.quant | .decode as $decode
     | ("q8_0", "q4_k") as $type | $decode[] | select(.weights == $type)
     | .threads as $threads
     | ($decode[] | select(.weights == "bf16" and .threads == $threads)) as $bf16
     | [row("product of one row, \($type), \($threads) thread\(if $threads > 1 then "s" else "" end)";
            .gb_s; "GB/s"; ""; null),
        row("  of read bandwidth"; .of_bandwidth; ""; ""; null),
        row("  times the speed with bf16"; .gweights_s / $bf16.gweights_s; ""; ""; null)][]),
    row("JPEG 1024x768 to patches, 1 core"; .media.jpeg_to_patches_per_s; "pictures/s"; "120";
        .media.jpeg_to_patches_per_s >= 120),
    row("tokenizer with NFC, 1 core"; .text.tokenizer_mb_per_s; "MB/s"; "20"; .text.tokenizer_mb_per_s >= 20),
    row("qa-extract, rows of 2 kB, 1 core"; .extract.mb_per_s; "MB/s"; "300"; .extract.mb_per_s >= 300),
    row("qa-filter, 200 MB of rows, 1 core"; .filter.gb_per_s; "GB/s"; "1"; .filter.gb_per_s >= 1),
    row("  by processor time"; .filter.gb_per_cpu_s; "GB/s"; ""; null),
    row("  times jq"; .filter.times_jq; ""; "10"; .filter.times_jq >= 10),
    row("answer-score, choices, 1 core"; .answer.choice; "rows/s"; "50000"; .answer.choice >= 50000),
    row("  relaxed, anls, vqa, exact: the least"; ([.answer.relaxed, .answer.anls, .answer.vqa, .answer.exact] | min);
        "rows/s"; ""; null),
    row("  math"; .answer.math; "rows/s"; "5000"; .answer.math >= 5000),
    row("math answers compared, 1 core"; .math.rows_per_s; "rows/s"; "5000"; .math.rows_per_s >= 5000),
    row("  worst of the hostile texts"; .math.hostile_worst_ms; "ms"; "50"; .math.hostile_worst_ms <= 50),
    row("start to first pocket caption"; .start.wall_s; "s"; "0.15"; .start.wall_s < 0.15),
    row("memory over weights and KV"; .memory.over / 1e6; "MB"; "400"; .memory.over <= 400e6)
    | if type == "array" then @tsv else . end' "$build/bench.json" | column -t -s "$(printf '\t')"
echo "model $shape, random bf16 weights; kernels by shape and the FMA peak: $build/bench.json"
tests/bench-judge.sh "$build" "$bin"
tests/bench-prism.sh "$build" "$bin"
tests/bench-train.sh "$build"
tests/bench-ring.sh "$build" "$bin" | tee "$build/bench-ring.json"
