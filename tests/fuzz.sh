#!/bin/bash
# Run each libFuzzer target for some seconds, with seeds from the repository's own data.
# Usage: tests/fuzz.sh BUILD SECONDS. Crashes stay in BUILD/crashes.
set -u
cd "$(dirname "$0")/.." || exit 2
build=$1 seconds=$2 bad=0
mkdir -p "$build/crashes"

seeds_of() { # TARGET FOLDER: copy its seeds
    case $1 in
    image-fuzz) cp tests/data/goldens/preprocess/images/* share/pocket/samples/images/*.png "$2" ;;
    safetensors-fuzz) cp tests/data/goldens2/safetensors_malformed/*.safetensors "$2" ;;
    gguf-fuzz) cp tests/data/goldens2/gguf/malformed/*.gguf tests/data/goldens2/gguf/all_types.gguf "$2" ;;
    format-fuzz) head -60 tests/data/goldens2/format/cases.jsonl | jq -r .caption | split -l 1 - "$2/caption" ;;
    table-fuzz) cp tests/data/examples/vlmevalkit.tsv "$2" ;;
    prompt-fuzz)
        printf '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Why?<|im_end|>\n<|im_start|>assistant\n' >"$2/prompt"
        ;;
    json-fuzz) head -50 share/pocket/world/test.jsonl | split -l 1 - "$2/row" ;;
    reply-fuzz) cp tests/data/fuzz/reply/* "$2" ;;
    extract-fuzz)
        jq -j '.output, "\u0000"' tests/data/goldens2/extract/cases.jsonl |
            split -t '\0' -a 3 -l 1 - "$2/text"
        ;;
    letter-fuzz)
        jq -r 'select(.kind | startswith("mc_")) | .prediction' tests/data/goldens2/score/cases.jsonl |
            sort -u | split -l 1 - "$2/reply"
        ;;
    choice-fuzz)
        jq -j '(.options | join("\n")), "\n\n", .reply, "\u0001"' tests/data/choice.jsonl |
            split -t $'\x01' -a 3 -l 1 - "$2/reply"
        ;;
    math-fuzz)
        jq -j 'select(.config or .kind == "math") | .gold, "\u0000", .prediction, "\u0001"' \
            tests/data/goldens2/score/cases.jsonl tests/data/goldens2/score/math_verify_tests.jsonl |
            split -t $'\x01' -a 3 -l 1 - "$2/pair"
        ;;
    answer-fuzz)
        jq -j '"\(.prediction)\n\(.gold)\u0001"' tests/data/goldens2/score/cases.jsonl |
            split -t $'\x01' -a 3 -l 1 - "$2/pair"
        ;;
    tokenizer-fuzz | chat-fuzz) head -50 tests/data/goldens2/tokenizer/encode.jsonl | split -l 1 - "$2/text" ;;
    esac
}

for source in tests/fuzz/*-fuzz.c; do
    target=$(basename "$source" .c)
    corpus=$build/corpus/$target
    mkdir -p "$corpus"
    seeds_of "$target" "$corpus"
    if "$build/$target" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=4096 \
        -artifact_prefix="$build/crashes/$target-" "$corpus" >"$build/$target.log" 2>&1; then
        printf 'ok %s: %s\n' "$target" "$(grep -oE '^Done [0-9]+ runs in [0-9]+ second' "$build/$target.log")"
    else
        printf 'not ok %s\n' "$target"
        tail -30 "$build/$target.log"
        bad=1
    fi
done
exit $bad
