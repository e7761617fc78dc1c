#!/bin/sh
# What the parts of the method are worth, on the pocket world: one ring for each line of a table.
# The same command goes on with what was interrupted.
set -eu

usage() {
    cat <<'END'
usage: rl-ablation.sh -o FOLDER [-s STEPS] [-r SEED] [-t PICTURES]

Trains the pocket captioner once for each variant: questions per caption 1, 2, 4, all; sampled
in place of expected rewards; without the price of length; one and two batches ahead. Prints
a table of what the judge answers from captions of unseen pictures, how many sentences are
true, how many facts are said, and the length; the first line is the captioner as it was.

  -o FOLDER    for what is made: a folder for each variant
  -s STEPS     of each (12)
  -r SEED      of each (0)
  -t PICTURES  unseen ones (48)

Exit status: 0; 2 usage; 75 interrupted, the same command goes on.
END
}

out='' steps=12 seed=0 unseen=48
while getopts o:s:r:t:h option; do
    case $option in
    o) out=$OPTARG ;;
    s) steps=$OPTARG ;;
    r) seed=$OPTARG ;;
    t) unseen=$OPTARG ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ -z "$out" ] || [ $# -gt 0 ]; then
    usage >&2
    exit 2
fi

here=$(dirname "$0")
[ ! -x "$here/../bin/rl-feed" ] || PATH=$here/../bin:$PATH
share=${CAPMILL_SHARE:-$here/../share}
[ -d "$share" ] || share=$here/../../../capmill # installed, in share/doc/capmill
world=$share/pocket/world
mkdir -p "$out"

# measure MODEL FILE: the captions of unseen pictures and their rewards, once, all or none.
measure() {
    [ ! -s "$2" ] || return 0
    caption -m "$1" --temperature 0 --max-tokens 128 --root "$world" --limit "$unseen" \
        "$world/test.jsonl" > "$2.captions"
    reward -m pocket-judge --answer text "$2.captions" > "$2.part"
    rm "$2.captions"
    mv "$2.part" "$2"
}

# questions N FILE: the train rows with N questions each (0: all), others for each row.
questions() {
    jq -c --slurp --argjson most "$1" 'to_entries[] | .key as $i | .value | (.qa | length) as $n
        | .qa |= ([.[], .[]] | .[$i % $n:$i % $n + (if $most == 0 then $n else [$most, $n] | min end)])' \
        "$world/train.jsonl" > "$2"
}

# variant NAME QUESTIONS AHEAD REWARD-OPTION ...
variant() {
    name=$1 number=$2 ahead=$3
    shift 3
    mkdir -p "$out/$name"
    if [ ! -s "$out/$name/unseen.jsonl" ]; then
        printf '%s\n' "$name" >&2
        questions "$number" "$out/$name/train.jsonl"
        CAPTION='--max-tokens 128' REWARD="--answer text $*" STEP='--aggregate token-mean --weight-decay 0' \
            "$here/rl.sh" -q -m pocket -j pocket-judge -d "$out/$name/train.jsonl" -R "$world" \
            -o "$out/$name" -b 16 -n 8 -s "$steps" -l 1.5e-4 -w 5 -r "$seed" -k "$ahead" -c 1000
        measure "$out/$name/policy" "$out/$name/unseen.jsonl"
    fi
}

# line NAME FILE [METRICS]: a line of the table.
line() {
    jq -rs --arg name "$1" --slurpfile metrics "${3:-/dev/null}" '
        def sentences: [match("[^ .][^.]*\\."; "g").string];
        def mean: add / length;
        def column($n; $wide): (. * pow(10; $n) | round / pow(10; $n) | tostring) | " " * ($wide - length) + .;
        [.[] | (.caption | sentences) as $said | .facts as $facts | {
            acc: .captions[0].reward.acc, tokens: .captions[0].tokens, said: ($said | length),
            true: ($said | map(select(IN($facts[]))) | length),
            recall: (($facts | map(select(IN($said[]))) | length) / ($facts | length))}]
        | (map(.acc) | mean) as $acc | ((map(.true) | add) / ([map(.said) | add, 1] | max)) as $precision
        | $name + " " * (22 - ($name | length)) + ($acc | column(3; 9)) + ($precision | column(3; 11))
            + (map(.recall) | mean | column(3; 9)) + (map(.tokens) | mean | column(1; 9))
            + ($metrics | map(select(.reward) | .reward_std) | if length > 0 then mean | column(3; 9) else "" end)' \
        "$2"
}

measure pocket "$out/base.jsonl"
variant 1-question 1 0 --token-cost 0.0005
variant 2-questions 2 0 --token-cost 0.0005
variant 4-questions 4 0 --token-cost 0.0005
variant all-questions 0 0 --token-cost 0.0005
variant 4-sampled 4 0 --token-cost 0.0005 --score sampled
variant 4-no-length-price 4 0 --len-weight 0
variant 4-ahead-1 4 1 --token-cost 0.0005
variant 4-ahead-2 4 2 --token-cost 0.0005

printf '%-22s %8s %10s %8s %8s %8s\n' '' accuracy precision recall tokens spread
line base "$out/base.jsonl"
for name in 1-question 2-questions 4-questions all-questions 4-sampled 4-no-length-price \
    4-ahead-1 4-ahead-2; do
    line "$name" "$out/$name/unseen.jsonl" "$out/$name/metrics.jsonl"
done
